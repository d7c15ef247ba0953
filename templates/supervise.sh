#!/bin/sh
# supervise.sh FOLDER-OF-LOGS "PROGRAM …": Supervisor takes what changed in its configuration, and the programs run.
logs=$1
supervisorctl reread && supervisorctl update $2 || exit 1
for program in $2; do
  for try in $(seq 60); do
    status=$(supervisorctl status "$program")
    case $status in
      *RUNNING*) continue 2 ;;
      *STARTING* | *STOPPING* | *BACKOFF*) sleep 0.5 ;;
      *FATAL*) [ "$try" = 1 ] || break; supervisorctl start "$program" ;;
      *) supervisorctl start "$program" ;;
    esac
  done
  printf '%s\n' "$status" "the end of $logs/$program.log:" >&2
  tail -n 40 "$logs/$program.log" >&2
  exit 1
done
