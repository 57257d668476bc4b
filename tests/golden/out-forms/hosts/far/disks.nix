# far: mounts, swap, upkeep of pools
# Written by hostwright from hosts/far/host.toml; changes here are lost.
{ lib, ... }:

{
  fileSystems = {
    "/" = {
      device = "zroot/root";
      fsType = "zfs";
    };
    "/boot" = {
      device = "/dev/disk/by-id/nvme-Foo_1-part1";
      fsType = "vfat";
      options = [
        "fmask=0077"
        "dmask=0077"
      ];
    };
  };
  services.zfs = {
    autoScrub = {
      enable = lib.mkDefault true;
      interval = lib.mkDefault "monthly";
    };
    trim.enable = lib.mkDefault true;
  };
}
