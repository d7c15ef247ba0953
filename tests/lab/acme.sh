# Let's Encrypt's own test CA on the lab's side of the bridge, and the DNS server that it asks.

acme_tools() {
  local tool
  for tool in pebble pebble-challtestsrv openssl curl; do
    command -v "$tool" >/dev/null || die "--acme needs $tool (Debian packages: pebble, openssl, curl)"
  done
}

acme_up() {
  local folder=$state/acme first
  first=$(cat "$state/servers/srv1/address")
  mkdir -p "$folder"
  authority "$folder"
  cat >"$folder/pebble.json" <<JSON
{ "pebble": { "listenAddress": "$net.1:14000", "managementListenAddress": "$net.1:15000",
  "certificate": "$folder/leaf.pem", "privateKey": "$folder/leaf.key", "httpPort": 80, "tlsPort": 443,
  "ocspResponderURL": "", "externalAccountBindingRequired": false, "domainBlocklist": ["refused.lab.test"] } }
JSON
  # Names that nobody mapped lead to the first server.
  in_background challtestsrv pebble-challtestsrv -defaultIPv4 "$first" -defaultIPv6 "" -dns01 "$net.1:8053" \
    -http01 "" -https01 "" -tlsalpn01 "" -management "$net.1:8055"
  PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=0 in_background pebble pebble -config "$folder/pebble.json" -dnsserver "$net.1:8053"
  await_port "$net.1" 15000 pebble
  await_port "$net.1" 8055 challtestsrv
  curl --silent --show-error --fail --cacert "$folder/ca.pem" --output "$folder/issuer.pem" "https://$net.1:15000/roots/0"
}

# What certbot has to trust to speak with the CA; `issuer.pem` is what signs the certificates it hands out.
authority() {
  local folder=$1
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=lab" \
    -keyout "$folder/ca.key" -out "$folder/ca.pem" 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=acme.lab" \
    -keyout "$folder/leaf.key" -out "$folder/leaf.csr" 2>/dev/null
  openssl x509 -req -in "$folder/leaf.csr" -CA "$folder/ca.pem" -CAkey "$folder/ca.key" -CAcreateserial -days 30 \
    -extfile <(printf 'subjectAltName=IP:%s,DNS:acme.lab\n' "$net.1") -out "$folder/leaf.pem" 2>/dev/null
}

in_background() {
  local name=$1
  shift
  launch "$state/acme/$name.pid" "$@" >"$state/acme/$name.log" 2>&1 </dev/null 9>&- &
  recorded "$state/acme/$name.pid" $!
}

await_port() {
  for ((try = 0; try < 1200; try++)); do
    (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null && return 0
    sleep 0.05
  done
  tail -n 5 "$state/acme/$3.log" >&2
  die "$3 does not answer at $1:$2"
}

acme_dns() {
  [[ -d $state/acme ]] || die "this lab has no CA (tests/lab/lab up … --acme)"
  curl --silent --show-error --fail --data "{\"host\":\"$1.\"}" "http://$net.1:8055/clear-a"
  curl --silent --show-error --fail --data "{\"host\":\"$1.\",\"addresses\":[\"$2\"]}" "http://$net.1:8055/add-a"
}

acme_caa() {
  [[ -d $state/acme ]] || die "this lab has no CA (tests/lab/lab up … --acme)"
  curl --silent --show-error --fail --data "{\"host\":\"$1.\"}" "http://$net.1:8055/clear-caa"
  [[ -z $2 ]] || curl --silent --show-error --fail \
    --data "{\"host\":\"$1.\",\"policies\":[{\"tag\":\"issue\",\"value\":\"$2\"}]}" "http://$net.1:8055/add-caa"
}
