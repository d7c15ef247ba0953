#!/bin/sh
# supervise.sh MARK "PROGRAM …": the programs are started, with what Supervisor's configuration says now.
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
  printf '%s\n' "$status" "the end of /var/log/supervisor/$program.log:" >&2
  tail -n 40 "/var/log/supervisor/$program.log" >&2
  exit 1
done
# Whatever is newer than this file was not there when they started.
touch "$1"
