# The base that servers of one Debian release share: debootstrap, once, then kept in the cache.

# A bare server: no python3, no git, no curl.
included=systemd,systemd-sysv,libpam-systemd,dbus,openssh-server,sudo,ca-certificates,iproute2,ifupdown,procps,iputils-ping

codename() {
  case $1 in
    12) echo bookworm ;;
    13) echo trixie ;;
    *) die "there is Debian 12 and 13 here, not $1" ;;
  esac
}

# The mirror of a label (Debian, Debian-Security), as this machine's own apt has it.
mirror() {
  if [[ $1 == Debian && -n ${TOWLINE_LAB_MIRROR:-} ]]; then printf '%s' "$TOWLINE_LAB_MIRROR"; return; fi
  apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    sed -n "s/^$1 //p" | sed -n '1s#/*$##p'
}

# Changes with whatever goes into a base.
base_key() {
  { echo "$1"; mirror Debian; mirror Debian-Security; cat "$here/base.sh" /etc/pip.conf; machine_proxies; } 2>/dev/null | cksum
  cksum </etc/ssl/certs/ca-certificates.crt
}

# Makes the missing ones, side by side: most of it is waiting for a disk and a mirror.
bases() {
  local os failed=
  local -a jobs=()
  mkdir -p "$cache" && chmod 700 "$cache"
  for os in $(printf '%s\n' "$@" | sort -u); do
    codename "$os" >/dev/null
    # Two labs may want the same base.
    exec 8>"$cache/$os.lock" && flock 8
    if [[ -n ${fresh:-} || $(cat "$cache/base-$os.key" 2>/dev/null) != "$(base_key "$os")" ]]; then
      say "making the base of Debian $os (once; about a minute)"
      make_base "$os" 9>&- & jobs+=($!)
    fi
    exec 8>&-
  done
  for job in "${jobs[@]}"; do wait "$job" || failed=1; done
  [[ -z $failed ]] || die "no base; its log is beside $cache"
}

make_base() {
  local os=$1 root=$cache/making-$1 log=$cache/base-$1.log
  rm -rf --one-file-system "$root" "$cache/base-$os" "$cache/base-$os.key"
  # In a mount namespace of its own, so that a kill leaves nothing mounted.
  if ! unshare --mount --propagation private debootstrap --variant=minbase --include="$included" \
    "$(codename "$os")" "$root" "$(mirror Debian)" >"$log" 2>&1 </dev/null; then
    tail -n 5 "$log" >&2
    return 1
  fi
  furnish "$os" "$root" >>"$log" 2>&1 </dev/null || { tail -n 5 "$log" >&2; return 1; }
  mv "$root" "$cache/base-$os"
  base_key "$os" >"$cache/base-$os.key"
}

furnish() {
  local os=$1 root=$2 security suite
  suite=$(codename "$os") security=$(mirror Debian-Security)
  {
    printf 'deb %s %s main\n' "$(mirror Debian)" "$suite" "$(mirror Debian)" "$suite-updates"
    [[ -z $security ]] || printf 'deb %s %s-security main\n' "$security" "$suite"
  } >"$root/etc/apt/sources.list"
  machine_proxies >"$root/etc/apt/apt.conf.d/90machine"
  # Like the images of providers: no lists, nothing fetched.
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb
  trust_as_here "$root"
  [[ ! -e /etc/pip.conf ]] || cp /etc/pip.conf "$root/etc/pip.conf"
  rm -f "$root"/etc/ssh/ssh_host_*
  : >"$root/etc/machine-id"
  # Nothing of the system's own holds apt's lock at a moment that no test chose; no other network manager.
  for unit in apt-daily.timer apt-daily-upgrade.timer systemd-networkd.service systemd-resolved.service \
    e2scrub_reap.service getty@tty1.service console-getty.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
  done
  accounts "$root"
}

# `deploy` may do everything without a password, `admin` with one.
accounts() {
  local root=$1
  chroot "$root" useradd -m -s /bin/bash deploy
  chroot "$root" useradd -m -s /bin/bash -G sudo admin
  printf 'deploy:*\n' | chroot "$root" chpasswd -e
  printf 'admin:correct horse\n' | chroot "$root" chpasswd
  printf 'deploy ALL=(ALL:ALL) NOPASSWD: ALL\n' >"$root/etc/sudoers.d/deploy"
  chmod 440 "$root/etc/sudoers.d/deploy"
}

# apt's own proxies on this machine, and those of its environment.
machine_proxies() {
  apt-config dump --format '%F "%v";%n' 2>/dev/null | grep -iE '^Acquire::(http|https)::[^ ]*Proxy' || :
}

# Certificates that this machine trusts beyond Debian's own.
trust_as_here() {
  local root=$1
  awk -v RS='-----END CERTIFICATE-----\n?' -v folder="$root/usr/local/share/ca-certificates" '
    { sub(/^[^-]*/, "") } !/BEGIN/ { next }
    NR == FNR { known[$0] = 1; next }
    !($0 in known) { file = folder "/machine-" ++n ".crt"; printf "%s-----END CERTIFICATE-----\n", $0 >file; close(file) }
  ' "$root/etc/ssl/certs/ca-certificates.crt" /etc/ssl/certs/ca-certificates.crt
  chroot "$root" update-ca-certificates
}
