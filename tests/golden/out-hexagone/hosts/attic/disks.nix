# attic: mounts, swap, upkeep of pools
# Written by hostwright from hosts/attic/host.toml; changes here are lost.
{ lib, ... }:

{
  fileSystems = {
    "/" = {
      device = "rpool/local/root";
      fsType = "zfs";
    };
    "/boot" = {
      device = "/dev/disk/by-id/nvme-WD_Red_SN700_1000GB_22104D800321-part1";
      fsType = "vfat";
      options = [
        "umask=0077"
        "nofail"
      ];
    };
    "/home" = {
      device = "rpool/safe/home";
      fsType = "zfs";
    };
    "/nix" = {
      device = "rpool/local/nix";
      fsType = "zfs";
    };
    "/var" = {
      device = "rpool/safe/var";
      fsType = "zfs";
    };
    "/boot-right" = {
      device = "/dev/disk/by-id/nvme-WD_Red_SN700_1000GB_22104D800377-part1";
      fsType = "vfat";
      options = [
        "umask=0077"
        "nofail"
      ];
    };
  };
  zramSwap = {
    enable = true;
    memoryPercent = 50;
  };
  services = {
    zfs = {
      autoScrub = {
        enable = lib.mkDefault true;
        interval = lib.mkDefault "monthly";
      };
      trim.enable = lib.mkDefault true;
    };
    sanoid = {
      enable = true;
      templates = {
        "14d-6m" = {
          hourly = 0;
          daily = 14;
          monthly = 6;
          yearly = 0;
          autosnap = true;
          autoprune = true;
          weekly = 0;
        };
        "24h-30d-3m" = {
          hourly = 24;
          daily = 30;
          monthly = 3;
          yearly = 0;
          autosnap = true;
          autoprune = true;
          weekly = 0;
        };
      };
      datasets = {
        "rpool/safe/home".useTemplate = [ "24h-30d-3m" ];
        "rpool/safe/var".useTemplate = [ "14d-6m" ];
      };
    };
  };
}
