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

# What a base takes from this machine, looked up once: its mirrors, as its own apt has them, and its proxies.
survey() {
  local targets
  [[ -z ${machine_key:-} ]] || return 0
  targets=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null || :)
  mirror_of() { sed -n "s/^$1 //p" <<<"$targets" | sed -n '1s#/*$##p'; }
  debian_mirror=${TOWLINE_LAB_MIRROR:-$(mirror_of Debian)}
  security_mirror=$(mirror_of Debian-Security)
  machine_proxies=$(apt-config dump --format '%F "%v";%n' 2>/dev/null |
    grep -iE '^Acquire::(http|https)::[^ ]*Proxy' || :)
  machine_key=$({ echo "$debian_mirror $security_mirror $machine_proxies"
    echo "$included"; declare -f furnish accounts trust_as_here
    cat /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; } 2>/dev/null | sha256sum)
}

# Its name changes with whatever goes into it, so that a change never pulls it away from under a running server.
base_of() {
  printf '%s/base-%s-%s' "$cache" "$1" "${machine_key:0:12}"
}

# Makes the missing ones, side by side: most of it is waiting for a disk and a mirror.
bases() {
  local os job failed=
  local -a jobs=()
  survey
  mkdir -p "$cache" && chmod 700 "$cache"
  for os in $(printf '%s\n' "$@" | sort -u); do
    codename "$os" >/dev/null
    # Two labs may want the same base: the second one waits here, and then finds it.
    exec 8>"$cache/$os.lock" && flock 8
    if [[ -n ${fresh:-} || ! -d $(base_of "$os") ]]; then
      say "making the base of Debian $os (once; a minute or two)"
      make_base "$os" 9>&- & jobs+=($!)
    else
      touch "$(base_of "$os")"
    fi
    exec 8>&-
  done
  for job in "${jobs[@]}"; do wait "$job" || failed=1; done
  [[ -z $failed ]] || die "no base; its log is in $cache"
}

make_base() {
  local os=$1 root=$cache/making-$1 log=$cache/making-$1.log base
  base=$(base_of "$os")
  rm -rf --one-file-system "$root"
  # Those that no server was made of for a week.
  find "$cache" -maxdepth 1 -name "base-$os-*" -mtime +7 -exec rm -rf --one-file-system {} +
  # In a mount namespace of its own, so that a kill leaves nothing mounted.
  if ! unshare --mount --propagation private debootstrap --variant=minbase --include="$included" \
    "$(codename "$os")" "$root" "$debian_mirror" >"$log" 2>&1 </dev/null ||
    ! furnish "$os" "$root" >>"$log" 2>&1 </dev/null; then
    tail -n 5 "$log" >&2
    return 1
  fi
  rm -rf --one-file-system "$base"
  mv "$root" "$base"
}

furnish() {
  local os=$1 root=$2 suite
  suite=$(codename "$os")
  {
    printf 'deb %s %s main\n' "$debian_mirror" "$suite" "$debian_mirror" "$suite-updates"
    [[ -z $security_mirror ]] || printf 'deb %s %s-security main\n' "$security_mirror" "$suite"
  } >"$root/etc/apt/sources.list"
  printf '%s\n' "$machine_proxies" >"$root/etc/apt/apt.conf.d/90machine"
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
