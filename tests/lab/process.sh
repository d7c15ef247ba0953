# Processes that outlive a command: recorded such that a number that came round again is not mistaken for them.

started() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # The name of the program may hold anything, so count from behind it.
  read -ra stat <<<"${stat##*) }"
  printf '%s' "${stat[19]}"
}

record() {
  printf '%s %s %s\n' "$1" "$(started "$1")" "$(</proc/sys/kernel/random/boot_id)" >"$2.new"
  mv "$2.new" "$2"
}

# Becomes COMMAND, in a session of its own. It records itself in FILE first: who waits for it may be killed at any moment.
launch() { exec setsid "$BASH" -c 'source "$0"; record $$ "$1"; shift; exec "$@"' "$here/process.sh" "$@"; }

# Waits for what `launch` records of process $2.
recorded() {
  until [[ -e $1 ]]; do
    kill -0 "$2" 2>/dev/null || [[ -e $1 ]] || die "what was to be recorded in $1 has ended"
    sleep 0.01
  done
}

alive() {
  local pid since boot
  read -r pid since boot 2>/dev/null <"$1" || return 1
  [[ $boot == "$(</proc/sys/kernel/random/boot_id)" && $(started "$pid") == "$since" ]]
}

# KILL: a server's keeper takes its whole process namespace along, and nothing in it is worth a farewell.
end() {
  local pid
  [[ -e $1 ]] && alive "$1" || return 0
  read -r pid _ <"$1"
  kill -KILL "$pid" 2>/dev/null || return 0
  for ((try = 0; try < 100; try++)); do
    alive "$1" || return 0
    sleep 0.05
  done
  die "process $pid does not end"
}
