# twins: mounts, swap, upkeep of pools
# Written by hostwright from hosts/twins/host.toml; changes here are lost.
{ ... }:

{
  fileSystems = {
    "/" = {
      device = "tank/root";
      fsType = "zfs";
    };
    "/boot" = {
      device = "/dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0AAAAAA-part2";
      fsType = "ext4";
      options = [ "nofail" ];
    };
    "/home" = {
      device = "tank/root/home";
      fsType = "zfs";
    };
    "/home/deep" = {
      device = "tank/root/home/deep";
      fsType = "zfs";
    };
    "/boot-b" = {
      device = "/dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0BBBBBB-part2";
      fsType = "ext4";
      options = [ "nofail" ];
    };
  };
  swapDevices = [
    {
      device = "/dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0AAAAAA-part3";
    }
    {
      device = "/dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0BBBBBB-part3";
    }
  ];
  services = {
    zfs = {
      autoScrub = {
        enable = true;
        interval = "weekly";
      };
      trim.enable = true;
    };
    sanoid = {
      enable = true;
      templates."4h-2w" = {
        hourly = 4;
        daily = 0;
        monthly = 0;
        yearly = 0;
        autosnap = true;
        autoprune = true;
        weekly = 2;
      };
      datasets."tank/root/home".useTemplate = [ "4h-2w" ];
    };
  };
}
