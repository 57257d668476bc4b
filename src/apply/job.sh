# Sent by hostwright to a machine over standard input, behind lines that set: mode nonce id boot off text flush forget.
# A command is started once under its id, apart from this connection; whoever comes later under that id hears the same command.
# Every answer is a line `@NONCE word ...`, so that nothing that a login shell prints is taken for one.
umask 077
say() { printf '@%s %s\n' "$nonce" "$*"; }
here=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null) || here=
machine=$(cat /etc/machine-id 2>/dev/null) || machine=
printf '\n'
say "hello boot=$here machine=$machine"

if [ "$mode" = contact ]; then
  exit 0
fi

base=
for try in /run/hostwright/jobs "/tmp/hostwright-jobs-$(id -u)"; do
  # Another account's folder in /tmp is none of ours.
  if mkdir -p "$try" 2>/dev/null && [ -O "$try" ] && [ -w "$try" ]; then
    base=$try
    break
  fi
done
# What these commands said is in the journal of whoever calls.
for old in $forget; do
  if [ -n "$base" ]; then rm -rf "${base:?}/$old"; fi
done

if [ "$mode" = script ]; then
  answer=$(sh -c "$text" </dev/null 2>&1)
  status=$?
  count=$(printf '%s' "$answer" | wc -c)
  say "out $((count))"
  printf '%s' "$answer"
  say "end $status"
  exit 0
fi

if [ -z "$base" ]; then
  say "nowhere"
  exit 0
fi
job=$base/$id

if [ "$mode" = stop ]; then
  pid=
  if [ -e "$job/pid" ]; then read -r pid <"$job/pid" || :; fi
  if [ -n "$pid" ] && [ ! -e "$job/rc" ]; then
    kill -TERM -- "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null
    left=10
    while [ "$left" -gt 0 ] && kill -0 "$pid" 2>/dev/null; do
      left=$((left - 1))
      sleep 0.5 2>/dev/null || sleep 1
    done
    kill -KILL -- "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null
  fi
  say "end 0"
  exit 0
fi

if [ -n "$boot" ] && [ "$boot" != "$here" ]; then
  say "rebooted"
  exit 0
fi

if [ "$mode" = hear ] && [ ! -d "$job/started" ]; then
  say "gone"
  exit 0
fi

# Its number and its status are written over what lies there already: a disk that is full by then takes neither away.
# shellcheck disable=SC2016 # that shell expands it
wrap='job=$1
printf "%-12s\n" "$$" 1<>"$job/pid"
{
  sh "$job/cmd"
  status=$?
  if [ -n "$2" ] && [ "$status" = 0 ]; then
    if command -v timeout >/dev/null 2>&1; then timeout 300 sync; else sync; fi
  fi
  printf "%-12s\n" "$status" 1<>"$job/rc.new"
  mv "$job/rc.new" "$job/rc"
} 2>&1 | {
  head -c 16777216 >"$job/out"
  tail -c 65536 >"$job/end"
  : >"$job/drained"
}'

# A connection that goes while the command is being started does not cut that in half.
trap '' HUP INT TERM PIPE
if [ ! -d "$job/started" ]; then
  # Nothing starts that does not lie there whole: what a full disk leaves of a command is another command.
  new=$job/new.$$
  whole=
  if mkdir -p "$job" && printf '%s' "$text" >"$new" && [ "$(cat "$new"; echo .)" = "$text." ] && mv -f "$new" "$job/cmd"; then
    whole=yes
    for file in pid rc.new; do
      # Whoever starts the same command at this moment has them as well.
      printf '%12s\n' '' >"$new" && ln "$new" "$job/$file"
      rm -f "$new"
      if [ ! -s "$job/$file" ] && [ ! -d "$job/started" ]; then whole=; fi
    done
  fi 2>/dev/null
  rm -f "$new"
  if [ -z "$whole" ]; then
    say "full"
    exit 0
  fi
  if mkdir "$job/started" 2>/dev/null; then
    if command -v setsid >/dev/null 2>&1; then
      setsid sh -c "$wrap" job "$job" "$flush" </dev/null >/dev/null 2>&1 &
    else
      nohup sh -c "$wrap" job "$job" "$flush" </dev/null >/dev/null 2>&1 &
    fi
  elif [ ! -d "$job/started" ]; then
    say "full"
    exit 0
  fi
fi
trap - HUP INT TERM PIPE

number_in() {
  number=
  read -r number <"$1" || :
} 2>/dev/null

send() {
  # A part of the output: how long it is, then the bytes.
  size=$(wc -c <"$1" 2>/dev/null) || size=0
  size=$((size))
  if [ "$size" -gt "$off" ]; then
    count=$((size - off))
    say "out $count"
    tail -c "+$((off + 1))" "$1" | head -c "$count"
    off=$size
  fi
}

quiet=0
lost=0
while :; do
  if [ -e "$job/rc" ]; then
    left=20
    while [ "$left" -gt 0 ] && [ ! -e "$job/drained" ]; do
      left=$((left - 1))
      sleep 0.05 2>/dev/null || left=0
    done
    send "$job/out"
    if [ "$off" -ge 16777216 ] && [ -s "$job/end" ]; then
      off=0
      say "cut"
      send "$job/end"
    fi
    number_in "$job/rc"
    say "end ${number:-unknown}"
    exit 0
  fi
  send "$job/out"
  number_in "$job/pid"
  pid=$number
  if [ -n "$pid" ]; then
    if kill -0 "$pid" 2>/dev/null; then lost=0; else lost=$((lost + 1)); fi
  else
    lost=$((lost + 1))
  fi
  # It is gone without having left a status: somebody killed it, or it never came up.
  if [ "$lost" -gt 40 ] && [ ! -e "$job/rc" ]; then
    say "gone"
    exit 0
  fi
  quiet=$((quiet + 1))
  if [ "$quiet" -ge 20 ]; then
    quiet=0
    say "beat" || exit 0
  fi
  sleep 0.1 2>/dev/null || sleep 1
done
