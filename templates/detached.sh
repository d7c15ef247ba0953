#!/bin/sh
# detached.sh JOB USER FOLDER SECONDS COMMAND: runs COMMAND as a unit of systemd, which goes on when the link is lost.
# Whoever comes next with the same JOB waits for it and hears how it ended. What ended well is not done again until
# somebody has heard of it, and says so: detached.sh JOB.
unit=tow-job-$1 user=$2 folder=$3 limit=$4 command=$5
place=/var/lib/towline/jobs
log=$place/$1.log code=$place/$1.code asked=$place/$1.command
if [ $# = 1 ]; then rm -f "$code"; exit; fi
mkdir -p -m 0755 /var/lib/towline && mkdir -p -m 0700 "$place" || exit 1

# Ctrl-C and the end of its time end it; a link that is lost (HUP, PIPE) only ends the waiting.
trap 'systemctl stop "$unit"; exit 143' TERM INT
trap 'exit 129' HUP PIPE

runs() { case $(systemctl is-active "$unit") in active | activating | deactivating) return 0 ;; esac; return 1; }

begin() {
  rm -f "$code" && : >"$log" && printf %s "$command" >"$asked" || return 1
  systemd-run --quiet --collect --unit="$unit" -p "RuntimeMaxSec=$limit" -p UMask=0027 \
    -p "StandardOutput=append:$log" -p "StandardError=append:$log" /bin/sh -c '
      HOME=$(getent passwd "$1" | cut -d : -f 6) USER=$1 LOGNAME=$1
      export HOME USER LOGNAME
      runuser -u "$1" -- /bin/sh -c "cd \"\$1\" && eval \"\$2\"" sh "$2" "$3"
      echo $? >"$4.new" && mv "$4.new" "$4"' sh "$user" "$folder" "$command" "$code"
}

# What it says, until it has ended; then how.
hear() {
  seen=0
  while :; do
    more=$(runs && echo yes)
    size=$(wc -c <"$log")
    [ "$size" -le "$seen" ] || tail -c "+$((seen + 1))" "$log" | head -c "$((size - seen))"
    seen=$size
    [ -n "$more" ] || break
    sleep 0.2
  done
  ended=$(cat "$code" 2>/dev/null || echo 143)
}

same=
[ "$(cat "$asked" 2>/dev/null)" != "$command" ] || same=yes
if runs; then
  echo "a run before, whose link was lost, has begun this: its end is waited for"
  hear
  [ -z "$same" ] || exit "$ended"
elif [ -e "$code" ]; then
  echo "a run before has begun this, and has not heard how it ended:"
  hear
  [ -z "$same" ] || [ "$ended" != 0 ] || exit 0
  echo "it ended with $ended"
fi
begin || exit 1
hear
exit "$ended"
