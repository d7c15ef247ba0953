# What a run is about to do, kept until it has ended well: `tow resume` goes on with it. Wants $run and $holder.

ours() { [ "$(field "$folder/lock/info" run)" = "$run" ]; }

# keep FILE: what is on stdin, on the disk before it has its name.
keep() {
  cat >"$folder/.$1" && sync "$folder/.$1" && mv "$folder/.$1" "$folder/$1" && sync "$folder" && return
  rm -f "$folder/.$1"
  return 1
}

# Wants $work and the $release that it is about as well.
begin_work() {
  ours || { echo "error=the lock is not this run's any more"; return; }
  was=$(field "$folder/intent" release) who=$(field "$folder/intent" run)
  printf 'run=%s\nholder=%s\nat=%s\nrelease=%s\nwork=%s\n' "$run" "$(plain "$holder")" "$(date +%s)" "$release" "$work" | keep intent ||
    { echo "error=cannot write $folder/intent"; return; }
  why=
  if [ -n "$who" ] && [ "$was" = "$release" ]; then
    why="goes on with run $who"
  elif [ -n "$who" ]; then
    note dropped "$was" "" "run $who has not ended it"
  fi
  note began "$release" "$(current)" "$why"
}

# end_work HOW: well, failed, interrupted or lost.
end_work() {
  [ "$(field "$folder/intent" run)" = "$run" ] || return 0
  was=$(field "$folder/intent" release)
  if [ "$1" != well ]; then
    { grep -v '^ended=' "$folder/intent"; echo "ended=$1"; } | keep intent
    note "$1" "$was" "" ""
    return
  fi
  rm -f "$folder/intent"
  # Where nothing had to be done, nothing has said so yet.
  case $(tail -n 1 "$folder/journal.jsonl") in *'"event":"began"'*) note done "$was" "" "" ;; esac
}

# Handlers that were notified and did not run, in $handlers: the next run that holds the lock runs them.
put_handlers() {
  ours || return 0
  if [ "$handlers" = '{}' ]; then rm -f "$folder/handlers"; else (umask 077 && printf '%s\n' "$handlers" | keep handlers); fi
}
