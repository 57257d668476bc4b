#!/usr/bin/env bash
# lufta: makes the pools and their datasets.
#
# usage: pools.sh [--dry-run]
#
# Refuses a pool whose name is taken and members that hold something. A pool that an earlier run of this script made is
# completed; nothing that is there is changed or destroyed. Nothing is mounted. Run it after partition.sh.
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

# The property `compatibility` came with OpenZFS 2.1.
has_compatibility() {
  local version minor
  version=$({ zfs version 2> /dev/null || cat /sys/module/zfs/version 2> /dev/null; } | head -n 1)
  version=${version#zfs-}
  minor=${version#*.}
  minor=${minor%%[!0-9]*}
  case "$version" in
    0.*) return 1 ;;
    2.*) [ "${minor:-0}" -ge 1 ] ;;
    *) return 0 ;;
  esac
}

limits=()
# Limits a pool to the features of a set: the first argument; the others are these features for a ZFS that knows no sets.
limit_to() {
  local set=$1 feature known
  shift
  if has_compatibility; then
    limits=(-o "compatibility=$set")
    return 0
  fi
  if [ $# -eq 0 ]; then
    refuse "this OpenZFS is older than 2.1 and knows no compatibility sets; the definition says another installer"
    return 0
  fi
  limits=(-d)
  known=$(zpool upgrade -v 2> /dev/null || true)
  for feature in "$@"; do
    if printf '%s\n' "$known" | grep -w -- "$feature" > /dev/null; then
      limits+=(-o "feature@$feature=enabled")
    fi
  done
}

check_member() {
  local there
  if [ ! -b "$1" ]; then
    refuse "there is no $1: run partition.sh first"
    return 0
  fi
  there=$(blkid -p -s TYPE -o value -- "$1" 2> /dev/null || true)
  if [ -n "$there" ]; then
    refuse "$1 holds a $there"
  fi
}

# Tells whether a pool is to be made: its name, where its members are looked for, its members.
is_to_be_made() {
  local pool=$1 dev_nodes=$2 member
  shift 2
  if is_imported "$pool"; then
    if [ "$(zfs get -H -o value hostwright:host "$pool")" = "$host" ]; then
      say "$pool: was made by an earlier run, what it lacks is added"
      return 1
    fi
    refuse "a pool called $pool is imported"
  fi
  if zpool import -d "$dev_nodes" 2> /dev/null | sed -n 's/^ *pool: //p' | grep -xF -- "$pool" > /dev/null; then
    refuse "a pool called $pool is on the disks: mount.sh imports it if it is this host's, partition.sh wipes it"
  fi
  for member in "$@"; do
    check_member "$member"
  done
  return 0
}

# Makes a dataset unless it is there: its name, then options.
dataset() {
  local name=$1
  shift
  if zfs list -H -o name -- "$name" > /dev/null 2>&1; then
    say "$name: is there, left as it is"
    return 0
  fi
  run zfs create -p "$@" "$name"
}

# Keeps space back, so that a pool that is full can still be cleaned.
reserve() {
  local pool=$1 bytes=$2
  if [ "$bytes" = auto ]; then
    bytes=$(zfs get -Hp -o value available "$pool" 2> /dev/null || echo 0)
    bytes=$((bytes / 100))
    if [ "$bytes" -gt 34359738368 ]; then
      bytes=34359738368
    fi
  fi
  dataset "$pool/reserved" -o mountpoint=none -o "refreservation=$bytes"
}

need_root
need blkid hostid zfs zpool
if [ "$dry_run" = false ]; then
  modprobe zfs 2> /dev/null || true
fi
set_host_id 2487cd1f

# rpool
limits=()
# the generation to be deployed (26.05) has at least OpenZFS 2.3
limit_to openzfs-2.3
if is_to_be_made rpool /dev/disk/by-id /dev/disk/by-id/ata-TOSHIBA_DT01ACA200_1-part1 /dev/disk/by-id/ata-TOSHIBA_DT01ACA200_2-part1 /dev/disk/by-id/ata-TOSHIBA_DT01ACA200_3-part1 /dev/disk/by-id/nvme-SAMSUNG_MZVL2512HCJQ_S675NX0R512345-part3; then
  run zpool create "${limits[@]}" \
    -o 'cachefile=none' \
    -o 'ashift=12' \
    -o 'autotrim=on' \
    -R "$target" \
    -O 'mountpoint=none' \
    -O 'compression=zstd' \
    -O 'acltype=posixacl' \
    -O 'xattr=sa' \
    -O 'atime=off' \
    -O 'hostwright:host=lufta' \
    -O 'hostwright:importable-by=openzfs-2.3' \
    -O 'hostwright:features=allocation_classes,async_destroy,blake3,block_cloning,bookmark_v2,bookmark_written,bookmarks,device_rebuild,device_removal,draid,edonr,embedded_data,empty_bpobj,enabled_txg,encryption,extensible_dataset,fast_dedup,filesystem_limits,head_errlog,hole_birth,large_blocks,large_dnode,large_microzap,livelist,log_spacemap,longname,lz4_compress,multi_vdev_crash_dump,obsolete_counts,project_quota,raidz_expansion,redacted_datasets,redaction_bookmarks,redaction_list_spill,resilver_defer,sha512,skein,spacemap_histogram,spacemap_v2,userobj_accounting,vdev_zaps_v2,zilsaxattr,zpool_checkpoint,zstd_compress' \
    rpool raidz1 /dev/disk/by-id/ata-TOSHIBA_DT01ACA200_1-part1 /dev/disk/by-id/ata-TOSHIBA_DT01ACA200_2-part1 /dev/disk/by-id/ata-TOSHIBA_DT01ACA200_3-part1 log /dev/disk/by-id/nvme-SAMSUNG_MZVL2512HCJQ_S675NX0R512345-part3
fi
reserve rpool 34359738368
dataset rpool/local/root -o 'mountpoint=legacy'
dataset rpool/local/nix -o 'mountpoint=legacy'
dataset rpool/safe/home -o 'mountpoint=legacy'
dataset rpool/safe/var -o 'mountpoint=legacy'
dataset rpool/safe/gitea -o 'mountpoint=legacy' -o 'quota=214748364800'

finish "the pools are ready; next: mount.sh"
