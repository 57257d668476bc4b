#!/usr/bin/env bash
# twins: cuts the disks into partitions and makes file systems and swap on them.
#
# usage: partition.sh [--dry-run] [--yes DISK-ID]...
#
# Refuses a disk that is missing, has another size than defined, is in use, or holds something and is not called disposable.
# Asks for each disk's id before it wipes it; --yes answers for one disk. What is there already is left as it is.
set -euo pipefail

host=twins
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

answered=' '
to_wipe=' '

usage() {
  echo "usage: ${0##*/} [--dry-run] [--yes DISK-ID]..."
}

while [ $# -gt 0 ]; do
  case "$1" in
    --dry-run) dry_run=true ;;
    --yes)
      [ $# -ge 2 ] || die "--yes takes a disk's id"
      answered="$answered$2 "
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

# Calls a function for each disk with: id, device, bytes as defined (0: not stated), whether it may be wiped,
# whether it is only described.
each_disk() {
  local do=$1
  "$do" ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0AAAAAA /dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0AAAAAA 4000000000000 true false
  "$do" ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0BBBBBB /dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0BBBBBB 4000000000000 false false
  "$do" nvme-INTEL_SSDPEK1A058GA_PHOC1 /dev/disk/by-id/nvme-INTEL_SSDPEK1A058GA_PHOC1 58000000000 false false
  "$do" nvme-INTEL_SSDPEK1A058GA_PHOC2 /dev/disk/by-id/nvme-INTEL_SSDPEK1A058GA_PHOC2 58000000000 false false
  "$do" ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0EEEEEE /dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0EEEEEE 4000000000000 false false
}

# Calls a function for each partition of a disk with: number, place for sgdisk, type, label, device.
each_partition() {
  local do=$2
  case "$1" in
    ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0AAAAAA)
      "$do" 1 1M:+1M EF02 twins-a-bios /dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0AAAAAA-part1
      "$do" 2 2M:+1024M 8300 twins-a-boot /dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0AAAAAA-part2
      "$do" 3 1026M:+8192M 8200 twins-a-swap /dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0AAAAAA-part3
      "$do" 4 9218M:0 BF01 twins-a-pool /dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0AAAAAA-part4
      ;;
    ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0BBBBBB)
      "$do" 1 1M:+1M EF02 twins-b-bios /dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0BBBBBB-part1
      "$do" 2 2M:+1024M 8300 twins-b-boot /dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0BBBBBB-part2
      "$do" 3 1026M:+8192M 8200 twins-b-swap /dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0BBBBBB-part3
      "$do" 4 9218M:0 BF01 twins-b-pool /dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0BBBBBB-part4
      ;;
    nvme-INTEL_SSDPEK1A058GA_PHOC1)
      "$do" 1 1M:0 BF01 twins-c-zfs /dev/disk/by-id/nvme-INTEL_SSDPEK1A058GA_PHOC1-part1
      ;;
    nvme-INTEL_SSDPEK1A058GA_PHOC2)
      "$do" 1 1M:0 BF01 twins-d-zfs /dev/disk/by-id/nvme-INTEL_SSDPEK1A058GA_PHOC2-part1
      ;;
    ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0EEEEEE)
      "$do" 1 1M:0 BF01 twins-e-zfs /dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0EEEEEE-part1
      ;;
  esac
}

# The disk GUID of a table that is being written; it gets a random one when all of its partitions are there and cleared. A disk
# that bears it was blank, or disposable, and confirmed when a run began with it that did not end: it may be cut anew.
begun=68f0a1d2-3c5b-4e77-9a16-b0e6d1577a2e

# Tells whether an earlier run began to partition a disk and did not end.
is_begun() {
  [ "$(blkid -p -s PTUUID -o value -- "$1" 2> /dev/null || true)" = "$begun" ]
}

alike=true
compare_partition() {
  local label=$4 device=$5 there
  there=$(blkid -p -s PART_ENTRY_NAME -o value -- "$device" 2> /dev/null || true)
  if [ ! -b "$device" ] || [ "$there" != "$label" ]; then
    alike=false
  fi
}

# Tells whether every partition of a disk is there under its label.
is_partitioned() {
  alike=true
  each_partition "$1" compare_partition
  [ "$alike" = true ]
}

missing_partition() {
  if [ ! -b "$5" ]; then
    refuse "$5: there is no such partition, and a disk with an MBR table is never laid out here"
  fi
}

# A disk that is only described has its partitions already.
check_described() {
  each_partition "$1" missing_partition
  say "$1: is described with its MBR table, left as it is"
}

