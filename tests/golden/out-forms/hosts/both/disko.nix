# both: the layout of its disks for disko and nixos-anywhere
# Imported by nobody: the other files state the file systems. Written by hostwright; changes here are lost.
{ ... }:

{
  disko.devices = {
    disk = {
      one = {
        type = "disk";
        device = "/dev/disk/by-id/usb-Samsung_T7_S1";
        content = {
          type = "gpt";
          partitions = {
            bios = {
              label = "both-one-bios";
              priority = 1;
              size = "1M";
              type = "EF02";
            };
            esp = {
              label = "both-one-esp";
              priority = 2;
              size = "512M";
              type = "EF00";
              content = {
                type = "filesystem";
                format = "vfat";
                mountpoint = "/efi";
                mountOptions = [ "umask=0077" ];
              };
            };
            boot = {
              label = "both-one-boot";
              priority = 3;
              size = "1024M";
              type = "8300";
              content = {
                type = "filesystem";
                format = "ext4";
                mountpoint = "/boot";
                mountOptions = [ "noatime" ];
              };
            };
            root = {
              label = "both-one-root";
              priority = 4;
              size = "102400M";
              type = "8300";
              content = {
                type = "filesystem";
                format = "ext4";
                mountpoint = "/";
              };
            };
            data = {
              label = "both-one-data";
              priority = 5;
              size = "100%";
              type = "8300";
              content = {
                type = "filesystem";
                format = "xfs";
                mountpoint = "/srv/data";
              };
            };
          };
        };
      };
      two = {
        type = "disk";
        device = "/dev/disk/by-id/usb-Samsung_T7_S2";
        content = {
          type = "gpt";
          partitions = {
            bios = {
              label = "both-two-bios";
              priority = 1;
              size = "1M";
              type = "EF02";
            };
            esp = {
              label = "both-two-esp";
              priority = 2;
              size = "512M";
              type = "EF00";
              content = {
                type = "filesystem";
                format = "vfat";
                mountpoint = "/efi-two";
                mountOptions = [ "umask=0077" ];
              };
            };
            boot = {
              label = "both-two-boot";
              priority = 3;
              size = "1024M";
              type = "8300";
              content = {
                type = "filesystem";
                format = "ext4";
                mountpoint = "/boot-two";
              };
            };
            shelf = {
              label = "both-two-shelf";
              priority = 4;
              size = "100%";
              type = "BF01";
              content = {
                type = "zfs";
                pool = "shelf";
              };
            };
          };
        };
      };
    };
    zpool.shelf = {
      type = "zpool";
      mode.topology = {
        type = "topology";
        vdev = [
          {
            mode = "";
            members = [ "/dev/disk/by-partlabel/both-two-shelf" ];
          }
        ];
      };
      options = {
        compatibility = "openzfs-2.1-linux";
        ashift = "12";
        cachefile = "none";
      };
      rootFsOptions = {
        mountpoint = "none";
        "hostwright:host" = "both";
        "hostwright:importable-by" = "openzfs-2.1-linux";
        "hostwright:features" =
          "allocation_classes,async_destroy,bookmark_v2,bookmark_written,bookmarks,device_rebuild,device_removal,draid,edonr,embedded_data,empty_bpobj,enabled_txg,encryption,extensible_dataset,filesystem_limits,hole_birth,large_blocks,large_dnode,livelist,log_spacemap,lz4_compress,multi_vdev_crash_dump,obsolete_counts,project_quota,redacted_datasets,redaction_bookmarks,resilver_defer,sha512,skein,spacemap_histogram,spacemap_v2,userobj_accounting,zpool_checkpoint,zstd_compress";
      };
      datasets = {
        films = {
          type = "zfs_fs";
          options.mountpoint = "legacy";
        };
        reserved = {
          type = "zfs_fs";
          options = {
            mountpoint = "none";
            refreservation = "9983492096";
          };
        };
      };
    };
  };
}
