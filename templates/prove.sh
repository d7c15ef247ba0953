#!/bin/sh
# prove.sh APP RELEASE DOMAIN PATH STATUSES: the release runs under its own unit's settings, but on its own socket only,
# and has to answer with one of the statuses there. Nothing of it stays.
app=$1 release=$2 domain=$3 path=$4
good=$(printf %s "$5" | tr -cs 0-9 " ")
code= real=/etc/systemd/system/$app@$release.service unit=$app-prove@$release.service at=/run/systemd/system
clean() {
  systemctl stop "$unit" "$app-probe@$release.socket"
  rm -rf "${at:?}/$unit" "$at/$unit.d"
  systemctl daemon-reload
  systemctl reset-failed "$unit"
} 2>/dev/null
trap clean 0
trap 'exit 129' 1 2 15
mkdir -p "$at" || exit 1
sed -e "s/ *$app\.socket//g" -e 's/^Restart=.*/Restart=no/' "$real" >"$at/$unit" || exit 1
[ ! -d "$real.d" ] || cp -r "$real.d" "$at/$unit.d" || exit 1
systemctl daemon-reload || exit 1
if systemctl start "$unit"; then
  said=$(curl --silent --show-error --max-time 60 --unix-socket "/run/$app-probe-$release.sock" --header "Host: $domain" \
    --header "X-Forwarded-Proto: https" --write-out '\n%{http_code}' "http://localhost$path" 2>&1)
  code=$(printf '%s\n' "$said" | tail -n 1)
  case " $good " in *" $code "*) exit 0 ;; esac
fi
echo "the last lines of its journal:" >&2
timeout 5 journalctl --sync 2>/dev/null
told=$(journalctl -u "$unit" -n 300 --no-pager -o cat)
printf '%s\n' "$told" | tail -n 30 >&2
# gunicorn's own end may be longer than that; what ended its workers is said once more.
printf '%s\n' "$told" | awk 'before ~ /^[ \t]/ && /^[A-Za-z_][A-Za-z0-9_.]*(: |$)/ && !/^gunicorn\.errors/ { why = $0 }
  { before = $0 } END { if (why) print why }' >&2
# Last, for of much that was said the end is shown.
if [ -n "$code" ]; then
  printf '%s\n' "$said" | sed '$d' | head -c 1000 >&2
  echo >&2
  case $code in
    000) echo "$path gives no answer" >&2 ;;
    *) echo "$path answers with $code, and has to answer $(echo $good | sed "s/ /, /g")" >&2 ;;
  esac
fi
exit 1
