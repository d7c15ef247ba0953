PATH=$PATH:/snap/bin
failed=$folder/tow-failed-$name owed=$folder/tow-owed-$name
umask 022
mkdir -p "$webroot/.well-known/acme-challenge" || exit 1

# Our own server must give what is in the webroot, or the authority's question is lost already.
if [ "$check_port" != 0 ] && command -v python3 >/dev/null 2>&1; then
  token=tow-$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n') probe=$webroot/.well-known/acme-challenge/
  echo "$token" >"$probe$token"
  trap 'rm -f "$probe$token"' 0
  for domain in $domains; do
    answer=$(python3 - "$domain" "$check_port" "$token" 2>&1 <<'PY'
import http.client, sys
domain, port, token = sys.argv[1:]
try:
    link = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
    link.request("GET", "/.well-known/acme-challenge/" + token, headers={"Host": domain})
    answer = link.getresponse()
    same = answer.read(4096).decode("latin-1").strip() == token
    print("ok" if same else "it answers %d %s" % (answer.status, answer.getheader("Location") or ""))
except OSError as error:
    print(error)
PY
)
    [ "$answer" = ok ] || {
      echo "the web server of this host does not serve $webroot for $domain: http://127.0.0.1:$check_port/.well-known/acme-challenge/… with Host: $domain: $answer" >&2
      echo "the authority was not asked" >&2
      exit 1
    }
  done
  rm -f "$probe$token"
fi

# Its timer may be at work, and only one certbot can be; that is no refusal of the authority's.
for wait in $(seq 120); do
  pgrep -x certbot >/dev/null 2>&1 || break
  sleep 1
done

if [ "$rehearse" = yes ]; then
  ask --server "$server" --dry-run || {
    echo "the rehearsal on the staging server failed: look at the domain's DNS records and at the firewall; nothing counted against the real limits" >&2
    exit 1
  }
fi
# Only what is from this authority may be kept.
renew=
was=$(sed -n 's/^server = //p' "$folder/renewal/$name.conf" 2>/dev/null)
[ -z "$was" ] || [ "$was" = "$server" ] || renew=--force-renewal
pem=$folder/live/$name/fullchain.pem
[ ! -s "$pem" ] || [ -n "$renew" ] || openssl x509 -in "$pem" -noout -checkend 0 >/dev/null 2>&1 || renew=--force-renewal
# Noted before there can be a new one, so that whoever comes next knows, however this ends.
if [ -e "$owed" ]; then before=owed; else before=settled; fi
[ -z "$hook" ] || : >"$owed" || exit 1
ask --server "$server" $renew || {
  [ $before = owed ] || rm -f "$owed"
  date +%s >>"$failed"
  echo "the authority did not give a certificate; its reasons are above" >&2
  exit 1
}
rm -f "$failed"
