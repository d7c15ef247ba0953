file=$($psql -c 'SHOW hba_file') && [ -w "$file" ] || { echo "cannot write pg_hba.conf" >&2; exit 1; }
umask 077
if [ $# -gt 0 ] || [ -n "$gone" ]; then
  cp -p "$file" "$file.tow~" && cp -p "$file" "$file.tow-old~" || exit 1
  mark=$mark gone=$gone awk '
    BEGIN { mark = ENVIRON["mark"]; n = split(ENVIRON["gone"], lines, "\n"); for (i = 1; i <= n; i++) drop[lines[i]] }
    marked { marked = 0; if ($0 in drop) next; print mark }
    $0 == mark { marked = 1; next }
    { print }
    END { if (marked) print mark }
  ' "$file" >"$file.tow~" || exit 1
  for line in "$@"; do printf '%s\n%s\n' "$mark" "$line" >>"$file.tow~" || exit 1; done
  sync "$file.tow~" 2>/dev/null
  mv -f "$file.tow~" "$file" || exit 1
fi
if ! wrong=$($psql -c "SELECT line_number || ': ' || error FROM pg_hba_file_rules WHERE error IS NOT NULL") || [ -n "$wrong" ]; then
  [ ! -e "$file.tow-old~" ] || mv -f "$file.tow-old~" "$file"
  [ -z "$wrong" ] || echo "$file: PostgreSQL finds line $wrong" >&2
  echo "the file is as it was" >&2
  exit 1
fi
rm -f "$file.tow-old~"
$psql -c 'SELECT pg_reload_conf()' >/dev/null || exit 1
# It is told, and reads a moment later.
for try in $(seq 100); do
  left=$(owed) || exit 1
  [ -n "$left" ] || exit 0
  sleep 0.1
done
echo "PostgreSQL was told to read $file, and has not within 10 s; its log says why" >&2
exit 1
