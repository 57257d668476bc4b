# What only a comparison with the machine as it runs needs: it changes from one moment to the next, so facts.json holds none of it.

# Prints device nodes with the names that link to them: of the mapper, of arrays, and those that pools call their members.
device_links() {
  for link in /dev/mapper/* /dev/disk/by-id/md-name-*; do
    if ! [ -e "$link" ] || [ "$link" = /dev/mapper/control ]; then continue; fi
    printf '%s %s\n' "$(readlink -f "$link")" "$link"
  done
  if [ -d /sys/module/zfs ] && command -v zpool >/dev/null 2>&1; then
    # shellcheck disable=SC2086 # no word, or two
    $limit zpool status -P | sed -n 's,^[[:space:]]*\(/dev/[^[:space:]]*\)[[:space:]].*,\1,p' | while IFS= read -r link; do
      printf '%s %s\n' "$(readlink -f "$link")" "$link"
    done
  fi
}

host_keys() {
  cat /etc/ssh/ssh_host_*_key.pub
}

# Prints what the boot menu on a file system boots by default, and what it is armed with.
menu() {
  if [ -r "$1/grub/grub.cfg" ]; then
    printf 'grub %s\n' "$1"
    awk '
      /^[ \t]*menuentry / { inside = 1 }
      inside && $1 == "linux" {
        for (i = 2; i <= NF; i++) if ($i ~ /^init=/) { sub(/^init=/, "", $i); sub(/\/init$/, "", $i); print "default", $i; exit }
      }
    ' "$1/grub/grub.cfg"
    if [ -r "$1/grub/grubenv" ]; then sed -n 's/^next_entry=\(..*\)/armed \1/p' "$1/grub/grubenv"; fi
  fi
  if [ -r "$1/loader/loader.conf" ]; then
    printf 'systemd-boot %s\n' "$1"
    # With boot counting `preferred` names the default, and the file's name carries counters.
    id=$(awk '$1 == "preferred" { p = $2 } $1 == "default" { d = $2 } END { print (p != "" ? p : d) }' "$1/loader/loader.conf")
    for file in "$1/loader/entries/${id%.conf}.conf" "$1/loader/entries/${id%.conf}+"*.conf; do
      if [ -r "$file" ]; then
        sed -n 's/^options init=\([^ ]*\)\/init.*/default \1/p' "$file"
        break
      fi
    done
  fi
}

menus() {
  { echo /boot; cut -d ' ' -f 2 /proc/mounts; } | sort -u | while IFS= read -r where; do
    case $where in /proc | /proc/* | /sys | /sys/* | /dev | /dev/* | /run/*) ;; *) menu "$where" ;; esac
  done
  oneshot=/sys/firmware/efi/efivars/LoaderEntryOneShot-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f
  if [ -e "$oneshot" ]; then
    # Through a pipe: the firmware's variables know no seeking.
    # shellcheck disable=SC2002
    printf 'firmware LoaderEntryOneShot\narmed %s\n' "$(cat "$oneshot" | tail -c +5 | tr -d '\000')"
  fi
}

live() {
  file cmdline /proc/cmdline
  section device-links device_links
  section host-keys host_keys
  section menus menus
  tool units systemctl list-units --all --no-legend --no-pager --full --plain
  tool unit-types systemctl show --no-pager --property=Id --property=Type '*.service'
  tool unit-files systemctl list-unit-files --no-legend --no-pager --full
  tool sockets ss -Hltun
  if [ -d /sys/module/zfs ]; then
    tool zpool-status zpool status -P
    tool zfs-get zfs get -H -p -t filesystem,volume -o name,property,value,source all
  else
    absent zpool-status /sys/module/zfs
    absent zfs-get /sys/module/zfs
  fi
}

