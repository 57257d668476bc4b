# lufta: mounts, swap, upkeep of pools
# Written by hostwright from hosts/lufta/host.toml; changes here are lost.
{ lib, ... }:

{
  fileSystems = {
    "/" = {
      device = "rpool/local/root";
      fsType = "zfs";
    };
    "/boot" = {
      device = "/dev/disk/by-id/nvme-SAMSUNG_MZVL2512HCJQ_S675NX0R512345-part2";
      fsType = "ext4";
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
    "/var/lib/gitea" = {
      device = "rpool/safe/gitea";
      fsType = "zfs";
    };
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
      templates."24h-30d-3m" = {
        hourly = 24;
        daily = 30;
        monthly = 3;
        yearly = 0;
        autosnap = true;
        autoprune = true;
        weekly = 0;
      };
      datasets = {
        "rpool/safe/home".useTemplate = [ "24h-30d-3m" ];
        "rpool/safe/var".useTemplate = [ "24h-30d-3m" ];
        "rpool/safe/gitea".useTemplate = [ "24h-30d-3m" ];
      };
    };
  };
  systemd.tmpfiles.settings.hostwright."/var/lib/gitea".z = {
    group = "gitea";
    mode = "0750";
    user = "gitea";
  };
}
