# What there is of the application, a line each.
state() {
  now=$(current)
  printf 'current=%s\n' "$now"
  [ -z "$now" ] || printf 'unit=%s\nsince=%s\n' "$(systemctl is-active "$(web "$now")" 2>/dev/null)" \
    "$(systemctl show -p ActiveEnterTimestamp --value "$(web "$now")" 2>/dev/null)"
  [ ! -s "$folder/schema" ] || printf 'schema=%s\n' "$(cat "$folder/schema")"
  [ ! -s "$folder/schema.back" ] || printf 'back=%s\n' "$(head -c 4096 "$folder/schema.back" | head -n 1)"
  for path in "$releases"/*/; do
    [ -d "$path" ] || continue
    name=$(basename "$path")
    printf 'release=%s %s\n' "$name" "$(head -c 4096 "$path/release.json" 2>/dev/null | tr -d '\n')"
    [ ! -f "$path/schema" ] || printf 'schema=%s %s\n' "$name" "$(head -n 1 "$path/schema" | head -c 4096)"
  done
  [ ! -e "$folder/pending" ] ||
    printf 'pending=%s\nbefore=%s\n' "$(field "$folder/pending" new)" "$(field "$folder/pending" old)"
  if [ -e "$folder/lock" ]; then held; fi
  if [ -e "$folder/intent" ]; then
    sed 's/^/intent./' "$folder/intent"
    begun=$(field "$folder/intent" at)
    printf 'intent.age=%s\n' "$(($(date +%s) - ${begun:-0}))"
  fi
  [ ! -s "$folder/handlers" ] || printf 'handlers=%s\n' "$(head -c 65536 "$folder/handlers" | tr -d '\n')"
  tail -n 1 "$folder/journal.jsonl" 2>/dev/null | sed 's/^/journal=/'
  [ -z "$now" ] || sed -n 's/.*"event":"switched","release":"'"$now"'","before":"\([^"]*\)".*/instead=\1/p' \
    "$folder/journal.jsonl" 2>/dev/null | grep -vxF "instead=$now" | tail -n 1
  # What the probe of this run's own switch has found.
  [ -z "$run" ] || grep -F "\"run\":\"$run\"" "$folder/journal.jsonl" 2>/dev/null |
    sed -n 's/.*"event":"switched","release":"'"$now"'".*"why":"\([^"]*\)"}$/probed=\1/p' | tail -n 1
}
