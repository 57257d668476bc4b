# both: mounts, swap, upkeep of pools
# Written by hostwright from hosts/both/host.toml; changes here are lost.
{ lib, ... }:

{
  fileSystems = {
    "/" = {
      device = "/dev/disk/by-id/usb-Samsung_T7_S1-part4";
      fsType = "ext4";
    };
    "/boot" = {
      device = "/dev/disk/by-id/usb-Samsung_T7_S1-part3";
      fsType = "ext4";
      options = [
        "noatime"
        "nofail"
      ];
    };
    "/efi" = {
      device = "/dev/disk/by-id/usb-Samsung_T7_S1-part2";
      fsType = "vfat";
      options = [
        "umask=0077"
        "nofail"
      ];
    };
    "/srv/data" = {
      device = "/dev/disk/by-id/usb-Samsung_T7_S1-part5";
      fsType = "xfs";
    };
    "/boot-two" = {
      device = "/dev/disk/by-id/usb-Samsung_T7_S2-part3";
      fsType = "ext4";
      options = [ "nofail" ];
    };
    "/efi-two" = {
      device = "/dev/disk/by-id/usb-Samsung_T7_S2-part2";
      fsType = "vfat";
      options = [
        "umask=0077"
        "nofail"
      ];
    };
  };
  services.zfs = {
    autoScrub = {
      enable = lib.mkDefault true;
      interval = lib.mkDefault "monthly";
    };
    trim.enable = lib.mkDefault false;
  };
}
