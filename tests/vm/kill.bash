# Sourced by bash (BASH_ENV) before the script under test: looks at its commands, and at one of them ends the script with all that
# it started, as a lost connection or a power button does. With KILL_TRACE the commands are written down instead, with the time at
# which each begins. A command is named by its text and what its function was given, so that it is the same one in another run.
if [ "${0##*/}" = "${KILL_SCRIPT-}" ]; then
  unset BASH_ENV
  kill_seen=0
  kill_step() {
    local kill_command="$2 [$3]"
    # What the scripts' own function `run` was given.
    [ "${2%% *}" != '"$@"' ] || kill_command="does $3"
    kill_command=${kill_command//[$'\n\t']/ }
    if [ -n "${KILL_TRACE-}" ]; then
      printf '%s\t%s\t%s\n' "$EPOCHREALTIME" "$1" "$kill_command" >> "$KILL_TRACE"
    elif [ "$kill_command" = "${KILL_COMMAND-}" ]; then
      kill_seen=$((kill_seen + 1))
      if [ "$kill_seen" != "${KILL_TIME-1}" ]; then
        return 0
      elif [ -n "${KILL_AFTER-}" ]; then
        # In the midst of what it runs.
        (sleep "$KILL_AFTER"; kill -9 -- -$$) > /dev/null 2>&1 &
      else
        kill -9 -- -$$
      fi
    fi
  }
  set -o functrace
  trap '[ "$BASH_SUBSHELL" != 0 ] || kill_step "$LINENO" "$BASH_COMMAND" "$*"' DEBUG
fi
