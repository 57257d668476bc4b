#!/bin/sh
# Prints what hostwright has to know of this machine. It only reads: it writes no file, imports no pool, loads no kernel
# module. A POSIX shell and busybox's tools are enough; as root it sees more (signatures on disks, labels of pools).
#
#   sh probe.sh >HOST.probe            on the machine, in a rescue system as well as in the installed one
#   hostwright probe --from HOST.probe --host HOST
#
# Each section stands between two lines with a word that nobody can know beforehand, so that no content can pass for one.

# Prints a key and the first line of a file, nothing where the file cannot be read or is empty.
line() {
  if ! [ -r "$2" ] || [ -d "$2" ]; then return 0; fi
  value=
  { IFS= read -r value || :; } 2>/dev/null <"$2"
  if [ -n "$value" ]; then printf '%s %s\n' "$1" "$value"; fi
}

encode() {
  if [ "$encoding" = base64 ]; then base64; else sed 's/^/|/'; fi
}

# section NAME COMMAND...: the command's output and its exit status.
section() {
  name=$1
  shift
  printf '@%s begin %s\n' "$nonce" "$name"
  status=$({ { "$@" 2>/dev/null 3>&- 4>&-; printf '%s' "$?" >&3; } | encode >&4; } 3>&1)
  printf '@%s end %s %s\n' "$nonce" "$name" "$status"
  count=$((count + 1))
}

absent() {
  printf '@%s absent %s %s\n' "$nonce" "$1" "$2"
  count=$((count + 1))
}

# tool NAME COMMAND...: the same of a program that may not be there, and that may hang on a broken disk.
tool() {
  if command -v "$2" >/dev/null 2>&1; then
    name=$1
    shift
    # shellcheck disable=SC2086 # no word, or two
    section "$name" $limit "$@"
  else
    absent "$1" "$2"
  fi
}

# file NAME PATH: the text of a file.
file() {
  if [ -r "$2" ]; then section "$1" cat "$2"; else absent "$1" "$2"; fi
}

about() {
  printf 'uid %s\n' "$(id -u)"
  printf 'kernel %s\n' "$(uname -r)"
  printf 'arch %s\n' "$(uname -m)"
  printf 'hostname %s\n' "$(uname -n)"
  if [ -d /sys/firmware/efi ]; then echo 'firmware uefi'; elif [ -d /sys/class ]; then echo 'firmware bios'; fi
  line spl_hostid /sys/module/spl/parameters/spl_hostid
  if [ -r /etc/hostid ]; then printf 'hostid_bytes %s\n' "$(od -An -tx1 -N4 /etc/hostid | tr -d ' \n')"; fi
  line zfs_module /sys/module/zfs/version
}

dmi() {
  for key in sys_vendor product_name board_vendor board_name chassis_vendor bios_vendor; do
    line "$key" "/sys/class/dmi/id/$key"
  done
}

# Prints the driver of a device and of all that it hangs on, the nearest first, each with its kernel module.
drivers() {
  at=$(readlink -f "$1")
  while :; do
    case $at in /sys/devices/?*) ;; *) break ;; esac
    if [ -e "$at/driver" ]; then
      driver=$(readlink -f "$at/driver")
      module=
      if [ -e "$at/driver/module" ]; then module=$(readlink -f "$at/driver/module"); fi
      printf 'driver %s %s\n' "${driver##*/}" "${module##*/}"
    fi
    at=${at%/*}
  done
}

# Prints the names of the disks: no memory, loop and optical ones, nothing that is made of other disks.
disk_names() {
  for disk in /sys/block/*; do
    case ${disk##*/} in
      loop* | ram* | zram* | sr* | fd* | dm-* | md* | zd* | nbd* | '*') ;;
      *) printf '%s\n' "${disk##*/}" ;;
    esac
  done
}

