# The rest of switch.sh: runs as a unit of its own, so that it comes to its end when the link is lost.
switch() {
  exclusive || { echo "somebody else is at work in $folder" >&2; exit 1; }
  [ ! -e "$folder/pending" ] || { echo "a switch of a run before is not settled: see $folder/pending" >&2; exit 1; }
  [ -d "$releases/$release" ] || { echo "there is no $releases/$release" >&2; exit 1; }
  old=$(current)
  # Somebody has taken `current` away: what answers all the same is what is gone back to.
  [ -n "$old" ] && [ -d "$releases/$old" ] || old=$(at_work "$release" | tail -n 1)
  [ -d "$releases/$old" ] || old=
  if site_differs "$release" && ! nginx_site "$release" tested; then
    echo "nginx does not take the site of $release; ${old:-nothing} serves, as before" >&2
    exit 1
  fi
  run=$(field "$folder/lock/info" run)
  printf 'old=%s\nnew=%s\nrun=%s\nat=%s\n' "$old" "$release" "$run" "$(uptime_now)" >"$folder/.pending" &&
    sync "$folder/.pending" && mv "$folder/.pending" "$folder/pending" || exit 1
  note switching "$release" "$old" ""
  # That of the switch before may still be asleep, and has nothing left to watch.
  systemctl stop "tow-watchdog-$app.service" 2>/dev/null
  systemctl reset-failed "tow-watchdog-$app.service" 2>/dev/null
  systemd-run --quiet --collect --unit="tow-watchdog-$app" /bin/sh "$folder/switch.sh" watch || exit 1
  begin_probe "$release" "$old"
  if move "$release" "$old"; then
    end_probe
    if [ -z "$fault" ]; then
      note switched "$release" "$old" "$figures"
      exit 0
    fi
    why="$figures; $fault"
    echo "$release does not answer as it has to: $why" >&2
  else
    end_probe now
    why="nginx did not take its site"
    if [ -z "$site_refused" ]; then
      why="it did not come up"
      echo "$(web "$release") does not come up; the last lines of its journal:" >&2
      timeout 5 journalctl --sync 2>/dev/null
      journalctl -u "$(web "$release")" -n 30 --no-pager -o cat >&2
    fi
  fi
  if revert "$why"; then
    echo "${old:-nothing} serves, as before" >&2
    exit 1
  fi
  echo "and ${old:-the host} could not be put back: look at it" >&2
  exit 6
}

# Its run gave no sign of life for too long.
silent() {
  seen=$(field "$folder/pending" at)
  if [ "$(field "$folder/lock/info" run)" = "$(field "$folder/pending" run)" ]; then
    beat=$(cat "$folder/lock/beat" 2>/dev/null)
    [ "${beat:-0}" -le "$seen" ] || seen=$beat
  fi
  [ $(($(uptime_now) - seen)) -gt "$patience" ]
}

# Until the switch is confirmed: without a sign of life of its run, it is undone.
watch() {
  while sleep 2; [ -e "$folder/pending" ]; do
    silent && exclusive || continue
    # The run may have come back while the guard was waited for.
    if [ -e "$folder/pending" ] && silent; then
      [ "$(field "$folder/lock/info" run)" != "$(field "$folder/pending" run)" ] || end_left_behind
      revert "nobody confirmed it"
    fi
    exec 9>&-
  done
}

"$1"
