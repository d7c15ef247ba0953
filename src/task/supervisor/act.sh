ctl() { "$bin"supervisorctl -c "$root/supervisord.conf" "$@"; }
fail() {
  echo "$program: the last lines of $log:" >&2
  tail -n 20 "$log" >&2 2>/dev/null || :
  echo "$1" >&2
  exit 1
}
state() { ctl status "$program" 2>&1 | tail -n 1; }
running() { ctl pid >/dev/null 2>&1; }
if [ "$action" = stop ]; then
  running || exit 0
  ctl stop "$program" || exit 1
  exit 0
fi
if [ -n "$socket_dir" ]; then
  mkdir -m 0700 "$socket_dir" 2>/dev/null
  [ -d "$socket_dir" ] && [ ! -L "$socket_dir" ] && [ -O "$socket_dir" ] || { echo "$socket_dir belongs to somebody else" >&2; exit 1; }
fi
if [ "$renew" = yes ] && old=$(cat "$root/supervisord.pid" 2>/dev/null) && kill -TERM "$old" 2>/dev/null; then
  left=100
  while [ "$left" -gt 0 ] && kill -0 "$old" 2>/dev/null; do left=$((left - 1)); sleep 0.5; done
fi
fresh=no
if ! running; then
  fresh=yes
  # It leaves our session by itself; nothing of ours may stay open in it.
  (cd / && exec "$bin"supervisord -c "$root/supervisord.conf" </dev/null >"$root/log/start.log" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-) || {
    cat "$root/log/start.log" >&2
    echo "supervisord did not start" >&2
    exit 1
  }
  left=40
  until running; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || { tail -n 20 "$root/log/supervisord.log" >&2; echo "supervisord did not start" >&2; exit 1; }
    sleep 0.25
  done
fi
before=$(state | sed -n 's/.* pid \([0-9]*\),.*/\1/p')
ctl reread >/dev/null && ctl update "$program" >/dev/null || { echo "supervisor does not take the configuration of $program" >&2; ctl reread >&2; exit 1; }
now=$(state)
case $now in
  *" RUNNING "* | *" STARTING "*)
    pid=$(printf '%s\n' "$now" | sed -n 's/.* pid \([0-9]*\),.*/\1/p')
    if [ "$action" = restart ] && [ "$fresh" = no ] && [ -n "$pid" ] && [ "$pid" = "$before" ]; then
      ctl restart "$program" >/dev/null 2>&1
    fi ;;
  *" STARTING"*) ;;
  *) ctl start "$program" >/dev/null 2>&1 ;;
esac
left=$patience
while :; do
  now=$(state)
  case $now in
    *" RUNNING "*) break ;;
    *" FATAL "* | *" EXITED "*) fail "$now" ;;
  esac
  left=$((left - 1))
  [ "$left" -gt 0 ] || fail "$now"
  sleep 0.5
done
pid=$(printf '%s\n' "$now" | sed -n 's/.* pid \([0-9]*\),.*/\1/p')
left=$polls
while [ "$left" -gt 0 ]; do
  sleep 0.5
  kill -0 "$pid" 2>/dev/null || fail "$program does not stay up: $(state)"
  left=$((left - 1))
done
now=$(state)
case $now in
  *" RUNNING "*" pid $pid,"*) echo "$now" ;;
  *) fail "$program does not stay up: $now" ;;
esac
