# `must`: the lists that are there are not good enough. Another apt-get may be fetching lists, as a fresh server's own
# does; for that lock, unlike dpkg's, apt does not wait.
refresh() {
  left=150
  while :; do
    code=0
    { said=$($apt_get -o APT::Update::Error-Mode=any update 2>&1 >&3) || code=$?; } 3>&1
    case $said in *lists/lock*) ;; *) break ;; esac
    [ "$left" -gt 0 ] || break
    [ "$left" -lt 150 ] || echo 'waiting: another apt-get is fetching package lists'
    left=$((left - 1))
    sleep 2
  done
  [ -z "$said" ] || printf '%s\n' "$said" >&2
  if [ "$code" = 0 ]; then
    touch /var/lib/apt/lists
  elif [ "$must" ] || ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
    echo 'the package lists cannot be fetched' >&2
    exit "$code"
  else
    echo 'the package lists cannot be fetched: going on with those that are there' >&2
  fi
}
