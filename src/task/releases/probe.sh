# The built-in probe: visitors of our own, all through a switch. Wants $probe_url ("": none), $probe_ways, $max_failed (in
# hundredths of a percent) and $max_p99 (in ms, or ""). One stays on its connection, one makes a new one for each request;
# each is one process, because many short ones would cost a small server more than the answers do.
probes=$folder/probe probing= figures= fault=

# request WAY OFTEN: what curl has to know for it. Each answer is a line: status, seconds, curl's own code, what went wrong.
request() {
  case $1 in
    # A socket speaks plain HTTP; behind it is who believes what the proxy says of the visitor.
    /*) printf 'url = "http://%s"\nunix-socket = "%s"\nheader = "X-Forwarded-Proto: %s"\n' "${probe_url#*://}$2" "$1" "${probe_url%%://*}" ;;
    *) printf 'url = "%s"\n' "$probe_url$2" && [ "$1" = url ] || printf 'connect-to = "::%s"\n' "$1" ;;
  esac
  # It is this very host: whether its certificate is good is for others to ask.
  printf '%s\n' silent insecure 'noproxy = "*"' 'output = "/dev/null"' 'max-time = 10' 'user-agent = "tow"' \
    'write-out = "%{stderr}%{http_code} %{time_total} %{exitcode} %{errormsg}\n"'
}
# An old curl must not take what limits it for a warning, as it would in a file.
visit() { exec curl -q --rate 10/s -K "$1"; }
answers() { cat "$probes/stays" "$probes/comes" | grep -E '^[0-9]{3} [0-9.]+ [0-9]+ '; }
lines() { echo $(($(cat "$probes/stays" 2>/dev/null | wc -l))) $(($(cat "$probes/comes" 2>/dev/null | wc -l))); }

# more NUMBER: so many more answers for both, also where they have to be waited for.
more() {
  set -- "$1" $(lines)
  left=60
  while [ "$left" -gt 0 ] && set -- "$1" "$2" "$3" $(lines) && { [ "$4" -lt $(($2 + $1)) ] || [ "$5" -lt $(($3 + $1)) ]; }; do
    left=$((left - 1))
    sleep 0.2
  done
}

# The first way on which there is any answer.
find_way() {
  for way in $probe_ways; do
    request "$way" "" >"$probes/config" || return 1
    (visit "$probes/config") 2>"$probes/said" 9>&-
    ! grep -q '^[1-5]' "$probes/said" || return 0
  done
  return 1
}

# begin_probe TO FROM
begin_probe() {
  [ -n "$probe_url" ] && [ -n "$2" ] && [ "$1" != "$2" ] || return 0
  command -v curl >/dev/null || { figures="no probe: there is no curl on this host"; return 0; }
  rm -rf "$probes" && mkdir -m 0700 "$probes" || return 0
  if ! find_way; then
    figures="no probe: nothing answered before the switch"
    ! grep -q '^curl:' "$probes/said" || figures="no probe: it wants curl 7.84 or newer ($(head -n 1 "$probes/said"))"
    rm -rf "$probes"
    return 0
  fi
  # Behind the `#` is what is never sent: the same request again and again.
  request "$way" '#[1-100000]' >"$probes/stays.conf" && cp "$probes/stays.conf" "$probes/comes.conf" &&
    printf '%s\n' http1.1 'header = "Connection: close"' >>"$probes/comes.conf" || return 0
  for visitor in stays comes; do
    visit "$probes/$visitor.conf" 2>"$probes/$visitor" 9>&- &
    probing="$probing $!"
  done
  more 3
  # One must be able to deploy what mends it.
  sick=$(answers | grep -v '^[1-4]' | head -n 1)
}

# end_probe: goes on for a moment behind the switch, then sums up: $figures, and $fault where it must not stay. With `now`
# nobody wants to know any more.
end_probe() {
  [ -n "$probing" ] || return 0
  if [ "$1" != now ]; then sleep 1 && more 2; fi
  kill $probing 2>/dev/null
  wait $probing 2>/dev/null
  probing=
  [ "$1" != now ] || { rm -rf "$probes"; return 0; }
  first=$(answers | grep -v '^[1-4]' | head -n 1)
  case $first in
    "") ;;
    5*) first=" (status ${first%% *})" ;;
    *" 28 "*) first=" (no answer within 10 s)" ;;
    *) first=" ($(echo "$first" | cut -d ' ' -f 4-))" ;;
  esac
  set -- $(export LC_ALL=C; answers | sort -n -k 2 | awk -v "max=$max_failed" '
    { ms[NR] = $2 * 1000; failed += ($1 >= 500 || $1 == 0) }
    END { at = int(NR * 0.99); at += (at < NR * 0.99); printf "%d %d %.0f %.0f %d", NR, failed, ms[at], ms[NR], (failed * 10000 > max * NR) }')
  figures="$1 requests meanwhile, $2 failed$first, p99 $3 ms, slowest $4 ms"
  if [ "$5" = 1 ]; then fault="of the requests meanwhile, at most $(awk "BEGIN { print $max_failed / 100 }") % may fail"; fi
  if [ -z "$fault" ] && [ -n "$max_p99" ] && [ "$3" -gt "$max_p99" ]; then fault="99 % of the requests may take at most $max_p99 ms"; fi
  if [ -n "$sick" ] && [ -n "$fault" ]; then fault= figures="$figures; requests failed before the switch too, so that this decides nothing"; fi
  rm -rf "$probes"
}
