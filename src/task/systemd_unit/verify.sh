command -v systemd-analyze >/dev/null 2>&1 || exit 0
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' 0
trap 'exit 129' 1 2 15
if [ "$drop_in" = yes ]; then
  for at in /etc/systemd/system /run/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
    [ ! -f "$at/$unit" ] || { cat "$at/$unit" >"$dir/$unit"; break; }
  done
  # Nothing to add to yet, or an instance: systemd will say what it thinks when it reads it.
  [ -f "$dir/$unit" ] || exit 0
  mkdir "$dir/$unit.d" && file=$dir/$unit.d/$name
else
  file=$dir/$name
fi
cat >"$file" || exit 1
said=$(systemd-analyze verify --man=no "$dir/$unit" 2>&1)
# Only what is wrong with this text counts: other units and programs may be about to come. What systemd does as it is
# told although it would not do so itself, or knows by another name, is not wrong; what it ignores is.
wrong=$(printf '%s\n' "$said" | grep -F -e "$file:" -e "Refusing." -e "bad unit file setting" | sed -E -e "s|$file|$path|g" \
  -e '/[Ii]gnor/b' \
  -e '/[Tt]his is (not safe|unsafe)|is obsolete, automatically updating|below legacy directory|; please use .* instead/d')
[ -z "$wrong" ] || {
  printf '%s\n' "$wrong" "tow does not write it: systemd ignores or refuses this (by hand it ends with 0 where it only ignores)" >&2
  exit 1
}
