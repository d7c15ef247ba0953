file=$root/sites-available/$site on=$root/sites-enabled/$site changed=no
umask 022
dir=$(mktemp -d) || exit 1
if [ -e "$owed" ]; then before=owed; else before=settled; fi
undo() {
  trap '' 1 2 15
  if [ "$changed" = yes ]; then
    for at in "$file" "$on"; do
      old=$dir/old.${at#"$root/sites-"}
      if [ -e "$old" ] || [ -L "$old" ]; then cp -a "$old" "$at.tow~" && mv -fT "$at.tow~" "$at"; else rm -f "$at"; fi
    done
  fi
}
trap 'rm -rf "$dir"' 0
trap 'undo; exit 129' 1 2 15
[ "$content" != write ] || cat >"$dir/new" || exit 1

# First on a copy, whose own paths lead into the copy: a site that nginx refuses is never in place at all.
try=$dir/try
cp -RL "$root" "$try" 2>/dev/null
find "$try" -type f -exec grep -lF "$root/" {} + 2>/dev/null | while IFS= read -r f; do sed -i "s|$root/|$try/|g" "$f"; done
case $content in
  write) sed "s|$root/|$try/|g" "$dir/new" >"$try/sites-available/$site" ;;
  remove) rm -f "$try/sites-available/$site" ;;
esac
case $link in
  make) cp "$try/sites-available/$site" "$try/sites-enabled/$site" ;;
  remove) rm -f "$try/sites-enabled/$site" ;;
  keep) if [ -e "$on" ] && [ "$content" = write ]; then cp "$try/sites-available/$site" "$try/sites-enabled/$site"; fi ;;
esac || exit 1
# A site that is not served yet may name certificates that are still to come: they have a stand-in.
if [ "$until" = tested ] && [ ! -e "$on" ]; then
  sed -n 's/^[[:space:]]*ssl_certificate\(_key\)\{0,1\}[[:space:]]\{1,\}\(\/[^;]*\);.*/\2/p' "$try/sites-enabled/$site" |
    while IFS= read -r pem; do [ -e "$pem" ] || sed -i "s|$pem;|$dir/stand-in.pem;|" "$try/sites-enabled/$site"; done
  if grep -qF "$dir/stand-in.pem" "$try/sites-enabled/$site"; then
    openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=stand-in -keyout "$dir/key" -out "$dir/cert" 2>/dev/null &&
      cat "$dir/cert" "$dir/key" >"$dir/stand-in.pem"
  fi
fi
if ! said=$(nginx -t -c "$try/nginx.conf" 2>&1); then
  # A pid file of the copy's own, and the like, are no matter of the site's.
  printf '%s\n' "$said" | sed -e "s|$try|$root|g" >&2
  nginx -t -q -c "$root/nginx.conf" >/dev/null 2>&1 ||
    echo "nginx refuses its configuration even without this site: mend that first (nginx -t)" >&2
  echo "nothing was changed" >&2
  exit 1
fi
[ "$until" != tested ] || exit 0

mkdir "$dir/old.available" "$dir/old.enabled" || exit 1
for at in "$file" "$on"; do
  if [ -e "$at" ] || [ -L "$at" ]; then cp -a "$at" "$dir/old.${at#"$root/sites-"}" || exit 1; fi
done
# Noted before the first change, so that whoever comes next knows, however this ends.
echo "$site" >"$owed" && changed=yes || exit 1
ok=yes
if [ "$link" = remove ]; then rm -f "$on" || ok=no; fi
case $content in
  write) cat "$dir/new" >"$file.tow~" && chmod 0644 "$file.tow~" && sync "$file.tow~" && mv -fT "$file.tow~" "$file" || ok=no ;;
  remove) rm -f "$file" || ok=no ;;
esac
if [ "$link" = make ]; then ln -sfn "$file" "$file.tow-link~" && mv -fT "$file.tow-link~" "$on" || ok=no; fi
if [ $ok = no ] || ! said=$(nginx -t -c "$root/nginx.conf" 2>&1); then
  undo
  rm -f "$file.tow~" "$file.tow-link~"
  [ $before = owed ] || rm -f "$owed"
  printf '%s\n' "$said" "everything is as it was" >&2
  exit 1
fi

# nginx is told to reload and does it a moment later; until then its old workers answer, as if nothing had been said.
workers() { cat "/proc/$1/task/$1/children" 2>/dev/null; }
reloaded() {
  try=0
  while [ $try -lt 300 ]; do
    working=no
    for worker in $old; do
      case $(tr '\0' ' ' 2>/dev/null <"/proc/$worker/cmdline") in
        *'is shutting down'*) ;;
        'nginx: worker'*) working=yes ;;
      esac
    done
    [ $working = yes ] || return 0
    try=$((try + 1))
    sleep 0.1
  done
  echo "nginx was told to reload, and its old workers still answer after 30 s; its error log says why" >&2
  return 1
}
if [ "$root" = /etc/nginx ] && [ -d /run/systemd/system ]; then
  # What does not run reads its configuration when it starts.
  systemctl is-active -q nginx || { rm -f "$owed"; exit 0; }
  old=$(workers "$(systemctl show -p MainPID --value nginx)")
  systemctl reload nginx && reloaded && rm -f "$owed" && exit 0
else
  pid=$(nginx -T -c "$root/nginx.conf" 2>/dev/null | tr ';{}' '\n\n\n' | sed -n 's/^[[:space:]]*pid[[:space:]][[:space:]]*//p' | head -n 1)
  case $pid in '') pid=/run/nginx.pid ;; esac
  [ -s "$pid" ] && kill -0 "$(cat "$pid")" 2>/dev/null || { rm -f "$owed"; exit 0; }
  old=$(workers "$(cat "$pid")")
  kill -HUP "$(cat "$pid")" && reloaded && rm -f "$owed" && exit 0
fi
undo
[ $before = owed ] || rm -f "$owed"
echo "nginx could not be reloaded; everything is as it was" >&2
exit 1
