# plain: boot loader, kernel, initrd, import of pools
# Written by hostwright from hosts/plain/host.toml; changes here are lost.
{ lib, ... }:

{
  boot = {
    loader = {
      grub = {
        enable = true;
        configurationLimit = lib.mkDefault 10;
        efiSupport = true;
        devices = [ "nodev" ];
        extraConfig = "set fallback=0\n";
        extraEntries = "if [ -s $prefix/hostwright.cfg ]; then source $prefix/hostwright.cfg; fi\n";
        extraEntriesBeforeNixOS = false;
        default = "0";
      };
      efi = {
        canTouchEfiVariables = true;
        efiSysMountPoint = "/boot";
      };
      timeout = lib.mkDefault 5;
    };
    initrd.availableKernelModules = [
      "ahci"
      "sd_mod"
      "sr_mod"
      "virtio_blk"
      "virtio_pci"
      "virtio_scsi"
      "xhci_pci"
    ];
  };
  networking.hostId = lib.mkDefault "d431d544";
}
