# plain: the layout of its disks for disko and nixos-anywhere
# Imported by nobody: the other files state the file systems. Written by hostwright; changes here are lost.
{ ... }:

{
  disko.devices.disk.vda = {
    type = "disk";
    device = "/dev/disk/by-id/virtio-1";
    content = {
      type = "gpt";
      partitions = {
        esp = {
          label = "plain-vda-esp";
          priority = 1;
          size = "1024M";
          type = "EF00";
          content = {
            type = "filesystem";
            format = "vfat";
            mountpoint = "/boot";
            mountOptions = [ "umask=0077" ];
          };
        };
        root = {
          label = "plain-vda-root";
          priority = 2;
          size = "100%";
          type = "8300";
          content = {
            type = "filesystem";
            format = "ext4";
            mountpoint = "/";
          };
        };
      };
    };
  };
}
