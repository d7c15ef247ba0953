show() { $ctl show -p "$1" --value -- "$unit"; }
fail() {
  echo "$unit: the last lines of its journal:" >&2
  timeout 5 $journal --sync 2>/dev/null || :
  $journal -u "$unit" -n 20 --no-pager -o cat >&2 || :
  echo "$1" >&2
  exit 1
}
case $daemon_reload in
  auto) [ "$(show NeedDaemonReload)" != yes ] || $ctl daemon-reload || exit 1 ;;
  yes) $ctl daemon-reload || exit 1 ;;
esac
[ -z "$enable" ] || $ctl "$enable" -- "$unit" || exit 1
[ -n "$verb" ] || exit 0
[ "$verb" = reload ] || [ "$verb" = stop ] || $ctl reset-failed -- "$unit" 2>/dev/null
$ctl "$verb" -- "$unit" || fail "$unit: systemctl $verb failed"
[ "$verb" != stop ] || exit 0
restarts=$(show NRestarts) pid=$(show MainPID) left=$polls
while :; do
  state=$(show ActiveState)
  case $state in
    active | reloading | refreshing) ;;
    activating) [ "$(show NRestarts)" = "$restarts" ] || fail "$unit does not stay up: it was started again" ;;
    inactive) [ "$(show Type)" = oneshot ] && [ "$(show Result)" = success ] && exit 0
      fail "$unit ended by itself" ;;
    *) fail "$unit does not stay up: it is $state ($(show Result))" ;;
  esac
  [ "$(show NRestarts)" = "$restarts" ] || fail "$unit does not stay up: it was started again"
  now=$(show MainPID)
  [ "$verb" = reload ] || [ "$pid" = 0 ] || [ "$now" = "$pid" ] || fail "$unit does not stay up: its main process changed"
  pid=$now
  [ "$left" -gt 0 ] || exit 0
  left=$((left - 1))
  sleep 0.5
done
