# Read by /bin/sh on the host before anything else. Markers go out as RS, token, words, newline: whatever
# a program prints cannot be mistaken for one. `_F` is 1 once an action has failed; what follows is left out.
_F=0 _D=
cd 2>/dev/null || cd /
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
[ -n "$LANG$LC_ALL" ] || { LANG=C.UTF-8; export LANG; }
_o() { printf '\036%s %s\n' "$_T" "$*"; }
_m() { _o "$@"; _o "$@" >&2; }
if command -v setsid >/dev/null 2>&1; then _S=setsid; else _S='perl -MPOSIX -e POSIX::setsid;exec@ARGV'; fi
if command -v sha256sum >/dev/null 2>&1; then _H=sha256sum; else _H='shasum -a 256'; fi
# Several paths in one process where find can print what stat knows; one by one elsewhere.
if find / -maxdepth 0 -printf '' 2>/dev/null; then
  _V=-fT
  _st() { LC_ALL=C find "$@" -maxdepth 0 -printf '%y %m %u %g %s %p\0%l\0'; }
  _tree() { find "$1/" -mindepth 1 -printf '%y %m %P\0%l\0'; }
else
  _V=-f
  if mv --help 2>&1 | grep -q -e '-T'; then _V=-fT; fi
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
  else _X="su $1 -s /bin/sh"; fi
}
# Install, in two halves, so that many files share one fsync: a private temporary file, then the rename.
_i() { # id blob temporary mode owner
  [ $_F = 0 ] || return 0
  _o b "$1"
  install -m "$4" "$_D/$2" "$3" </dev/null && { [ -z "$5" ] || chown -h "$5" "$3"; }
  _r=$?
  if [ $_r != 0 ]; then _F=1; rm -f "$3"; _m e "$1" $_r; fi
}
_j() { # id temporary path
  if [ $_F = 0 ]; then mv $_V "$2" "$3" </dev/null; _r=$?; [ $_r = 0 ] || _F=1; _m e "$1" $_r; fi
  [ $_F = 0 ] || rm -f "$2"
}
_w() { # id codes: waits for the process group just started; those codes are no failure
  _P=$!; _o g "$1" $_P; wait $_P; _r=$?
  while [ $_r -gt 128 ] && kill -0 $_P 2>/dev/null; do wait $_P; _r=$?; done
  case " $2 " in *" $_r "*) ;; *) _F=1 ;; esac
  _m e "$1" $_r
}
_U=$(id -un) _I=$(id -u)
trap '[ -z "$_D" ] || rm -rf -- "$_D"' 0
trap 'exit 129' 1 13 15
trap '_F=1' USR1
_o h
uname -snm; printf '%s\n' "$_U" "$HOME" "${TMPDIR:-/tmp}" $$
[ ! -r /etc/os-release ] || while IFS= read -r _l; do printf '%s\n' "$_l"; done </etc/os-release
_o k
