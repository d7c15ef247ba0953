# Read by /bin/sh on the host before anything else. Markers go out as RS, token, words, newline: whatever
# a program prints cannot be mistaken for one. `_F` is 1 once an action has failed; what follows is left out.
_F=0 _D= _B= _G= _R=
# Whoever hardened the server may have given logins another; what is to be private has its mode.
umask 022
cd 2>/dev/null || cd /
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
LANG=${LANG:-${LC_ALL:-C.UTF-8}}; export LANG
_o() { printf '\036%s %s\n' "$_T" "$*"; }
_m() { _o "$@"; _o "$@" >&2; }
if command -v setsid >/dev/null 2>&1; then _S=setsid; else _S='perl -MPOSIX -e POSIX::setsid;exec@ARGV'; fi
if command -v sha256sum >/dev/null 2>&1; then _H=sha256sum; else _H='shasum -a 256'; fi
# Several paths in one process where find can print what stat knows; one by one elsewhere.
if find / -maxdepth 0 -printf '' 2>/dev/null; then
  _V=-fT _N=-snT
  _st() { LC_ALL=C find "$@" -maxdepth 0 -printf '%y %m %u %g %s %p\0%l\0'; }
  _tree() { find "$1/" -mindepth 1 -printf '%y %m %P\0%l\0'; }
else
  _V=-f _N=-sn
  if mv --help 2>&1 | grep -q -e '-T'; then _V=-fT _N=-snT; fi
  _at() { stat -c "$1" -- "$3" 2>/dev/null || stat -f "$2" -- "$3"; }
  _ty() { if [ -L "$1" ]; then echo l; elif [ -d "$1" ]; then echo d; elif [ -f "$1" ]; then echo f; else echo o; fi; }
  _st() { for _p; do
    if [ -e "$_p" ] || [ -L "$_p" ]; then
      printf '%s %s %s\0%s\0' "$(_ty "$_p")" "$(_at '%a %U %G %s' '%Lp %Su %Sg %z' "$_p")" "$_p" "$(readlink "$_p")"
    elif [ -d "${_p%/*}/" ] && ! [ -x "${_p%/*}/" ]; then echo "'$_p': Permission denied" >&2; fi
  done; }
  _tree() { (cd "$1" && find . | while IFS= read -r _p; do [ "$_p" = . ] ||
    printf '%s %s %s\0%s\0' "$(_ty "$_p")" "$(_at '%a' '%Lp' "$_p")" "${_p#./}" "$(readlink "$_p")"; done); }
