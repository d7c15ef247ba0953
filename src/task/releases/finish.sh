# The release counts from now on: its switch is confirmed, and it is marked. Then those named in $gone go.
confirm() {
  if [ -e "$folder/pending" ]; then
    [ "$(field "$folder/pending" new)" = "$release" ] || { echo "the host switches to $(field "$folder/pending" new), not to $release" >&2; exit 1; }
  fi
  [ "$(current)" = "$release" ] || { echo "the host serves $(current), not $release: the switch was undone" >&2; exit 1; }
  if [ ! -e "$releases/$release/release.json" ]; then
    mark "$release" "$revision" || exit 1
  else
    note "serves again" "$release" "" ""
  fi
  # From now on, this host has what the first release is for.
  : >"$folder/finished"
  rm -f "$folder/pending" "$folder/switch.sh"
}

# What was begun for it may go on by itself.
end_jobs() {
  for job in $(grep -lF "$releases/$1/" /run/towline/jobs/*/script 2>/dev/null); do
    job=${job%/script}
    systemctl stop "${job##*/}" 2>/dev/null
    rm -rf "$job"
  done
}

prune() {
  [ "$1" != "$(current)" ] && [ -n "$1" ] || return 0
  # A site that stayed may include what lies in its release.
  if grep -qsF "$releases/$1/" "/etc/nginx/sites-enabled/$app"; then
    echo "$1 stays: nginx still serves a site that names it (tow run site puts that right)"
    return 0
  fi
  for unit in $(web "$1") $(others "$1"); do
    systemctl disable -q --now "$unit" 2>/dev/null
    service=${unit%.timer}
    rm -rf "/etc/systemd/system/$unit" "/etc/systemd/system/$unit.d" "/etc/systemd/system/$service.service" "/etc/systemd/system/$service.service.d"
  done
  end_jobs "$1"
  rm -rf "${releases:?}/$1" && note removed "$1" "" ""
}

# The database stands where the last release has left it, also when the folder of that one goes. Numbers only grow, and
# of two that are the same the one that is there counts.
note_schema() {
  {
    cat "$folder/schema"
    for path in "$releases"/*/schema; do
      printf '%s %s\n' "$(basename "${path%/schema}")" "$(head -n 1 "$path")"
    done
  } 2>/dev/null | grep '^[0-9]' | sort -s -n | tail -n 1 >"$folder/.schema" && mv "$folder/.schema" "$folder/schema"
}

exclusive || { echo "somebody else is at work in $folder" >&2; exit 1; }
confirm
note_schema || exit 1
for name in $gone; do prune "$name" || exit 1; done
[ -z "$gone" ] || systemctl daemon-reload