sys_block() {
  [ -d /sys/block ] || return 1
  for name in $(disk_names); do
    disk=/sys/block/$name
    printf 'disk %s\n' "$name"
    printf 'devpath %s\n' "$(readlink -f "$disk")"
    line sectors "$disk/size"
    line removable "$disk/removable"
    line readonly "$disk/ro"
    line rotational "$disk/queue/rotational"
    line logical "$disk/queue/logical_block_size"
    line physical "$disk/queue/physical_block_size"
    line vendor "$disk/device/vendor"
    line model "$disk/device/model"
    line serial "$disk/serial"
    line serial "$disk/device/serial"
    line wwid "$disk/wwid"
    line wwid "$disk/device/wwid"
    if [ -r "$disk/device/vpd_pg80" ]; then
      printf 'vpd80 %s\n' "$(tail -c +5 "$disk/device/vpd_pg80" | tr -cd '[:print:]')"
    fi
    if [ -e "$disk/device" ]; then drivers "$disk/device"; else drivers "$disk"; fi
    for holder in "$disk"/holders/*; do
      if [ -e "$holder" ]; then printf 'holder %s\n' "${holder##*/}"; fi
    done
    for part in "$disk/$name"*; do
      [ -e "$part/partition" ] || continue
      printf 'partition %s\n' "${part##*/}"
      line number "$part/partition"
      line sectors "$part/size"
      line start "$part/start"
      sed -n 's/^PARTNAME=/label /p' "$part/uevent"
      for holder in "$part"/holders/*; do
        if [ -e "$holder" ]; then printf 'holder %s\n' "${holder##*/}"; fi
      done
    done
  done
}

by_id() {
  [ -d /dev/disk/by-id ] || return 1
  for link in /dev/disk/by-id/*; do
    if [ -e "$link" ]; then printf '%s %s\n' "$(readlink -f "$link")" "${link##*/}"; fi
  done
}

# Prints the signatures on each disk and each of its partitions.
signatures() {
  for name in $(disk_names); do
    for device in "/sys/block/$name" "/sys/block/$name/$name"*; do
      if ! [ -e "$device/size" ] || ! [ -b "/dev/${device##*/}" ]; then continue; fi
      printf 'device /dev/%s\n' "${device##*/}"
      # shellcheck disable=SC2086 # no word, or two
      $limit wipefs --no-act --parsable "/dev/${device##*/}" || printf 'failed %s\n' "$?"
    done
  done
}

pool_labels() {
  for name in $(disk_names); do
    for device in "/sys/block/$name" "/sys/block/$name/$name"*; do
      if ! [ -e "$device/size" ] || ! [ -b "/dev/${device##*/}" ]; then continue; fi
      printf 'device /dev/%s\n' "${device##*/}"
      # shellcheck disable=SC2086 # no word, or two
      $limit zdb -l "/dev/${device##*/}" || :
    done
  done
}

sys_net() {
  [ -d /sys/class/net ] || return 1
  for net in /sys/class/net/*; do
    [ -e "$net/address" ] || continue
    name=${net##*/}
    printf 'interface %s\n' "$name"
    line address "$net/address"
    line assigned "$net/addr_assign_type"
    line permanent "$net/bonding_slave/perm_hwaddr"
    line operstate "$net/operstate"
    line flags "$net/flags"
    line type "$net/type"
    line mtu "$net/mtu"
    sed -n 's/^DEVTYPE=/devtype /p' "$net/uevent"
    for lower in "$net"/lower_*; do
      if [ -e "$lower" ]; then printf 'lower %s\n' "${lower##*/lower_}"; fi
    done
    if [ -e "$net/device" ]; then
      printf 'devpath %s\n' "$(readlink -f "$net/device")"
      drivers "$net/device"
      if command -v ethtool >/dev/null 2>&1; then
        ethtool -P "$name" | sed -n 's/^Permanent address: /permanent /p'
      fi
      if command -v udevadm >/dev/null 2>&1; then
        udevadm info --query=property --path="$net" | sed -n 's/^ID_PATH=/path /p'
      fi
    fi
  done
}

# Prints what is on the PCI bus: who made it, what it is, which class of devices it is of, what drives it.
sys_pci() {
  [ -d /sys/bus/pci/devices ] || return 1
  for device in /sys/bus/pci/devices/*; do
    [ -e "$device/vendor" ] || continue
    printf 'slot %s\n' "${device##*/}"
    line vendor "$device/vendor"
    line device "$device/device"
    line class "$device/class"
    if [ -e "$device/driver" ]; then
      driver=$(readlink -f "$device/driver")
      module=$driver
      if [ -e "$device/driver/module" ]; then module=$(readlink -f "$device/driver/module"); fi
      printf 'driver %s\n' "${module##*/}"
    fi
  done
}

