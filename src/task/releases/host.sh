# What tow keeps on a host of an application, and how one release takes the place of another. Wants $app and $root.
folder=/var/lib/towline/$app releases=$root/releases
# So long (in seconds, by the host's own uptime) is a run believed to live without a sign of life.
patience=${patience:-60} alone=${alone:-120}

uptime_now() { read -r seconds _ </proc/uptime && echo "${seconds%%.*}"; }
boot() { cat /proc/sys/kernel/random/boot_id; }
field() { sed -n "s/^$2=//p" "$1" 2>/dev/null | head -n 1; }
plain() { printf %s "$1" | tr -d '\000-\037\177"\\'; }
web() { echo "$app@$1.service"; }
# Only names of its own units are believed.
others() {
  [ ! -f "$releases/$1/units" ] ||
    grep -Ex "$app-[A-Za-z0-9_.-]+@$1\.(service|timer)" "$releases/$1/units"
}
current() { basename "$(readlink "$root/current" 2>/dev/null)" 2>/dev/null; }
# Releases whose web is at work, whatever `current` says; but for these.
at_work() {
  systemctl list-units --plain --no-legend --state=active,activating "$app@*.service" 2>/dev/null |
    sed -n "s/^ *$app@\([A-Za-z0-9._-]*\)\.service .*/\1/p" | grep -vxF -e "$1" -e "${2:-$1}" | sort -n
}
exclusive() { mkdir -p -m 0755 /var/lib/towline "$folder" && exec 9>"$folder/guard" && flock -w 240 9; }

# The digest of a release's source: of the names and contents of its files. What git and Python keep beside is no source.
digest() (
  export LC_ALL=C
  beside='( -name .git -o -name __pycache__ ) -prune -o'
  set -f
  cd "$releases/$1/src" && {
    find . $beside -type f -exec sha256sum {} + && find . $beside -type l -printf '%l  %p\n'
  } | sort | sha256sum | cut -d ' ' -f 1
)

# note EVENT RELEASE BEFORE WHY: a line for the journal, which is only ever added to.
note() {
  printf '{"at":"%s","run":"%s","by":"%s","event":"%s","release":"%s","before":"%s","why":"%s"}\n' \
    "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(plain "${run:-$(field "$folder/pending" run)}")" \
    "$(plain "${holder:-$(field "$folder/lock/info" holder)}")" "$1" "$2" "$3" "$(plain "$4")" >>"$folder/journal.jsonl"
}

# mark RELEASE REVISION: it is finished, and counts for keeping, pruning and rolling back.
mark() {
  made=$releases/$1/.release.json
  printf '{"release":"%s","revision":"%s","finished":"%s","by":"%s","run":"%s","schema":"%s","digest":"%s"}\n' "$1" "$(plain "$2")" \
    "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(plain "$(field "$folder/lock/info" holder)")" "$(plain "$(field "$folder/lock/info" run)")" \
    "$(plain "$(head -n 1 "$releases/$1/schema" 2>/dev/null)")" "$(digest "$1")" >"$made" &&
    sync "$made" && mv "$made" "$releases/$1/release.json" && note finished "$1" "" "" && : >"$folder/finished"
}

# When a process began; its number may be another's by now.
born() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }
any_alive() { for pid in "$@"; do ! kill -0 "$pid" 2>/dev/null || return 0; done; return 1; }

# A link that was cut leaves the shell of a run behind, with the command that it has under way: nobody will ever hear of
# it, and the next run must not meet it. Commands have process groups of their own.
end_left_behind() {
  shell=$(field "$folder/lock/info" shell)
  [ -n "$shell" ] && [ "$shell" != $$ ] && [ "$(field "$folder/lock/info" boot)" = "$(boot)" ] &&
    [ "$(born "$shell")" = "$(field "$folder/lock/info" born)" ] || return 0
  groups=$(sed -n "s/^\([0-9]*\) (.*) . $shell .*/-\1/p" /proc/[0-9]*/stat 2>/dev/null)
  link=$(link_of "$shell") since=$(born "$link")
  # HUP, as a link that is lost: what goes on by itself is let go on.
  if [ -n "$groups" ]; then
    kill -s HUP -- "$shell" $groups 2>/dev/null
    left=50
    while any_alive $groups && [ "$left" -gt 0 ]; do left=$((left - 1)); sleep 0.1; done
    for pid in $groups; do kill -s KILL -- "$pid" 2>/dev/null; done
  fi
  # A shell that reads does not hear of signals (dash), and has a folder to remove: its link is ended, as sshd itself
  # would, had it noticed that nobody is at the other end.
  [ -z "$link" ] || [ "$(born "$link")" != "$since" ] || kill "$link" 2>/dev/null
  return 0
}

# The process of sshd that a shell was begun by; nothing where it was begun by another program, which may have a link
# of its own.
link_of() {
  pid=$1
  while [ "${pid:-0}" -gt 1 ]; do
    case $(cat "/proc/$pid/comm" 2>/dev/null) in
      sshd* | dropbear*) echo "$pid"; return ;;
      *sh | sudo | su | runuser) ;;
      *) return ;;
    esac
    pid=$(sed 's/.*) . //' "/proc/$pid/stat" 2>/dev/null | cut -d ' ' -f 1)
  done
}

