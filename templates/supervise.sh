#!/bin/sh
# supervise.sh APP ROOT RELEASE "PROGRAM …": the release runs under Supervisor. Where it does not, what ran before runs again.
app=$1 root=$2 release=$3 programs=$4
conf=/etc/supervisor/conf.d/$app.conf new=$2/releases/$3/supervisor.conf
before=$(basename "$(readlink "$root/current" 2>/dev/null)" 2>/dev/null)

# Supervisor reads the file as a whole: a mistake in it is found before anything is stopped.
take() { cp "$1" "$conf.new" && mv "$conf.new" "$conf" && supervisorctl reread >/dev/null; }

runs() {
  for program in $1; do
    status=
    for try in $(seq 60); do
      status=$(supervisorctl status "$program")
      case $status in
        *RUNNING*) continue 2 ;;
        *STARTING* | *STOPPING* | *BACKOFF*) sleep 0.5 ;;
        *FATAL*) break ;;
        *) supervisorctl start "$program" >/dev/null ;;
      esac
    done
    printf '%s\n' "$status" "the end of /var/log/supervisor/$program.log:" >&2
    tail -n 40 "/var/log/supervisor/$program.log" >&2
    return 1
  done
}

names() { sed -n 's/^\[\(fcgi-\)\{0,1\}program:\(.*\)\]$/\2/p' "$1" | tr '\n' ' '; }

begin() { # programs
  supervisorctl stop $1 >/dev/null 2>&1
  # Also those that are no more.
  supervisorctl update $(names "$conf.old" 2>/dev/null) $1 >/dev/null && runs "$1"
}

timers() { # of the release $1: those, and none of the one before
  old= now=
  [ ! -f "$root/releases/$before/units" ] || old=$(grep -Ex "$app-[A-Za-z0-9_.-]+@$before\.timer" "$root/releases/$before/units")
  [ ! -f "$root/releases/$1/units" ] || now=$(grep -Ex "$app-[A-Za-z0-9_.-]+@$1\.timer" "$root/releases/$1/units")
  if [ "$before" != "$1" ] && [ -n "$old" ]; then systemctl disable -q --now $old; fi
  [ -z "$now" ] || systemctl enable -q --now $now
}

# A rollback leads to what served before.
noted() {
  folder=/var/lib/towline/$app
  [ -n "$before" ] && [ "$before" != "$release" ] && [ -d "$folder" ] || return 0
  said() { sed -n "s/^$1=//p" "$folder/lock/info" 2>/dev/null | tr -d '"\\'; }
  printf '{"at":"%s","run":"%s","by":"%s","event":"switched","release":"%s","before":"%s","why":""}\n' \
    "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(said run)" "$(said holder)" "$release" "$before" >>"$folder/journal.jsonl"
}

# What a release of an earlier version was served with stays its site.
site=/etc/nginx/sites-enabled/$app
if [ -n "$before" ] && [ -e "$site" ] && [ ! -e "$root/releases/$before/site" ]; then
  cp "$site" "$root/releases/$before/.site" && chmod 0644 "$root/releases/$before/.site" &&
    mv "$root/releases/$before/.site" "$root/releases/$before/site" || exit 1
fi
rm -f "$conf.old"
[ ! -e "$conf" ] || cp -p "$conf" "$conf.old" || exit 1
if take "$new" && begin "$programs" && timers "$release"; then
  rm -f "$conf.old"
  # Whatever is newer than this file was not there when they started.
  touch "/var/log/supervisor/$app.started"
  noted
  exit 0
fi
if [ -e "$conf.old" ]; then
  old=$(names "$conf.old")
  take "$conf.old" && supervisorctl stop $old >/dev/null 2>&1
  supervisorctl update $old $programs >/dev/null && runs "$old" && echo "what ran before runs again" >&2
  rm -f "$conf.old"
else
  supervisorctl stop $programs >/dev/null 2>&1
  rm -f "$conf"
  supervisorctl reread >/dev/null && supervisorctl update $programs >/dev/null
fi
exit 1
