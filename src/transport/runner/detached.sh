# A command as a unit of systemd, which goes on when the link is lost. Wants $key (what it is), $unit (what it may be
# called), $limit (its seconds), $hear ("yes": one that has ended well and was not heard of counts; "any": however it has
# ended), $codes (which are well), script() and, with $fed, its stdin as 3; $_X is the shell that acts as its account.
shell=$_X
unset _X
umask 077
jobs=/run/towline/jobs
cd / && mkdir -p -m 0755 /run/towline && mkdir -p -m 0700 $jobs || exit 1
# Ctrl-C and the end of its time end it; a link that is lost (HUP, PIPE) only ends the waiting.
trap '[ -z "$job" ] || { systemctl stop "${job##*/}"; rm -rf "$job"; }; exit 143' TERM INT
trap 'exit 129' HUP PIPE

# A result that nobody has come for, and may yet.
waits() { [ -e "$1/hear" ] && [ -n "$(find "$1/code" -size +0 -mmin -60)" ]; }

# The one that there is, as $job; what others have left is removed.
find_it() {
  for at in $jobs/*/; do
    at=${at%/}
    read -r was <"$at/key" || continue
    case $(systemctl is-active "${at##*/}") in
      active | activating | deactivating) [ "$was" != "$key" ] || job=$at ;;
      *)
        if [ "$was" = "$key" ] && [ "$hear" = any ] && [ -s "$at/code" ]; then job=$at
        elif [ "$was" = "$key" ] && [ -n "$hear" ] && waits "$at"; then
          read -r ended <"$at/code"
          case " $codes " in *" $ended "*) job=$at ;; *) rm -rf "$at" ;; esac
        elif [ "$was" = "$key" ] || ! waits "$at"; then
          rm -rf "$at"
        fi ;;
    esac
  done 2>/dev/null
}

# What is secret is in its files alone, and those go when it ends, however it does.
begin() {
  job=$jobs/$unit
  mkdir "$job" && echo "$key" >"$job/key" && script >"$job/script" && { export -p && printf "shell='%s'\n" "$shell"; } >"$job/env" &&
    : >"$job/stdin" && : >"$job/out" && : >"$job/err" && : >"$job/code" && { [ -z "$keep" ] || : >"$job/hear"; } &&
    { [ -z "$fed" ] || cat <&3 >"$job/stdin"; } &&
    systemd-run --quiet --collect --service-type=exec --unit="$unit" --description="what tow has begun" -p "WorkingDirectory=$job" \
      -p "RuntimeMaxSec=$limit" -p TimeoutStopSec=3 -p OOMPolicy=continue -p "ExecStopPost=/bin/rm -f $job/script $job/stdin $job/env" \
      /bin/sh -c '. ./env; exec 9>code >>out 2>>err 3<stdin 4<script; umask 022; cd "$HOME" 2>/dev/null || cd /; $shell <&4 4<&- 9>&-; echo $? >&9' ||
    { rm -rf "$job"; exit 1; }
}

exec 8<$jobs && flock 8 || exit 1
find_it
if [ -n "$job" ]; then echo "this was begun before, over a link that was lost" >&2; else begin; fi
exec 7<"$job/code" 8<&-
# Its output while it runs; what was opened is read to its end, whoever removes it.
pid=$(systemctl show -p MainPID --value "${job##*/}")
if [ "${pid:-0}" != 0 ]; then
  tail -c +1 -f -s 0.2 --pid="$pid" "$job/out" &
  tail -c +1 -f -s 0.2 --pid="$pid" "$job/err" >&2 &
  wait
  ! kill -s 0 "$pid" 2>/dev/null || exit 129
else
  cat "$job/out"; cat "$job/err" >&2
fi
read -r ended <&7 || ended=143
exit "$ended"
