for rule in "$@"; do
  # A rule of several words is several words to ufw.
  ufw allow $rule || exit 1
done
[ "$enable" = yes ] || exit 0
[ -d /run/systemd/system ] || { echo "this host is not run by systemd: nothing could turn the firewall off again" >&2; exit 1; }
systemctl stop tow-firewall-revert.timer 2>/dev/null
systemctl reset-failed tow-firewall-revert.service 2>/dev/null
systemd-run --quiet --collect --unit=tow-firewall-revert --on-active="$window" --timer-property=AccuracySec=1s \
  /bin/sh -c 'ufw --force disable' || exit 1
ufw default deny incoming && ufw default allow outgoing && ufw --force enable && exit 0
ufw --force disable
systemctl stop tow-firewall-revert.timer
exit 1
