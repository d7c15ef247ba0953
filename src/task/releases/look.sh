# Whether the source of what serves is no longer what was finished. All of it is read only where something is newer.
edited() {
  mark=$releases/$now/release.json src=$releases/$now/src
  was=$(sed -n 's/.*"digest":"\([0-9a-f]*\)".*/\1/p' "$mark" 2>/dev/null)
  newer() { find "$src" \( -name .git -o -name __pycache__ \) -prune -o -cnewer "$mark" "$@" -print -quit 2>/dev/null; }
  [ -n "$was" ] && [ -n "$(newer)" ] && [ "$(digest "$now")" != "$was" ] || return 0
  at=$(newer ! -type d)
  at=${at:-$src}
  printf 'edited=%s\n' "$(plain "${at#"$releases/$now/"}")"
}

# What a look at the application adds to its state, a line each.
look() {
  now=$(current)
  printf 'now=%s\n' "$(date +%s)"
  if [ -n "$now" ]; then
    printf 'up=%s\n' "$(date -d "$(systemctl show -p ActiveEnterTimestamp --value "$(web "$now")" 2>/dev/null)" +%s 2>/dev/null)"
    edited
    # Only read: a checkout that stands at a commit says which.
    printf 'head=%s\n' "$(head -c 64 "$releases/$now/src/.git/HEAD" 2>/dev/null | tr -cd '[:alnum:]')"
  fi
  grep -v '"event":"removed"' "$folder/journal.jsonl" 2>/dev/null | tail -n 1 | sed 's/^/last=/'
  pem=/etc/letsencrypt/live/$app/fullchain.pem
  if [ -e "$pem" ]; then
    end=$(openssl x509 -noout -enddate -in "$pem" 2>/dev/null)
    printf 'certificate=%s\n' "$([ -z "$end" ] || date -d "${end#notAfter=}" +%s 2>/dev/null)"
  fi
  { df -Pk "$root" 2>/dev/null || df -Pk /; } | tail -n 1 | { read -r _ all _ free _ && printf 'disk=%s %s\n' "$free" "$all"; }
}