# Whom the socket wakes when nobody listens.
socket_wakes() {
  mkdir -p "/etc/systemd/system/$app.socket.d" &&
    printf '# Written by tow, at each switch.\n[Socket]\nService=%s\n' "$(web "$1")" >"/etc/systemd/system/$app.socket.d/.release" &&
    mv "/etc/systemd/system/$app.socket.d/.release" "/etc/systemd/system/$app.socket.d/release.conf"
}

# The web of a release is up, and stays up for the settle time.
stays_up() {
  left=$((settle * 4))
  while [ "$(systemctl is-active "$(web "$1")")" = active ] && [ "$(systemctl show -p NRestarts --value "$(web "$1")")" = 0 ]; do
    [ "$left" -gt 0 ] || return 0
    left=$((left - 1))
    sleep 0.25
  done
  return 1
}

# Whether nginx serves the application, and in another way than the release says. One of an earlier version says nothing.
site_differs() {
  [ -e "$releases/$1/site" ] && [ -e "/etc/nginx/sites-enabled/$app" ] || return 1
  [ -e "$site_owed" ] || ! cmp -s "$releases/$1/site" "/etc/nginx/sites-enabled/$app"
}

# takes_site TO FROM: nginx serves the site of TO. What FROM was served with is kept, where FROM brought no site itself.
takes_site() {
  site_differs "$1" || return 0
  if [ -n "$2" ] && [ ! -e "$releases/$2/site" ]; then
    cp "/etc/nginx/sites-enabled/$app" "$releases/$2/.site" && chmod 0644 "$releases/$2/.site" &&
      mv "$releases/$2/.site" "$releases/$2/site" || return 1
  fi
  nginx_site "$1" served
}

# move TO FROM: TO serves beside FROM on the same socket; when it has proven itself, FROM ends. FROM may be "".
move() {
  if [ ! -e "/etc/systemd/system/$app.socket.d/release.conf" ]; then
    socket_wakes "$1" && systemctl daemon-reload || return 1
  fi
  [ "$(systemctl is-enabled "$app.socket" 2>/dev/null)" = enabled ] || systemctl enable -q "$app.socket" || return 1
  if [ "$(systemctl is-active "$app.socket")" != active ]; then
    systemctl reset-failed "$app.socket" 2>/dev/null
    systemctl start "$app.socket" || return 1
  fi
  systemctl reset-failed "$(web "$1")" 2>/dev/null
  systemctl start "$(web "$1")" && stays_up "$1" || return 1
  takes_site "$1" "$2" || site_stays "$1" "$2" || return 1
  # A socket whose service has ended wakes it again at the next visitor: it has to know the new one before.
  socket_wakes "$1" && systemctl enable -q --no-reload "$(web "$1")" $(others "$1") || return 1
  if [ -n "$2" ] && [ "$1" != "$2" ]; then systemctl disable -q --no-reload $(web "$2") $(others "$2") 2>/dev/null; fi
  systemctl daemon-reload || return 1
  rm -f "$root/.current" && ln -s "releases/$1" "$root/.current" && mv -T "$root/.current" "$root/current" || return 1
  if [ -n "$2" ] && [ "$1" != "$2" ]; then
    # It warns that the socket could wake them: that is the point of it.
    said=$(systemctl stop $(web "$2") $(others "$2") 2>&1) || { echo "$said" >&2; return 1; }
  fi
  # Who shares the socket and is neither: `current` was taken away or set by hand while it served.
  for stray in $(at_work "$1" "$2"); do
    systemctl disable -q --now $(web "$stray") $(others "$stray") 2>/dev/null
    note ended "$stray" "" "it served beside what serves"
  done
  for unit in $(others "$1"); do systemctl start "$unit" || return 1; done
}

# On the way to a new release a site that nginx does not take ends it. On the way back the application comes first.
site_stays() {
  if [ -z "$going_back" ]; then site_refused=yes; return 1; fi
  note "site stays" "$1" "$2" "nginx does not take the site of $1"
  echo "nginx does not take the site of $1, and goes on with that of $2; once it is mended: tow run site" >&2
}

# What nobody has confirmed is undone: the release before serves again.
revert() {
  new=$(field "$folder/pending" new) old=$(field "$folder/pending" old) settle=1 going_back=yes
  if [ -z "$old" ]; then
    systemctl disable -q --now "$(web "$new")" $(others "$new") 2>/dev/null
    systemctl reset-failed "$(web "$new")" 2>/dev/null
    rm -f "$root/current"
  else
    # A release that starts again and again takes the socket down with it, and all who share it.
    if [ "$(systemctl is-active "$(web "$old")")" = active ]; then systemctl stop "$(web "$new")"; fi
    move "$old" "$new" || { note bad "$old" "$new" "$1"; return 1; }
    systemctl reset-failed "$(web "$new")" 2>/dev/null
  fi
  note reverted "$old" "$new" "$1"
  rm -f "$folder/pending"
}
