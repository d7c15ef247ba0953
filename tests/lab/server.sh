# One server: its own files over the base, its keeper, and how to speak with it.

folder_of() {
  [[ -d $state/servers/$1 ]] || die "there is no server $1 in lab $number (tests/lab/lab status)"
  printf '%s' "$state/servers/$1"
}
address_of() { cat "$(folder_of "$1")/address"; }

# All that distinguishes it is written where the overlay will look, before it is mounted.
prepare() {
  local name=$1 os=$2 address=$3 folder=$state/servers/$1 etc
  etc=$folder/upper/etc
  mkdir -p "$etc/network" "$etc/ssh" "$folder/upper/home"
  printf '%s\n' "$os" >"$folder/os"
  base_of "$os" >"$folder/base"
  printf '%s\n' "$address" >"$folder/address"
  printf '%s\n' "$name" >"$etc/hostname"
  {
    printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$name"
    grep -vE '^[[:space:]]*(#|$|127\.|::1|fe00|ff0)' /etc/hosts || :
  } >"$etc/hosts"
  cat >"$etc/network/interfaces" <<INTERFACES
auto lo
iface lo inet loopback
auto host0
iface host0 inet static
  address $address/24
  gateway $net.1
INTERFACES
  cp "$(resolver_here)" "$etc/resolv.conf"
  # An answer that is lost is asked for again at once.
  printf 'options timeout:1 attempts:5\n' >>"$etc/resolv.conf"
  ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$etc/ssh/ssh_host_ed25519_key"
  printf '%s,%s %s\n' "$name" "$address" "$(cut_key "$etc/ssh/ssh_host_ed25519_key.pub")" >>"$state/known_hosts"
  let_in "$folder/upper" "$(<"$folder/base")"
  uncut "$address"
}

cut_key() { awk '{ print $1, $2 }' "$1"; }

# systemd-resolved listens on a loopback address that servers do not reach.
resolver_here() {
  local full=/run/systemd/resolve/resolv.conf
  if [[ -e $full ]] && grep -q '^nameserver 127\.' /etc/resolv.conf; then echo "$full"; else echo /etc/resolv.conf; fi
}

# The lab's key opens root, deploy and admin.
let_in() {
  local upper=$1 base=$2 home ids
  for home in root home/deploy home/admin; do
    ids=$(stat -c %u:%g "$base/$home")
    mkdir -p "$upper/$home/.ssh"
    cp "$state/key.pub" "$upper/$home/.ssh/authorized_keys"
    # What is in the upper layer says owner and mode of folders that both have.
    chmod --reference="$base/$home" "$upper/$home"
    chmod 700 "$upper/$home/.ssh"
    chmod 600 "$upper/$home/.ssh/authorized_keys"
    chown -R "$ids" "$upper/$home"
  done
}

boot() {
  local name=$1 folder=$state/servers/$1
  launch "$folder/pid" unshare --mount --propagation private --pid --fork --kill-child=KILL --mount-proc \
    "$here/keeper" "$(<"$folder/base")" "$folder" "tow$number-$name" "$bridge" "towline-lab/$number/$name" \
    >"$folder/console" 2>&1 </dev/null 9>&- &
  recorded "$folder/pid" $!
}

# The process number of its systemd, as seen from outside: keeper's child's child.
init_of() {
  local pid child folder
  folder=$(folder_of "$1")
  alive "$folder/pid" || return 1
  read -r pid _ <"$folder/pid"
  for _ in keeper nspawn init; do
    child=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null) || return 1
    pid=${child%% *}
    [[ -n $pid ]] || return 1
  done
  # Not yet the server's own while nspawn is still making its namespaces.
  [[ $(awk '/^NSpid:/ { print $NF }' "/proc/$pid/status" 2>/dev/null) == 1 ]] || return 1
  [[ $(readlink "/proc/$pid/exe" 2>/dev/null) == */systemd ]] || return 1
  printf '%s' "$pid"
}

run_in() {
  local name=${1:?which server?} init
  shift
  [[ ${1:-} != -- ]] || shift
  init=$(init_of "$name") || die "$name is not up"
  (($# != 1)) || set -- sh -c "$1"
  nsenter -t "$init" -m -u -i -n -p -C -r -w -- \
    env -i HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# Up: systemd has come to rest, and sshd greets.
await_up() {
  local name=$1 address told deadline=$((SECONDS + 300))
  address=$(address_of "$name")
  while ((SECONDS < deadline)); do
    told=$(run_in "$name" timeout 300 systemctl is-system-running --wait 2>/dev/null 9>&-) || :
    if [[ $told == running || $told == degraded ]] && greets "$address"; then
      [[ $told == running ]] || say "$name: some unit failed: $(run_in "$name" systemctl --failed --plain --no-legend)"
      return 0
    fi
    alive "$state/servers/$name/pid" || break
    sleep 0.1
  done
  tail -n 20 "$state/servers/$name/console" >&2
  say "$name does not come up"
  return 1
}

greets() {
  local line
  { read -r -t 5 line <"/dev/tcp/$1/22" && [[ $line == SSH-* ]]; } 2>/dev/null
}

server_state() {
  run_in "$1" systemctl is-system-running 2>/dev/null || { alive "$state/servers/$1/pid" && echo "" || echo down; }
}

reboot_server() {
  local name=$1 before deadline=$((SECONDS + 300))
  before=$(init_of "$name") || die "$name is not up"
  run_in "$name" systemctl reboot || :
  while [[ -d /proc/$before ]] && ((SECONDS < deadline)); do sleep 0.1; done
  await_up "$name"
}

# What killed servers leave.
remove_traces() {
  local mounted
  rmdir /run/systemd/nspawn/propagate/tow"$number"-* 2>/dev/null || :
  mounted=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
  [[ -n $mounted && -d $mounted/towline-lab/$number ]] || return 0
  # The last process of a server may be on its way out.
  for ((try = 0; try < 100; try++)); do
    find "$mounted/towline-lab/$number" -depth -type d -exec rmdir {} + 2>/dev/null || :
    [[ -d $mounted/towline-lab/$number ]] || return 0
    sleep 0.1
  done
}

write_inventories() {
  inventory root false >"$state/inventory.toml"
  inventory deploy true >"$state/deploy.toml"
}

inventory() {
  local folder name os
  printf '[defaults]\nuser = "%s"\nbecome = %s\nkey = "%s"\nknown_hosts = "%s"\n\n' \
    "$1" "$2" "$state/key" "$state/known_hosts"
  printf '[groups.debian12]\n[groups.debian13]\n'
  for folder in "$state"/servers/*/; do
    name=$(basename "$folder") os=$(<"$folder/os")
    printf '\n[hosts.%s]\naddress = "%s"\ngroups = ["debian%s"]\n' "$name" "$(<"$folder/address")" "$os"
  done
}
