# Sourced by bash (BASH_ENV) before the script under test: counts its commands, and at one of them ends the script with all that
# it started, as a lost connection or a power button does. With KILL_TRACE the commands are written down instead,
# with the time at which each begins.
if [ "${0##*/}" = "${KILL_SCRIPT-}" ]; then
  unset BASH_ENV
  kill_count=0
  kill_step() {
    kill_count=$((kill_count + 1))
    local kill_command=$2
    # What the scripts' own function `run` was given.
    [ "${2%% *}" != '"$@"' ] || kill_command="does $3"
    if [ -n "${KILL_TRACE-}" ]; then
      printf '%s\t%s\t%s\t%s\n' "$kill_count" "$EPOCHREALTIME" "$1" "${kill_command//[$'\n\t']/ }" >> "$KILL_TRACE"
    elif [ "$kill_count" = "${KILL_AT-0}" ]; then
      if [ -n "${KILL_AFTER-}" ]; then
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
