#!/usr/bin/env bash
# Prints a layout in words that are the same for two layouts which are the same: no random ids, no times.
# usage: describe.sh DISK-ID...
# The kernel's own names change from boot to boot, and a pool shows the names that it was last found by.
names=(-e 's,  *, ,g')
named() {
  local other
  [ -b "$1" ] || return 1
  for other in "$(readlink -f "$1")" /dev/disk/by-partlabel/*; do
    if [ "$other" -ef "$1" ]; then
      names+=(-e "s,$other\\([^0-9a-z]\\|\$\\),$1\\1,")
    fi
  done
}
for link in /dev/disk/by-id/md-name-*; do
  named "$link"
done
for id in "$@"; do
  disk=/dev/disk/by-id/$id
  echo "disk $id"
  sfdisk --dump "$disk" 2> /dev/null | sed -n -e 's/, uuid=[0-9A-F-]*//' -e 's/^.*: start=/  start=/p'
  for part in "$disk"-part*; do
    named "$part" && echo "  ${part##*/} $(blkid -p -s TYPE -s LABEL -s PART_ENTRY_NAME -o export -- "$part" | grep -v DEVNAME | sort | tr '\n' ' ')"
  done
done
for upper in /dev/disk/by-id/md-name-* /dev/mapper/*; do
  [ -b "$upper" ] || continue
  echo "${upper##*/} $(blkid -p -s TYPE -s LABEL -o export -- "$upper" | grep -v DEVNAME | sort | tr '\n' ' ')"
  mdadm --detail --export "$upper" 2> /dev/null | grep -E '^MD_(LEVEL|DEVICES|METADATA|NAME)='
done
for pool in $(zpool list -H -o name 2> /dev/null); do
  zpool status -P "$pool" | sed -n '/^config:/,/^errors:/p' | sed -e '/^errors:/d' "${names[@]}"
  zpool get -Hp -o property,value,source ashift,autotrim,compatibility,cachefile,delegation "$pool"
  zfs get -rHp -s local,received -o name,property,value all "$pool"
done
findmnt -rn -o TARGET,SOURCE,FSTYPE | grep -E '^/mnt' | sort | sed -e 's,^,mount ,' "${names[@]}"
findmnt -rn -t btrfs -o TARGET | grep -E '^/mnt' | head -n 1 | while read -r place; do
  btrfs subvolume list "$place" | sed 's/.* path //' | sort
done
true
