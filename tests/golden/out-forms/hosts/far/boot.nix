# far: boot loader, kernel, initrd, import of pools
# Written by hostwright from hosts/far/host.toml; changes here are lost.
{ lib, ... }:

{
  boot = {
    loader = {
      systemd-boot = {
        enable = true;
        configurationLimit = lib.mkDefault 10;
        editor = lib.mkDefault false;
      };
      efi = {
        canTouchEfiVariables = true;
        efiSysMountPoint = "/boot";
      };
      timeout = lib.mkDefault 5;
    };
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
      extraPools = [ "attic" ];
    };
  };
  hardware.enableRedistributableFirmware = lib.mkDefault true;
  networking.hostId = lib.mkDefault "8ca85fd0";
}