fi
# _a USER: leaves in _X the shell that acts as that account. Root needs no sudo, and keeps the process group.
_a() {
  if [ "$1" = "$_U" ]; then _X=/bin/sh
  elif [ "$_I" != 0 ]; then _X="sudo -n -u $1 -- /bin/sh"
  elif command -v runuser >/dev/null 2>&1; then _X="runuser -u $1 -- /bin/sh"
  else _X="su -s /bin/sh $1"; fi
}
# sudo closes what we would hand over as stdin.
_b() {
  case $_X in sudo*) echo 'stdin and scripts for another account need root: set become = true on the host' >&2; _X=false ;; esac
}
# Digests of those that are files: a pipe would hold us up.
_dg() {
  for _p; do shift; [ ! -f "$_p" ] || set -- "$@" "$_p"; done
  [ $# = 0 ] || $_H -- "$@"
}
# Installing, in two halves, so that nothing is renamed before all of it is there. What goes wrong first is
# blamed (`_B`), with its code.
_f() { _r=$1 _B=$2; [ $_F != 0 ] || _F=1; }
_i() { # id blob temporary mode owner
  [ $_F = 0 ] || return 0
  {
    install -m "$4" "$_D/$2" "$3" && { [ -z "$5" ] || chown -h "$5" "$3"; } &&
    # A change of owner takes setuid and its like away.
    case $4 in 0*) ;; *) [ ! -L "$3" ] && chmod "$4" "$3" ;; esac
  } </dev/null || { _f $? "$1"; rm -f "$3"; }
}
_l() { # the same for a large file that nobody else needs
  [ $_F = 0 ] || return 0
  {
    chown "$_U:$(id -gn)" "$_D/$2" && { [ -z "$5" ] || chown "$5" "$_D/$2"; } && chmod "$4" "$_D/$2" &&
    mv $_V "$_D/$2" "$3" && { ! command -v restorecon >/dev/null 2>&1 || restorecon "$3" 2>/dev/null || :; }
  } </dev/null || { _f $? "$1"; rm -f "$3"; }
}
_j() { # id temporary path
  if [ $_F = 0 ]; then _R=1; mv $_V "$2" "$3" </dev/null || _f $? "$1"; fi
  [ $_F = 0 ] || rm -f "$2"
}
# The files of a whole folder: a private folder inside of it, which must be the one that we made.
_c() { cd -P "$2" && _p=$(pwd -P) && { [ -z "$3" ] || mkdir -m 700 ".$1"; } && cd -P ".$1" && [ "$(pwd -P)" = "${_p%/}/.$1" ] && [ -O . ]; }
_g() { # id key parent owner name...: several at once, because a disk takes many files together in the time of one
  [ $_F = 0 ] || return 0
  ( _k=$2 _d=$3 _u=$4 _b=$_D/$2; shift 4
    _c "$_k" "$_d" new && tar xopmf "$_b" && { [ -z "$_u" ] || chown -h "$_u" "$@"; } &&
    { sync "$@" 2>/dev/null || :; } ) </dev/null &
  _G="$_G $!,$1"
}
_y() { # what was begun is there, or has failed
  for _p in $_G; do wait "${_p%,*}" || _f $? "${_p#*,}"; done
  _G=
}
_h() { # id key parent name...
  if [ $_F = 0 ]; then
    _R=1
    ( _k=$2 _d=$3; shift 3; _c "$_k" "$_d" '' && mv -f "$@" .. && cd .. && rmdir ".$_k" ) </dev/null || _f $? "$1"
  fi
  [ $_F = 0 ] || rm -rf "$3/.$2"
}
_x() { # key, then id and temporary name of each: files of many folders by one process; by several to see which fails
  [ $_F = 0 ] || return 0
  _k=$_D/$1 _q=; shift
  for _p; do case $_p in /*) [ -d "${_p%/*}/" ] || { _f 1 "$_q"; echo "there is no folder ${_p%/*}" >&2; return 0; } ;; *) _q=$_p ;; esac; done
  ! tar xopmf "$_k" -C / </dev/null 2>/dev/null || return 0
  while [ $# != 0 ] && [ $_F = 0 ]; do tar xopmf "$_k" -C / "${2#/}" </dev/null || _f $? "$1"; shift 2; done
}
_d() { # first end mode owner folder...: alike, by one process
  [ $_F = 0 ] || return 0
  _i1=$1 _q=$2 _p=$3 _u=$4; shift 4
  { mkdir -m "$_p" -- "$@" && { [ -z "$_u" ] || chown -h "$_u" -- "$@"; }; } </dev/null; _r=$?
  [ $_r != 0 ] || { _m s "$_i1" "$_q"; return 0; }
  # The first that is not there is to blame, or else the first. Those before it are made, so they get their owner.
  _F=1 _q=$_i1 _b1=$_i1
  for _p; do
    [ -d "$_p" ] && { [ -z "$_u" ] || chown -h "$_u" -- "$_p" </dev/null; } || { _b1=$_q; break; }
    _q=$((_q+1))
  done
  [ "$_b1" = "$_i1" ] || _m s "$_i1" "$_b1"
  _o b "$_b1"; _m e "$_b1" $_r
}
_k() { # target temporary path: what is there is replaced in one step
  if [ -e "$3" ] || [ -L "$3" ]; then ln -sn -- "$1" "$2" && { mv $_V "$2" "$3" || { rm -f "$2"; false; }; }
  else ln $_N -- "$1" "$3"; fi
}
_n() { # first end: tells what became of them, and whether any had its name already
  if [ $_F = 0 ]; then
    _m s "$1" "$2"
  elif [ -n "$_B" ]; then [ -n "$_R" ] || _m n 0; _o b $_B; _m e $_B $_r; _B=; fi
  _R=
}
_w() { # id codes: waits for the process group just started; those codes are no failure
  _P=$!; _o g "$1" $_P; _s=; wait $_P; _r=$?
  # A signal to us ends the waiting, not the process.
  while [ -n "$_s" ] && [ $_r -gt 128 ]; do _s=; _q=$_r; wait $_P; _r=$?; [ $_r != 127 ] || _r=$_q; done
  case " $2 " in *" $_r "*) ;; *) _F=1 ;; esac
  _m e "$1" $_r
}
_U=$(id -un) _I=$(id -u)
trap '[ -z "$_D" ] || rm -rf -- "$_D"' 0
trap 'exit 129' 1 13 15
trap '_F=1 _s=1' USR1
_o h
uname -snm; printf '%s\n' "$_U" "$HOME" "${TMPDIR:-/tmp}" $$
if [ "$_I" = 0 ] && [ -d /run/systemd/system ]; then echo detaches; else echo; fi
for _p in sys/kernel/random/boot_id $$/stat; do _l=; { read -r _l </proc/$_p; } 2>/dev/null; printf '%s\n' "$_l"; done
[ ! -r /etc/os-release ] || while IFS= read -r _l; do printf '%s\n' "$_l"; done </etc/os-release
_o k
