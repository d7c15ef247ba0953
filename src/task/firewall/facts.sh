command -v ufw >/dev/null 2>&1 || exit 0
echo present
LC_ALL=C ufw status 2>/dev/null | grep '^Status:'
LC_ALL=C ufw show added 2>/dev/null | grep '^ufw '
! systemctl is-active -q tow-firewall-revert.timer 2>/dev/null || echo armed
# The connection that this comes by: sudo drops the variable, the processes above us have it.
pid=$$ port=
while [ -z "$port" ] && [ "${pid:-1}" -gt 1 ]; do
  port=$(tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | sed -n 's/^SSH_CONNECTION=[^ ]* [^ ]* [^ ]* //p')
  pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status" 2>/dev/null)
done
{
  [ -z "$port" ] || echo "$port"
  ss -Hltnp 2>/dev/null | grep '"sshd"' | sed 's/^[^ ]* *[^ ]* *[^ ]* *[^ ]*:\([0-9]*\) .*/\1/'
} | sort -un | sed 's/^/ssh /'
exit 0
