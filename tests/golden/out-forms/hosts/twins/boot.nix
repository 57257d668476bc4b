# twins: boot loader, kernel, initrd, import of pools
# Written by hostwright from hosts/twins/host.toml; changes here are lost.
{ lib, pkgs, ... }:

{
  boot = {
    loader = {
      grub = {
        enable = true;
        configurationLimit = 5;
        mirroredBoots = [
          {
            path = "/boot";
            devices = [ "/dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0AAAAAA" ];
          }
          {
            path = "/boot-b";
            devices = [ "/dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0BBBBBB" ];
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
            for place in /boot /boot-b; do
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
            for place in /boot /boot-b; do
              if ! mountpoint -q -- "$place"; then
                echo "hostwright: $place is not mounted, so its disk would not boot the new generation." >&2
                echo "hostwright: replace the disk, or take it out of boot.mirrors." >&2
                exit 1
              fi
            done
          '';
        extraConfig = ''
          set fallback=0
          serial --unit=1 --speed=57600 --word=8 --parity=no --stop=1
          terminal_input --append serial
          terminal_output --append serial
        '';
        extraEntries = "if [ -s $prefix/hostwright.cfg ]; then source $prefix/hostwright.cfg; fi\n";
        extraEntriesBeforeNixOS = false;
        default = "0";
      };
      timeout = lib.mkDefault 5;
    };
    kernelPackages = pkgs.linuxPackages_6_18;
    kernelParams = [
      "console=tty0"
      "console=ttyS1,57600n8"
      "mitigations=auto"
      "nosmt"
    ];
    kernelModules = [ "kvm-intel" ];
    initrd.availableKernelModules = [
      "ahci"
      "nvme"
      "sd_mod"
      "usb_storage"
      "usbhid"
      "xhci_pci"
      "mpt3sas"
      "megaraid_sas"
    ];
    supportedFilesystems.zfs = true;
    zfs = {
      devNodes = "/dev/disk/by-id";
      forceImportRoot = false;
      forceImportAll = false;
      package = pkgs.zfs_2_4;
    };
  };
  hardware = {
    cpu.intel.updateMicrocode = lib.mkDefault true;
    enableRedistributableFirmware = lib.mkDefault true;
  };
  networking.hostId = "0bad1dea";
}
