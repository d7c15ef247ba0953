command -v bash >/dev/null 2>&1 && command -v timeout >/dev/null 2>&1 || { echo cannot; exit 0; }
# try WHAT SERVER PORT
try() {
  if timeout 5 bash -c 'exec 3<>"/dev/tcp/$1/$2"' - "$2" "$3" 2>/dev/null; then echo "open $1 $2 $3"; else echo "closed $1 $2 $3"; fi
}
# at ADDRESS: its server and port
at() {
  _s=${1%%://*}; _p=${1#*://}; _p=${_p%%/*}; _p=${_p##*@}
  case $_p in
    *:*) echo "${_p%:*} ${_p##*:}" ;;
    *) [ "$_s" = https ] && echo "$_p 443" || echo "$_p 80" ;;
  esac
}
if [ -n "$packages" ] && command -v apt-get >/dev/null 2>&1; then
  for name in $packages; do
    dpkg-query -W -f='${db:Status-Abbrev}' "$name" 2>/dev/null | grep -q '^.i' || echo "missing $name"
  done
  http= https=
  eval "$(apt-config shell http Acquire::http::Proxy https Acquire::https::Proxy 2>/dev/null)"
  lists=$(apt-get update --print-uris 2>/dev/null)
  [ -n "$lists" ] || echo no-sources
  sources=$(printf '%s\n' "$lists" | sed -n "s|^'\(https*://[^/']*\).*|\1|p" | sort -u | head -n 4)
  for source in $sources; do
    case $source in https:*) proxy=${https:-$http} ;; *) proxy=$http ;; esac
    case $proxy in ''|DIRECT) proxy=$source ;; esac
    try apt $(at "$proxy") &
  done
fi
if [ "$index" = 1 ]; then
  files="/etc/pip.conf /etc/xdg/pip/pip.conf $HOME/.pip/pip.conf $HOME/.config/pip/pip.conf"
  proxy=$(sed -n 's/^ *proxy *[=:] *//p' $files 2>/dev/null | tail -n 1)
  proxy=${proxy:-${https_proxy:-$HTTPS_PROXY}}
  where=${PIP_INDEX_URL:-$(sed -n 's/^ *index[-_]url *[=:] *//p' $files 2>/dev/null | tail -n 1)}
  # Nothing configured: what pip itself takes.
  [ -n "$where" ] || where=$(python3 -I -B -c 'import glob, sys
sys.path[:0] = glob.glob("/usr/share/python-wheels/pip-*.whl")
from pip._internal.models.index import PyPI
print(PyPI.simple_url)' 2>/dev/null)
  if [ -n "$where" ]; then
    case $proxy in '') ;; *://*) where=$proxy ;; *) where=http://$proxy ;; esac
    try pip $(at "$where") &
  else
    echo 'index unknown'
  fi
fi
