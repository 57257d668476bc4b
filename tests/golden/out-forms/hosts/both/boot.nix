# both: boot loader, kernel, initrd, import of pools
# Written by hostwright from hosts/both/host.toml; changes here are lost.
{ lib, ... }:

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
    };
  };
  hardware = {
    cpu.amd.updateMicrocode = lib.mkDefault true;
    enableRedistributableFirmware = lib.mkDefault true;
  };
  networking.hostId = lib.mkDefault "ca63d928";
}
