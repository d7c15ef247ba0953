file=$($psql -c 'SHOW hba_file') && [ -w "$file" ] || { echo "cannot write pg_hba.conf" >&2; exit 1; }
umask 077
cp -p "$file" "$file.tow~" && cp -p "$file" "$file.tow-old~" || exit 1
[ -z "$(tail -c 1 "$file")" ] || echo >>"$file.tow~"
for line in "$@"; do printf '# Written by tow.\n%s\n' "$line" >>"$file.tow~" || exit 1; done
sync "$file.tow~" 2>/dev/null
mv -f "$file.tow~" "$file" || exit 1
wrong=$($psql -c "SELECT line_number || ': ' || error FROM pg_hba_file_rules WHERE error IS NOT NULL")
if [ -n "$wrong" ]; then
  mv -f "$file.tow-old~" "$file"
  printf '%s\n' "$file: PostgreSQL finds line $wrong" "the file is as it was" >&2
  exit 1
fi
rm -f "$file.tow-old~"
$psql -c 'SELECT pg_reload_conf()' >/dev/null
