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
# Only what is wrong with this text counts: other units and programs may be about to come.
wrong=$(printf '%s\n' "$said" | grep -F -e "$file:" -e "Refusing." -e "bad unit file setting" | sed "s|$file|$path|g")
[ -z "$wrong" ] || { printf '%s\n' "$wrong" >&2; exit 1; }
