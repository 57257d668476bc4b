#!/usr/bin/env bash
# lufta: installs the system into what mount.sh mounted, and leaves pools that the first boot imports without force.
#
# usage: install.sh [--dry-run] [--host-keys FOLDER] [--secrets FOLDER] (--system STORE-PATH | --flake FLAKE)
#
#   --system     the system's path in the Nix store: built elsewhere and copied here, or built here
#   --flake      the flake of the fleet's out/, such as /root/out; this host's configuration is taken from it
#   --host-keys  a folder with ssh_host_*_key files that the host is to have; without it keys are made here
#   --secrets    a folder with a file for each secret, by its name
#
# A run that was cut short can be run again: what is there is kept, what is half there is made anew.
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
system=
flake=
host_keys=
secrets=
at=0
steps=7

usage() {
  echo "usage: ${0##*/} [--dry-run] [--host-keys FOLDER] [--secrets FOLDER] (--system STORE-PATH | --flake FLAKE)"
}

while [ $# -gt 0 ]; do
  case "$1" in
    --dry-run) dry_run=true ;;
    --system | --flake | --host-keys | --secrets)
      [ $# -ge 2 ] || die "$1 takes a value"
      case "$1" in
        --system) system=$2 ;;
        --flake) flake=$2 ;;
        --host-keys) host_keys=$2 ;;
        --secrets) secrets=$2 ;;
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

step() {
  at=$((at + 1))
  say "step $at of $steps: $*"
}

stopped() {
  local status=$?
  if [ "$status" != 0 ] && [ "$at" -gt 0 ] && [ "$dry_run" = false ]; then
    say "stopped in step $at of $steps; mend what is said above and run it again (log: $log)"
  fi
}

# Copies a file so that it is there whole or not at all.
place_file() {
  local from=$1 to=$2 mode=$3 owner=$4
  run install -m "$mode" -o "${owner%%:*}" -g "${owner##*:}" -- "$from" "$to.hostwright"
  run sync -- "$to.hostwright"
  run mv -f -- "$to.hostwright" "$to"
}

# Makes a host key unless a whole one is there.
make_key() {
  local kind=$1 key=$2
  if [ -f "$key" ] && ssh-keygen -y -P '' -f "$key" > /dev/null 2>&1; then
    say "$key: is there"
    if [ ! -s "$key.pub" ] && [ "$dry_run" = false ]; then
      ssh-keygen -y -P '' -f "$key" > "$key.pub"
    fi
    return 0
  fi
  # What a cut left of an earlier one: ssh-keygen would ask before it overwrites.
  run rm -f -- "$key" "$key.pub"
  run ssh-keygen -q -t "$kind" -N '' -C "root@$host" -f "$key"
}

# What decrypts secrets and what the deployer knows the host by must be there before the first boot.
place_host_keys() {
  local folder=${target%/}/etc/ssh key kind found=false
  run mkdir -p -m 0755 -- "$folder"
  if [ -n "$host_keys" ]; then
    for key in "$host_keys"/ssh_host_*_key; do
      if [ -f "$key" ]; then
        found=true
        place_file "$key" "$folder/${key##*/}" 0600 0:0
        if [ -f "$key.pub" ]; then
          place_file "$key.pub" "$folder/${key##*/}.pub" 0644 0:0
        fi
      fi
    done
    if [ "$found" = false ]; then
      refuse "$host_keys holds no ssh_host_*_key"
    fi
  else
    for kind in ed25519 rsa; do
      make_key "$kind" "$folder/ssh_host_${kind}_key"
    done
  fi
  for key in "$folder"/ssh_host_*_key.pub; do
    if [ -f "$key" ]; then
      say "  $(ssh-keygen -l -f "$key")"
    fi
  done
}

# Places a file that is there before the first boot: from the folder of secrets, else it is there, can be made, or is said to lack.
needed_file() {
  local name=$1 path=${target%/}$2 mode=$3 folder_mode=$4 kind=$5
  run mkdir -p -m "$folder_mode" -- "${path%/*}"
  if [ -n "$secrets" ] && [ -f "$secrets/$name" ]; then
    place_file "$secrets/$name" "$path" "$mode" 0:0
  elif [ "$kind" = key ]; then
    make_key ed25519 "$path"
  elif [ -s "$path" ]; then
    say "$path: is there"
  else
    say "$name: nothing brings this secret, and what uses it does not work until it is in $2 (--secrets places it)"
  fi
}

