# plain: mounts, swap, upkeep of pools
# Written by hostwright from hosts/plain/host.toml; changes here are lost.
{ ... }:

{
  fileSystems = {
    "/" = {
      device = "/dev/disk/by-id/virtio-1-part2";
      fsType = "ext4";
    };
    "/boot" = {
      device = "/dev/disk/by-id/virtio-1-part1";
      fsType = "vfat";
      options = [ "umask=0077" ];
    };
  };
}
