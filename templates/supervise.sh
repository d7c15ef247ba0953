#!/bin/sh
# supervise.sh FOLDER-OF-LOGS "PROGRAM …": the programs are started, with what Supervisor's configuration says now.
logs=$1
supervisorctl stop $2 >/dev/null 2>&1
supervisorctl reread && supervisorctl update $2 || exit 1
for program in $2; do
  for try in $(seq 60); do
    status=$(supervisorctl status "$program")
    case $status in
      *RUNNING*) continue 2 ;;
      *STARTING* | *STOPPING* | *BACKOFF*) sleep 0.5 ;;
      *FATAL*) break ;;
      *) supervisorctl start "$program" ;;
    esac
  done
  printf '%s\n' "$status" "the end of $logs/$program.log:" >&2
  tail -n 40 "$logs/$program.log" >&2
  exit 1
done
# Whatever is newer than this file was not there when they started.
touch "$logs/.supervised"
