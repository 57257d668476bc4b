#!/usr/bin/env bash
# lufta: imports the pools and mounts everything below /mnt, or the folder in HOSTWRIGHT_TARGET.
#
# usage: mount.sh [--dry-run]
#
# Imports without force: a pool that another machine used last is not taken from it. What is mounted is left as it is.
set -euo pipefail

host=lufta
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

# Arrays and LUKS devices. Each function leaves what is there already, and refuses what is something else.

# Returns what a device holds by its signature, or nothing.
signature() {
  blkid -p -s TYPE -o value -- "$1" 2> /dev/null || true
}

# Waits until a device appears.
wait_for() {
  local device=$1 tries=0
  while [ "$dry_run" = false ] && [ ! -b "$device" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 30 ]; then
      die "$device does not appear"
    fi
    sleep 1
  done
}

target=${HOSTWRIGHT_TARGET:-/mnt}
case "${1-}" in
  '') ;;
  --dry-run) dry_run=true ;;
  -h | --help)
    echo "usage: ${0##*/} [--dry-run]"
    exit 0
    ;;
  *)
    echo "usage: ${0##*/} [--dry-run]" >&2
    exit 2
    ;;
esac

import_pool() {
  if is_imported "$1"; then
    say "$1: is imported"
    return 0
  fi
  # Below another root, so that nothing of it can ever be mounted over this system.
  run zpool import -N -o cachefile=none -R "$target" -d "$2" "$1"
}

# Mounts a source of a kind at a path below the target.
mount_at() {
  local path=$1 source=$2 kind=$3 options=$4 there place
  place=${target%/}$path
  place=${place%/}
  there=$(findmnt -n -v -o SOURCE --mountpoint "$place" 2> /dev/null | tail -n 1 || true)
  if [ -n "$there" ]; then
    if [ "$there" = "$source" ] || [ "$there" = "$(readlink -f -- "$source")" ]; then
      say "$place: is mounted"
    else
      refuse "$place: $there is mounted there, not $source"
    fi
    return 0
  fi
  run mkdir -p -- "$place"
  if [ -n "$options" ]; then
    run mount -t "$kind" -o "$options" -- "$source" "$place"
  else
    run mount -t "$kind" -- "$source" "$place"
  fi
}

need_root
need findmnt hostid mount zfs zpool
set_host_id 2487cd1f
import_pool rpool /dev/disk/by-id
mount_at / rpool/local/root zfs ''
mount_at /boot /dev/disk/by-id/nvme-SAMSUNG_MZVL2512HCJQ_S675NX0R512345-part2 ext4 ''
mount_at /home rpool/safe/home zfs ''
mount_at /nix rpool/local/nix zfs ''
mount_at /var rpool/safe/var zfs ''
mount_at /var/lib/gitea rpool/safe/gitea zfs ''
finish "everything is mounted below $target; next: install.sh"
