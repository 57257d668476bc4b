#!/usr/bin/env bash
# plain: installs the system into what mount.sh mounted, and leaves pools that the first boot imports without force.
#
# usage: install.sh [--dry-run] [--host-keys FOLDER] (--system STORE-PATH | --flake FLAKE)
#
#   --system     the system's path in the Nix store: built elsewhere and copied here, or built here
#   --flake      the flake of the fleet's out/, such as /root/out; this host's configuration is taken from it
#   --host-keys  a folder with ssh_host_*_key files that the host is to have; without it keys are made here
set -euo pipefail

host=plain
log=${HOSTWRIGHT_LOG:-/var/log/hostwright-install.log}
dry_run=false
refusals=0
if ! { : >> "$log"; } 2> /dev/null; then
  log=/dev/null
fi

say() {
  printf '%s\n' "$*"
  printf '%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*" >> "$log"
}

die() {
  say "error: $*"
  exit 1
}

# What would do harm ends the script; a dry run counts it and goes on.
refuse() {
  if [ "$dry_run" = false ]; then
    die "$*"
  fi
  say "would refuse: $*"
  refusals=$((refusals + 1))
}

# Shows a command, writes what it says into the log, and runs it unless this is a dry run.
run() {
  say "+$(printf ' %q' "$@")"
  if [ "$dry_run" = false ]; then
    "$@" 2>&1 | tee -a "$log"
  fi
}

# Checks that the programs are there.
need() {
  local program
  for program in "$@"; do
    if ! command -v "$program" > /dev/null; then
      refuse "the rescue system has no $program"
    fi
  done
}

need_root() {
  if [ "$(id -u)" != 0 ]; then
    refuse "this needs root"
  fi
}

# The end of a script: a dry run that would have refused says so by its status.
finish() {
  if [ "$refusals" -gt 0 ]; then
    say "$refusals things would have ended this run"
    exit 1
  fi
  say "$host: $*"
}

# Pools remember the host id they were written under: it must be the installed system's before any pool is made or
# imported, else the first boot finds pools of a stranger.
set_host_id() {
  local id=$1 parameter=/sys/module/spl/parameters/spl_hostid
  if [ "$(hostid 2> /dev/null)" = "$id" ]; then
    say "the host id is $id"
    return 0
  fi
  say "+ write the host id $id to /etc/hostid"
  if [ "$dry_run" = true ]; then
    return 0
  fi
  rm -f /etc/hostid
  # Four bytes, the least significant one first, as zgenhostid(8) writes them.
  printf '%b' "\\x${id:6:2}\\x${id:4:2}\\x${id:2:2}\\x${id:0:2}" > /etc/hostid
  if [ -w "$parameter" ]; then
    printf '%s\n' "$((16#$id))" > "$parameter"
  fi
  if [ "$(hostid)" != "$id" ]; then
    die "the host id is $(hostid), not $id: another program sets it"
  fi
}

# Tells whether a pool is imported.
is_imported() {
  zpool list -H -o name 2> /dev/null | grep -xF -- "$1" > /dev/null
}

target=${HOSTWRIGHT_TARGET:-/mnt}
system=
flake=
host_keys=

usage() {
  echo "usage: ${0##*/} [--dry-run] [--host-keys FOLDER] (--system STORE-PATH | --flake FLAKE)"
}

while [ $# -gt 0 ]; do
  case "$1" in
    --dry-run) dry_run=true ;;
    --system | --flake | --host-keys)
      [ $# -ge 2 ] || die "$1 takes a value"
      case "$1" in
        --system) system=$2 ;;
        --flake) flake=$2 ;;
        --host-keys) host_keys=$2 ;;
      esac
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
  shift
done
if { [ -z "$system" ] && [ -z "$flake" ]; } || { [ -n "$system" ] && [ -n "$flake" ]; }; then
  usage >&2
  exit 2
fi

check_mount() {
  local place=${target%/}$1
  place=${place%/}
  if ! findmnt -n --mountpoint "$place" > /dev/null 2>&1; then
    refuse "nothing is mounted at $place: run mount.sh first"
  fi
}

# What decrypts secrets and what the deployer knows the host by must be there before the first boot.
place_host_keys() {
  local folder=${target%/}/etc/ssh key kind found=false
  run mkdir -p -m 0755 -- "$folder"
  if [ -n "$host_keys" ]; then
    for key in "$host_keys"/ssh_host_*_key; do
      if [ -f "$key" ]; then
        found=true
        run install -m 0600 -- "$key" "$folder/${key##*/}"
        if [ -f "$key.pub" ]; then
          run install -m 0644 -- "$key.pub" "$folder/${key##*/}.pub"
        fi
      fi
    done
    if [ "$found" = false ]; then
      refuse "$host_keys holds no ssh_host_*_key"
    fi
  fi
  for kind in ed25519 rsa; do
    key=$folder/ssh_host_${kind}_key
    if [ -f "$key" ]; then
      say "$key: is there"
    elif [ -z "$host_keys" ]; then
      run ssh-keygen -q -t "$kind" -N '' -C "root@$host" -f "$key"
    fi
  done
  for key in "$folder"/ssh_host_*_key.pub; do
    if [ -f "$key" ]; then
      say "  $(ssh-keygen -l -f "$key")"
    fi
  done
}

# A pool that stays imported was last used by this rescue system, and the first boot may not take it without force.
export_pool() {
  if [ "$dry_run" = true ] || is_imported "$1"; then
    run zpool export "$1"
  fi
  if [ "$dry_run" = false ] && is_imported "$1"; then
    die "$1 is still imported"
  fi
}

need_root
need findmnt hostid install nixos-install ssh-keygen umount
set_host_id d431d544
check_mount /
check_mount /boot
place_host_keys
if [ -n "$system" ]; then
  run nixos-install --root "$target" --system "$system" --no-root-passwd --no-channel-copy
else
  run nixos-install --root "$target" --flake "$flake#$host" --no-root-passwd --no-channel-copy
fi
run sync
run umount --recursive -- "$target"
finish "is installed. Next: reboot it; the first two boots are baseline boots (hostwright reboot-test $host --baseline)"