resolvers() {
  cat /etc/resolv.conf || return 1
  if [ -r /run/systemd/resolve/resolv.conf ]; then cat /run/systemd/resolve/resolv.conf; fi
}

nixos() {
  profiles=/nix/var/nix/profiles
  [ -e "$profiles/system" ] || return 1
  printf 'profile %s\n' "$(readlink "$profiles/system")"
  for link in /run/booted-system /run/current-system; do
    if [ -e "$link" ]; then printf '%s %s\n' "${link##*/}" "$(readlink -f "$link")"; fi
  done
  line kernel_params /run/booted-system/kernel-params
  for generation in "$profiles"/system-*-link; do
    [ -e "$generation" ] || continue
    number=${generation##*/system-}
    printf 'generation %s\n' "${number%-link}"
    printf 'path %s\n' "$(readlink -f "$generation")"
    line version "$generation/nixos-version"
    for modules in "$generation"/kernel-modules/lib/modules/*; do
      [ -d "$modules" ] || continue
      printf 'kernel %s\n' "${modules##*/}"
      for built in "$modules"/extra/zfs.ko* "$modules"/extra/zfs/zfs.ko*; do
        if [ -e "$built" ]; then printf 'zfs_module %s\n' "$(readlink -f "$built")"; fi
      done
    done
    if [ -e "$generation/sw/bin/zpool" ]; then printf 'zpool %s\n' "$(readlink -f "$generation/sw/bin/zpool")"; fi
  done
  sed -n 's/^[^#]*stateVersion *= *"\([0-9.]*\)".*/state_version \1/p' /etc/nixos/*.nix 2>/dev/null || :
}

blkid_all() {
  # Only that of util-linux knows -V, and only that keeps a cache, which is left alone.
  if blkid -V >/dev/null 2>&1; then blkid -c /dev/null -o export; else blkid; fi
}

main() {
  LC_ALL=C
  PATH=${PATH:-/bin}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin:/run/current-system/sw/bin
  # OpenZFS's commands load the module unless they are told not to; they are only called where it is there.
  ZFS_MODULE_LOADING=no
  export LC_ALL PATH ZFS_MODULE_LOADING
  exec 4>&1
  count=0
  nonce=$(cat /proc/sys/kernel/random/uuid 2>/dev/null)
  if [ -z "$nonce" ]; then nonce=$(od -An -N16 -tx1 /dev/urandom 2>/dev/null | tr -d ' \n'); fi
  if [ -z "$nonce" ]; then nonce=$$.$(date +%s); fi
  encoding=lines
  if printf x | base64 >/dev/null 2>&1; then encoding=base64; fi
  limit=
  if timeout 5 true >/dev/null 2>&1; then limit='timeout 60'; fi

  printf 'hostwright-probe 1 %s %s\n' "$nonce" "$encoding"
  section about about
  file boot-id /proc/sys/kernel/random/boot_id
  file machine-id /etc/machine-id
  file meminfo /proc/meminfo
  section cpuinfo sed '/^$/q' /proc/cpuinfo
  file os-release /etc/os-release
  section dmi dmi
  file mounts /proc/mounts
  file swaps /proc/swaps
  section sys-pci sys_pci
  section sys-block sys_block
  section by-id by_id
  tool lsblk lsblk -J -O -b
  if command -v blkid >/dev/null 2>&1; then section blkid blkid_all; else absent blkid blkid; fi
  if command -v wipefs >/dev/null 2>&1; then section wipefs signatures; else absent wipefs wipefs; fi
  section sys-net sys_net
  tool ip-addr-json ip -j addr
  tool ip-addr ip -o addr
  tool ip-route-json ip -j route
  tool ip-route ip route
  tool ip-route6-json ip -6 -j route
  tool ip-route6 ip -6 route
  section resolv-conf resolvers
  tool zfs-version zfs --version
  if [ -d /sys/module/zfs ]; then
    tool zpool-get zpool get -H -p -o name,property,value all
    tool zpool-import zpool import
  else
    absent zpool-get /sys/module/zfs
    absent zpool-import /sys/module/zfs
  fi
  if command -v zdb >/dev/null 2>&1; then section zdb-labels pool_labels; else absent zdb-labels zdb; fi
  section nixos nixos
  printf '@%s done %s\n' "$nonce" "$count"
}

# The last line: half a script does nothing. Standard input may be the script itself.
main </dev/null
