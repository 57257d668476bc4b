#!/bin/sh
# Runs a line of shell as root of a machine that is the folder ROOT: the programs are this machine's, everything else is its own.
#
#   enter.sh ROOT LINE
#
# Needs root, for a mount namespace and chroot. ROOT/boot-id, where there is one, is what the kernel says of its boot.
set -eu
PATH=$PATH:/usr/sbin:/sbin
root=$1
if [ "${3:-}" != within ]; then
  exec unshare -m --propagation private sh "$0" "$1" "$2" within
fi
mount --bind "$root" "$root"
for name in bin sbin lib lib32 lib64 usr; do
  if [ -L "/$name" ]; then
    [ -L "$root/$name" ] || ln -s "$(readlink "/$name")" "$root/$name" 2>/dev/null || true
  elif [ -d "/$name" ]; then
    mkdir -p "$root/$name"
    mount --rbind "/$name" "$root/$name"
  fi
done
mkdir -p "$root/dev" "$root/proc" "$root/tmp" "$root/root" "$root/run" "$root/etc" "$root/var/lib"
mount --rbind /dev "$root/dev"
mount --rbind /proc "$root/proc"
# What Debian has between a program's name and the program.
for name in alternatives postgresql-common; do
  if [ -d "/etc/$name" ]; then
    mkdir -p "$root/etc/$name"
    mount --bind "/etc/$name" "$root/etc/$name"
  fi
done
if [ -e "$root/boot-id" ]; then
  mount --bind "$root/boot-id" "$root/proc/sys/kernel/random/boot_id"
fi
first=
if [ -d "$root/nix/stand-ins" ]; then first=/nix/stand-ins:; fi
cd "$root"
exec chroot "$root" /usr/bin/env -i HOME=/root LC_ALL=C "PATH=$first/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
  sh -c "$2"
