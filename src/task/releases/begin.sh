folder=/var/lib/towline/$app
mkdir -p -m 0755 /var/lib/towline "$folder" || exit 1
[ ! -e "$folder/pending" ] || { echo "a switch of a run before is not settled: it is undone within two minutes" >&2; exit 1; }
# For root alone: what is asked for may hold a secret.
(umask 077 && cat >"$folder/.switch") && mv "$folder/.switch" "$folder/switch.sh" || exit 1
# It may show the end of a release's journal, which is not for all to read.
rm -f "$folder/switch.log" && (umask 077 && : >"$folder/switch.log") || exit 1
systemd-run --quiet --wait --collect --unit="tow-switch-$app" -p "StandardOutput=truncate:$folder/switch.log" \
  -p "StandardError=append:$folder/switch.log" /bin/sh "$folder/switch.sh" switch
code=$?
cat "$folder/switch.log" >&2
exit "$code"