# Places what the folder of secrets has beyond the files that are named.
other_secrets() {
  local folder=${target%/}/etc/credstore file name
  if [ -z "$secrets" ]; then
    return 0
  fi
  if [ ! -d "$secrets" ]; then
    refuse "$secrets is no folder"
    return 0
  fi
  for file in "$secrets"/*; do
    name=${file##*/}
    case " $named " in
      *" $name "* | *" ${name%.pub} "*) continue ;;
    esac
    if [ -f "$file" ]; then
      run mkdir -p -m 0700 -- "$folder"
      place_file "$file" "$folder/$name" 0400 0:0
    fi
  done
}

# The boot loader must have left its menu on each disk that boots.
check_loader() {
  if [ "$dry_run" = false ] && [ ! -s "${target%/}$1" ]; then
    die "$1 is not there: the boot loader was not installed on that disk"
  fi
}

# Something may still look at a file there, such as the shell of another login.
unmount_all() {
  local try
  for try in 1 2 3 4 5; do
    if [ "$dry_run" = false ] && ! findmnt -n --mountpoint "$target" > /dev/null 2>&1; then
      return 0
    fi
    if run umount --recursive -- "$target"; then
      return 0
    fi
    say "$target is in use (try $try of 5)"
    sleep 2
  done
  return 1
}

# A pool that stays imported was last used by this rescue system, and the first boot may not take it without force.
export_pool() {
  if [ "$dry_run" = true ] || is_imported "$1"; then
    run zpool export "$1" || true
  fi
  if [ "$dry_run" = false ] && is_imported "$1"; then
    left="$left $1"
  fi
}

trap stopped EXIT
step "look at this system and at what is mounted"
need_root
if ! command -v nixos-install > /dev/null; then
  refuse "this rescue system has no nixos-install: boot a NixOS installer, or where Nix is installed run \
nix-env -f '<nixpkgs>' -iA nixos-install-tools"
fi
need findmnt hostid install mv ssh-keygen sync umount zpool
set_host_id 2487cd1f
check_mount /
check_mount /boot
check_mount /home
check_mount /nix
check_mount /var
check_mount /var/lib/gitea
step "place the host keys"
place_host_keys
step "place what the first boot needs"
named=''
named="$named "wireguard
needed_file wireguard /etc/credstore/wireguard 0400 0700 secret
named="$named "miniflux-admin
needed_file miniflux-admin /etc/credstore/miniflux-admin 0400 0700 secret
named="$named "borg-passphrase
needed_file borg-passphrase /etc/credstore/borg-passphrase 0400 0700 secret
named="$named "borg-key
needed_file borg-key /etc/credstore/borg-key 0400 0700 secret
other_secrets
step "install the system and its boot loader"
if [ -n "$system" ]; then
  run nixos-install --root "$target" --system "$system" --no-root-passwd --no-channel-copy
else
  run nixos-install --root "$target" --flake "$flake#$host" --no-root-passwd --no-channel-copy
fi
step "look at the boot loader on each disk"
check_loader /boot/grub/grub.cfg
if [ "$dry_run" = false ] && [ -d /sys/firmware/efi/efivars ] && command -v efibootmgr > /dev/null; then
  run efibootmgr
fi
step "write everything out and unmount"
run sync
busy=false
unmount_all || busy=true
step "export the pools"
left=''
export_pool rpool
if [ -n "$left" ]; then
  die "still imported:$left. End what uses $target (fuser -vm $target), then: umount -R $target && zpool export$left"
fi
if [ "$busy" = true ] && findmnt -n --mountpoint "$target" > /dev/null 2>&1; then
  die "$target is still mounted; end what uses it (fuser -vm $target), then: umount -R $target"
fi
finish "is installed and its pools are exported. Next: reboot it; the first two boots are baseline boots (hostwright reboot-test $host --baseline)"
