# What a connection that was lost has left here. Wants $pid and $born, its shell; $folders; $waits: "" when what it has
# under way goes on by itself and only waits.
is_there() { [ -n "$born" ] && [ "$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d ' ' -f 20)" = "$born" ]; }
# A switch to a release that starts slowly takes its minutes.
left=600 idle=0
[ -z "$waits" ] || left=3000
while is_there; do
  groups=$(sed -n "s/^\([0-9]*\) (.*) . $pid .*/-\1/p" /proc/[0-9]*/stat 2>/dev/null)
  idle=$((idle + 1))
  if [ -z "$groups" ]; then
    # dash does not hear of it while it reads.
    if [ $idle -lt 10 ]; then kill -s HUP "$pid"; else kill -s KILL "$pid"; fi
  elif [ -z "$waits" ]; then kill -s HUP -- $groups
  else idle=0
  fi
  left=$((left - 1))
  [ $left -gt 0 ] || { echo busy; exit; }
  sleep 0.1
done 2>/dev/null
eval "rm -rf -- $folders"
echo clear