check_disk() {
  local id=$1 device=$2 bytes=$3 disposable=$4 described=$5 real size off part used
  if [ ! -b "$device" ]; then
    refuse "$id: there is no such disk ($device)"
    return 0
  fi
  real=$(readlink -f -- "$device")
  size=$(blockdev --getsize64 "$real")
  if [ "$bytes" -gt 0 ]; then
    off=$((size > bytes ? size - bytes : bytes - size))
    if [ $((off * 100)) -gt "$bytes" ]; then
      refuse "$id: it has $size bytes, the definition says $bytes"
    fi
  fi
  if [ "$described" = true ]; then
    check_described "$id"
    return 0
  fi
  if is_begun "$real"; then
    say "$id: an earlier run began with it and did not end; it is partitioned anew"
    disposable=true
  elif is_partitioned "$id"; then
    say "$id: is partitioned as defined, left as it is"
    return 0
  fi
  used=$(lsblk -nro MOUNTPOINT "$real" | sed '/^$/d' | tr '\n' ' ')
  if [ -n "$used" ]; then
    refuse "$id: is in use: $used"
  fi
  while read -r part; do
    for used in "/sys/class/block/${part##*/}/holders/"*; do
      if [ -e "$used" ]; then
        refuse "$id: ${used##*/} stands on it"
      fi
    done
    if command -v zpool > /dev/null && zpool status -LP 2> /dev/null | awk '{ print $1 }' | grep -xF -- "$part" > /dev/null; then
      refuse "$id: $part belongs to an imported pool"
    fi
    if [ "$disposable" = false ] && [ -n "$(wipefs -- "$part" 2> /dev/null)" ]; then
      refuse "$id: $part holds something; say disposable = true for the disk if it may be wiped"
    fi
  done < <(lsblk -nrpo NAME "$real")
  to_wipe="$to_wipe$id "
}

is_to_be_wiped() {
  case "$to_wipe" in
    *" $1 "*) return 0 ;;
    *) [ "$dry_run" = true ] && [ ! -b "$2" ] ;;
  esac
}

confirm_disk() {
  local id=$1 device=$2 answer
  if ! is_to_be_wiped "$id" "$device"; then
    return 0
  fi
  say "$id: everything on it will be lost"
  if [ -b "$device" ]; then
    say "  $(lsblk -dno SERIAL,SIZE,MODEL "$device")"
  fi
  case "$answered" in
    *" $id "*) return 0 ;;
  esac
  if [ "$dry_run" = true ]; then
    say "  would ask for its id"
    return 0
  fi
  read -r -p "  type its id to wipe it: " answer
  if [ "$answer" != "$id" ]; then
    die "$id: not confirmed, nothing was changed"
  fi
}

# Adds a partition to what sgdisk is told: the table is written once, whole.
new_partition() {
  cut+=(--new="$1:$2" --typecode="$1:$3" --change-name="$1:$4")
}

# A file system that lay at the same place before would come back to life.
clear_partition() {
  local device=$5
  wait_for "$device"
  run wipefs --all "$device"
}

await_partition() {
  wait_for "$5"
}

partition_disk() {
  local id=$1 device=$2 part cut=(--clear --disk-guid="$begun")
  if ! is_to_be_wiped "$id" "$device"; then
    return 0
  fi
  if [ -b "$device" ]; then
    while read -r part; do
      run wipefs --all "$part"
    done < <(lsblk -nrpo NAME "$(readlink -f -- "$device")" | tac)
  fi
  run sgdisk --zap-all "$device"
  each_partition "$id" new_partition
  run sgdisk "${cut[@]}" "$device"
  run udevadm settle
  if [ "$dry_run" = false ]; then
    blockdev --rereadpt "$device" 2> /dev/null || true
    udevadm settle
  fi
  each_partition "$id" clear_partition
  run sgdisk --disk-guid=R "$device"
  # Whenever a table is written the kernel reads it again, and its partitions are gone until udev has named them anew.
  run udevadm settle
  each_partition "$id" await_partition
}

# Makes a file system or swap: device, what.
make_filesystem() {
  local device=$1 make=$2 there
  wait_for "$device"
  there=$(signature "$device")
  if [ "$there" = "$make" ]; then
    say "$device: has a $make already, left as it is"
    return 0
  fi
  if [ -n "$there" ]; then
    refuse "$device: holds a $there where a $make should be"
    return 0
  fi
  case "$make" in
    ext4)
      # What a newer mke2fs switches on, older kernels and GRUB cannot read.
      if grep -qw orphan_file /etc/mke2fs.conf 2> /dev/null || mke2fs -V 2>&1 | grep -E '1\.(4[7-9]|[5-9])' > /dev/null; then
        run mkfs.ext4 -q -O ^metadata_csum_seed,^orphan_file "$device"
      else
        run mkfs.ext4 -q "$device"
      fi
      ;;
    xfs) run mkfs.xfs -q "$device" ;;
    btrfs) run mkfs.btrfs -q "$device" ;;
    vfat) run mkfs.vfat -F 32 "$device" ;;
    swap) run mkswap "$device" ;;
  esac
}

need_root
need awk blkid blockdev lsblk sgdisk udevadm wipefs
each_disk check_disk
each_disk confirm_disk
each_disk partition_disk
make_filesystem /dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0AAAAAA-part2 ext4
make_filesystem /dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0AAAAAA-part3 swap
make_filesystem /dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0BBBBBB-part2 ext4
make_filesystem /dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0BBBBBB-part3 swap
finish "the disks are ready; next: pools.sh"
