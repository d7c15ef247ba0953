# The lock of an application, and what its holder is told of the host. Wants $run and $holder.

# Why whoever holds the lock cannot be alive; nothing when they may be. $dead names runs whose end the caller knows of.
is_dead() {
  [ "$(field "$folder/lock/info" boot)" = "$(boot)" ] || { echo "the host has started anew since"; return; }
  case " $dead " in *" $(field "$folder/lock/info" run) "*) echo "its process has ended"; return ;; esac
  beat=$(cat "$folder/lock/beat" 2>/dev/null)
  silent=$(($(uptime_now) - ${beat:-0}))
  [ "$silent" -le "$alone" ] || echo "it gave no sign of life for $silent s"
}

held() {
  printf 'held=%s\n' "$(field "$folder/lock/info" run)"
  printf 'holder=%s\n' "$(field "$folder/lock/info" holder)"
  at=$(field "$folder/lock/info" at)
  printf 'age=%s\n' "$(($(uptime_now) - ${at:-0}))"
}

# Data that were replaced and not confirmed are put back first: it says so itself.
settle_restore() { [ ! -e "$folder/restore" ] || "/usr/local/lib/towline/$app/backup" undo "$1"; }

settle_dead() {
  settle_restore "$1"
  settle_switch "$1"
}

settle_switch() {
  [ -e "$folder/pending" ] || return 0
  new=$(field "$folder/pending" new) old=$(field "$folder/pending" old)
  if revert "$1"; then printf 'reverted=%s\nserves=%s\n' "$new" "${old:-nothing}"; else printf 'bad=%s\n' "$new"; fi
}

take() {
  exclusive || { echo "error=somebody else is at work in $folder"; return; }
  if [ -e "$folder/lock" ]; then
    why=$(is_dead)
    [ -n "$why" ] || { held; return; }
    printf 'over=%s\nwhy=%s\n' "$(field "$folder/lock/info" run)" "$why"
    end_left_behind
    note "took over" "$(field "$folder/lock/info" run)" "" "$why"
    rm -rf "$folder/lock"
  fi
  settle_dead "its run has ended"
  rm -rf "$folder/.lock" && mkdir "$folder/.lock" &&
    printf 'run=%s\nholder=%s\nboot=%s\nat=%s\nsince=%s\nshell=%s\nborn=%s\n' "$run" "$holder" "$(boot)" \
      "$(uptime_now)" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" $$ "$(born $$)" >"$folder/.lock/info" &&
    uptime_now >"$folder/.lock/beat" && mv -T "$folder/.lock" "$folder/lock" || { echo "error=cannot write $folder/lock"; return; }
  echo taken=yes
}

# Written beside and renamed: nobody reads half a number.
renew() {
  [ "$(field "$folder/lock/info" run)" = "$run" ] || exit 0
  uptime_now >"$folder/lock/.beat" && mv "$folder/lock/.beat" "$folder/lock/beat"
}

# The run goes on over another link. A switch that is under way comes to its end first.
rejoin() {
  exclusive || { echo "error=somebody else is at work in $folder"; return; }
  if [ "$(field "$folder/lock/info" run)" != "$run" ]; then [ ! -e "$folder/lock" ] || held; return; fi
  if [ -e "$folder/lock/restore" ] && [ ! -e "$folder/restore" ]; then
    echo "error=what the run had begun to put back was undone meanwhile: the host had no sign of life of it for a minute"
    return
  fi
  { grep -v -e '^shell=' -e '^born=' "$folder/lock/info"; printf 'shell=%s\nborn=%s\n' $$ "$(born $$)"; } >"$folder/lock/.info" &&
    mv "$folder/lock/.info" "$folder/lock/info" && renew && echo rejoined=yes
}

# keep_switched NEW OLD: what was switched stays, although the run did not come to where releases are finished.
keep_switched() {
  note confirmed "$1" "$2" ""
  [ -e "$releases/$1/release.json" ] ||
    mark "$1" "$(sed -n 's/^work=.*"revision":"\([^"]*\)".*/\1/p' "$folder/intent" 2>/dev/null)"
  rm -f "$folder/pending"
}

# give_back KEEP HOW: what was switched and not confirmed goes back, unless it is to be kept; and how the run has ended.
give_back() {
  exclusive || { echo "error=somebody else is at work in $folder"; return; }
  [ "$(field "$folder/lock/info" run)" != "$run" ] || end_left_behind
  if [ "$(field "$folder/restore" run)" = "$run" ]; then
    settle_restore "its run did not end well"
    # The release goes the way of its data.
    set -- undo "$2"
  fi
  if [ "$(field "$folder/pending" run)" = "$run" ]; then
    if [ "$1" = keep ]; then
      keep_switched "$(field "$folder/pending" new)" "$(field "$folder/pending" old)"
    else
      settle_switch "its run did not end well"
    fi
  fi
  if ours; then
    put_handlers
    end_work "$2"
    rm -rf "$folder/lock"
  fi
  state
}

unlock() {
  exclusive || { echo "error=somebody else is at work in $folder"; return; }
  if [ ! -e "$folder/lock" ]; then echo free=yes; return; fi
  if [ "$(field "$folder/lock/info" run)" != "$run" ]; then held; return; fi
  end_left_behind
  note unlocked "$run" "" ""
  rm -rf "$folder/lock"
  settle_dead "it was unlocked"
  echo unlocked=yes
}
