#!/usr/bin/env bash
# Prints a layout in words that are the same for two layouts which are the same: no random ids, no times.
# usage: describe.sh DISK-ID...
for id in "$@"; do
  disk=/dev/disk/by-id/$id
  echo "disk $id"
  sfdisk --dump "$disk" 2> /dev/null | sed -n -e 's/, uuid=[0-9A-F-]*//' -e 's/^.*: start=/  start=/p'
  for part in "$disk"-part*; do
    [ -b "$part" ] && echo "  ${part##*/} $(blkid -p -s TYPE -s LABEL -s PART_ENTRY_NAME -o export -- "$part" | grep -v DEVNAME | sort | tr '\n' ' ')"
  done
done
for pool in $(zpool list -H -o name 2> /dev/null); do
  zpool status -P "$pool" | sed -n '/^config:/,/^errors:/p' | sed '/^errors:/d'
  zpool get -Hp -o property,value,source ashift,autotrim,compatibility,cachefile,delegation "$pool"
  zfs get -rHp -s local,received -o name,property,value all "$pool"
done
findmnt -rn -o TARGET,SOURCE,FSTYPE | grep -E '^/mnt' | sort
true
