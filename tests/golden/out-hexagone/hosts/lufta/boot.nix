# lufta: boot loader, kernel, initrd, import of pools
# Written by hostwright from hosts/lufta/host.toml; changes here are lost.
{ lib, ... }:

{
  boot = {
    loader = {
      grub = {
        enable = true;
        configurationLimit = 10;
        devices = [ "/dev/disk/by-id/nvme-SAMSUNG_MZVL2512HCJQ_S675NX0R512345" ];
        extraConfig = "set fallback=0\n";
        extraEntries = "if [ -s $prefix/hostwright.cfg ]; then source $prefix/hostwright.cfg; fi\n";
        extraEntriesBeforeNixOS = false;
        default = "0";
      };
      timeout = lib.mkDefault 5;
    };
    kernelParams = [ "zfs.zfs_arc_max=34359738368" ];
    kernelModules = [ "kvm-amd" ];
    initrd.availableKernelModules = [
      "ahci"
      "nvme"
      "sd_mod"
      "usb_storage"
      "usbhid"
      "xhci_pci"
      "igb"
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
  networking.hostId = "2487cd1f";
}
