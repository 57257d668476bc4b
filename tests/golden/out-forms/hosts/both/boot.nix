# both: boot loader, kernel, initrd, import of pools
# Written by hostwright from hosts/both/host.toml; changes here are lost.
{ lib, pkgs, ... }:

{
  boot = {
    loader = {
      grub = {
        enable = true;
        configurationLimit = lib.mkDefault 10;
        efiSupport = true;
        efiInstallAsRemovable = true;
        mirroredBoots = [
          {
            path = "/boot";
            efiSysMountPoint = "/efi";
            devices = [ "/dev/disk/by-id/usb-Samsung_T7_S1" ];
          }
          {
            path = "/boot-two";
            efiSysMountPoint = "/efi-two";
            devices = [ "/dev/disk/by-id/usb-Samsung_T7_S2" ];
          }
        ];
        extraPrepareConfig =
          "export PATH=${
            lib.makeBinPath [
              pkgs.coreutils
              pkgs.util-linux
            ]
          }:$PATH\n"
          + ''
            # What a mirror of /boot or of an EFI system partition may have been away for is over: it is mounted before GRUB's menu is
            # written. extraInstallCommands says what is still missing.
            for place in /boot /boot-two /efi /efi-two; do
              mountpoint -q -- "$place" || mount -- "$place" || true
            done
          '';
        extraInstallCommands =
          "export PATH=${
            lib.makeBinPath [
              pkgs.coreutils
              pkgs.util-linux
            ]
          }:$PATH\n"
          + ''
            # GRUB's installer writes below a path whatever is mounted there.
            for place in /boot /boot-two /efi /efi-two; do
              if ! mountpoint -q -- "$place"; then
                echo "hostwright: $place is not mounted, so its disk would not boot the new generation." >&2
                echo "hostwright: replace the disk, or take it out of boot.mirrors." >&2
                exit 1
              fi
            done
          '';
        extraConfig = "set fallback=0\n";
        extraEntries = "if [ -s $prefix/hostwright.cfg ]; then source $prefix/hostwright.cfg; fi\n";
        extraEntriesBeforeNixOS = false;
        default = "0";
      };
      efi = {
        canTouchEfiVariables = false;
        efiSysMountPoint = "/efi";
      };
      timeout = lib.mkDefault 5;
    };
    kernelModules = [ "kvm-amd" ];
    initrd.availableKernelModules = [
      "ahci"
      "nvme"
      "sd_mod"
      "usb_storage"
      "usbhid"
      "xhci_pci"
    ];
    supportedFilesystems.zfs = true;
    zfs = {
      devNodes = lib.mkDefault "/dev/disk/by-id";
      forceImportRoot = false;
      forceImportAll = false;
    };
  };
  hardware = {
    cpu.amd.updateMicrocode = lib.mkDefault true;
    enableRedistributableFirmware = lib.mkDefault true;
  };
  networking.hostId = lib.mkDefault "ca63d928";
}
