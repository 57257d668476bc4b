# attic: boot loader, kernel, initrd, import of pools
# Written by hostwright from hosts/attic/host.toml; changes here are lost.
{ lib, pkgs, ... }:

{
  boot = {
    loader = {
      systemd-boot = {
        enable = true;
        configurationLimit = 8;
        editor = lib.mkDefault false;
        extraInstallCommands =
          "export PATH=${
            lib.makeBinPath [
              pkgs.coreutils
              pkgs.diffutils
              pkgs.efibootmgr
              pkgs.gnugrep
              pkgs.gnused
              pkgs.systemd
              pkgs.util-linux
            ]
          }:$PATH\n"
          + ''
            # Copies the boot loader, its entries and their kernels to the other EFI system partitions, so that each disk boots alone.
            # What an entry needs is there before the entry, and what no entry needs leaves after it: a power cut leaves a menu that boots.
            hostwright_copy() (
              # $1 is copied over $2 unless they are alike.
              if cmp -s -- "$1" "$2"; then
                exit 0
              fi
              cp -- "$1" "$2.hostwright"
              sync -- "$2.hostwright"
              mv -f -- "$2.hostwright" "$2"
            )
            hostwright_entry() {
              # An entry's name without ending and without the counters of boot counting.
              local name=''${1##*/}
              name=''${name%.conf}
              printf '%s' "''${name%%+*}"
            }
            hostwright_prune() (
              # Removes from $2 the entries that $1 has no more, then the kernels that only they needed.
              from=$1 to=$2
              shopt -s nullglob
              for file in "$to"/loader/entries/nixos-*.conf; do
                entry=$(hostwright_entry "$file")
                left=("$from/loader/entries/$entry"+*.conf)
                if [ ! -e "$from/loader/entries/$entry.conf" ] && [ -z "''${left[*]-}" ]; then
                  rm -f -- "$file"
                fi
              done
              for file in "$to"/EFI/nixos/*; do
                if [ -f "$file" ] && [ ! -e "$from/EFI/nixos/''${file##*/}" ]; then
                  rm -f -- "$file"
                fi
              done
            )
            hostwright_is_short() (
              # Tells whether $2 has less room than the kernels of $1 that it lacks need.
              from=$1 to=$2 needed=0
              shopt -s nullglob
              for file in "$from"/EFI/nixos/*; do
                if [ -f "$file" ] && [ ! -e "$to/EFI/nixos/''${file##*/}" ]; then
                  needed=$((needed + $(stat -c %s -- "$file")))
                fi
              done
              [ "$(df --output=avail -B1 -- "$to" | tail -n 1)" -lt "$needed" ]
            )
            hostwright_mirror_esp() (
              from=$1 to=$2 disk=$3 number=$4 label=$5 loader=$6
              shopt -s nullglob
              if ! mountpoint -q -- "$to" && ! mount -- "$to"; then
                echo "hostwright: $to is not mounted, so $disk would not boot the new generation." >&2
                echo "hostwright: replace the disk, or take it out of boot.mirrors." >&2
                exit 1
              fi
              # A partition that never held the loader gets it from systemd itself, which also looks whether it is an ESP at all.
              there=("$to"/EFI/systemd/systemd-boot*.efi)
              if [ -z "''${there[*]-}" ]; then
                bootctl --esp-path="$to" --no-variables install > /dev/null
              fi
              mkdir -p -- "$to/EFI/BOOT" "$to/EFI/nixos" "$to/EFI/systemd" "$to/loader/entries"
              for file in "$to"/EFI/*/*.hostwright "$to"/loader/*.hostwright "$to"/loader/entries/*.hostwright; do
                # A copy that was cut short.
                rm -f -- "$file"
              done
              if hostwright_is_short "$from" "$to"; then
                hostwright_prune "$from" "$to"
              fi
              for folder in EFI/nixos EFI/systemd EFI/BOOT; do
                for file in "$from/$folder"/*; do
                  if [ -f "$file" ]; then
                    hostwright_copy "$file" "$to/$folder/''${file##*/}"
                  fi
                done
              done
              for file in "$from"/loader/entries/nixos-*.conf; do
                entry=$(hostwright_entry "$file")
                counted=("$to/loader/entries/$entry"+*.conf)
                # Counters belong to the disk that booted: an entry that is there keeps its own.
                if [ -z "''${counted[*]-}" ]; then
                  hostwright_copy "$file" "$to/loader/entries/''${file##*/}"
                fi
              done
              hostwright_copy "$from/loader/loader.conf" "$to/loader/loader.conf"
              hostwright_prune "$from" "$to"
              sync -f -- "$to"
              # The firmware gets an entry for the disk once, behind those that it has; one of a disk that was replaced makes room.
              if [ -d /sys/firmware/efi/efivars ]; then
                uuid=$(blkid -s PARTUUID -o value -- "$disk-part$number" || true)
                ours=$(efibootmgr -v | sed -n 's/^Boot\([0-9A-F]\{4\}\)[* ] /\1 /p' | grep -F -- " $label"$'\t' || true)
                if [ -n "$ours" ] && printf '%s\n' "$ours" | grep -i -F -- "''${uuid:-$label}" > /dev/null; then
                  exit 0
                fi
                printf '%s\n' "$ours" | while read -r old _; do
                  if [ -n "$old" ]; then
                    efibootmgr --quiet --bootnum "$old" --delete-bootnum || true
                  fi
                done
                order=$(efibootmgr | sed -n 's/^BootOrder: //p')
                if efibootmgr --quiet --create-only --disk "$disk" --part "$number" --label "$label" --loader "$loader"; then
                  new=$(efibootmgr -v | sed -n 's/^Boot\([0-9A-F]\{4\}\)[* ] /\1 /p' | grep -F -- " $label"$'\t' | sed -n '1s/ .*//p')
                  efibootmgr --quiet --bootorder "''${order:+$order,}$new" || true
                else
                  echo "hostwright: the firmware took no entry for $disk; it boots through EFI/BOOT." >&2
                fi
              fi
            )
            hostwright_mirror_esp /boot /boot-right /dev/disk/by-id/nvme-WD_Red_SN700_1000GB_22104D800377 1 'NixOS on right' '\EFI\systemd\systemd-bootx64.efi'
          '';
      };
      efi = {
        canTouchEfiVariables = true;
        efiSysMountPoint = "/boot";
      };
      timeout = lib.mkDefault 5;
    };
    kernelParams = [
      "console=tty0"
      "console=ttyS0,115200n8"
    ];
    kernelModules = [ "kvm-intel" ];
    initrd.availableKernelModules = [
      "ahci"
      "nvme"
      "sd_mod"
      "usb_storage"
      "usbhid"
      "xhci_pci"
      "igc"
    ];
    supportedFilesystems.zfs = true;
    zfs = {
      devNodes = lib.mkDefault "/dev/disk/by-id";
      forceImportRoot = false;
      forceImportAll = false;
    };
  };
  hardware = {
    cpu.intel.updateMicrocode = lib.mkDefault true;
    enableRedistributableFirmware = lib.mkDefault true;
  };
  networking.hostId = lib.mkDefault "6522e40c";
}
