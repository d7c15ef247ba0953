PATH=$PATH:/snap/bin
echo "now $(date +%s)"
! command -v certbot >/dev/null 2>&1 || echo "certbot yes"
sed -n 's/^server = /server /p' "$folder/renewal/$name.conf" 2>/dev/null
sed -n 's/^\([0-9][0-9]*\)$/failed \1/p' "$folder/tow-failed-$name" 2>/dev/null
[ ! -e "$folder/tow-owed-$name" ] || echo "owed yes"
pem=$folder/live/$name/fullchain.pem
if [ -s "$pem" ] && command -v openssl >/dev/null 2>&1; then
  openssl x509 -in "$pem" -noout -ext subjectAltName 2>/dev/null | tr ',' '\n' | sed -n 's/^ *DNS:/name /p'
  dates=$(openssl x509 -in "$pem" -noout -startdate -enddate)
  for pair in notBefore:begins notAfter:ends; do
    at=$(printf '%s\n' "$dates" | sed -n "s/^${pair%:*}=//p")
    echo "${pair#*:} $(date -u -d "$at" +%s)"
  done
fi
exit 0
