# A bridge for the servers, and a way out for those that shall have one.

network_up() {
  # What this machine had before its first lab; the last one puts it back.
  compgen -G "/sys/class/net/towlab*" >/dev/null || remember
  ip link add "$bridge" type bridge
  ip address add "$net.1/24" dev "$bridge"
  ip link set "$bridge" up
  echo 1 >/proc/sys/net/ipv4/ip_forward
  # Each server's systemd has a dozen of them, and all are counted as root's; the usual 128 are used up by ten servers.
  (($(<"$watchers") >= 1024)) || echo 1024 >"$watchers" || :
  nft -f - <<RULES
table ip $table {
  set outside { type ipv4_addr; }
  chain forward {
    type filter hook forward priority 0; policy accept;
    iifname "$bridge" oifname "$bridge" accept
    iifname "$bridge" ip saddr @outside accept
    iifname "$bridge" reject with icmp type net-unreachable
  }
  chain postrouting {
    type nat hook postrouting priority 100; policy accept;
    ip saddr $net.0/24 oifname != "$bridge" masquerade
  }
  # The DNS of the test CA also where name servers are looked for; nothing else needs to leave that port for it.
  chain prerouting {
    type nat hook prerouting priority -100; policy accept;
    ip daddr $net.1 udp dport 53 dnat to $net.1:8053
  }
  chain output {
    type nat hook output priority -100; policy accept;
    ip daddr $net.1 udp dport 53 dnat to $net.1:8053
  }
}
RULES
}

network_down() {
  local end
  # A dead server's end of its cable goes a moment later, and the next one of that name would find it in its way.
  for end in /sys/class/net/vb-tow"$number"-*; do
    [[ ! -e $end ]] || ip link del "${end##*/}" 2>/dev/null || :
  done
  nft delete table ip "$table" 2>/dev/null || :
  [[ ! -d /sys/class/net/$bridge ]] || ip link del "$bridge"
  compgen -G "/sys/class/net/towlab*" >/dev/null || give_back
}

watchers=/proc/sys/fs/inotify/max_user_instances

remember() {
  cat /proc/sys/net/ipv4/ip_forward >"${state%/*}/ip_forward"
  cat "$watchers" >"${state%/*}/watchers"
}

give_back() {
  [[ -e ${state%/*}/ip_forward ]] || return 0
  cat "${state%/*}/ip_forward" >/proc/sys/net/ipv4/ip_forward
  [[ ! -e ${state%/*}/watchers ]] || cat "${state%/*}/watchers" >"$watchers" || :
  rm -f "${state%/*}/ip_forward" "${state%/*}/watchers"
}

cut() { nft delete element ip "$table" outside "{ $1 }"; }
uncut() { nft add element ip "$table" outside "{ $1 }"; }
has_route() { nft get element ip "$table" outside "{ $1 }" >/dev/null 2>&1; }
