# attic: the layout of its disks for disko and nixos-anywhere
# Imported by nobody: the other files state the file systems. Written by hostwright; changes here are lost.
{ ... }:

{
  disko.devices = {
    disk = {
      left = {
        type = "disk";
        device = "/dev/disk/by-id/nvme-WD_Red_SN700_1000GB_22104D800321";
        content = {
          type = "gpt";
          partitions = {
            esp = {
              label = "attic-left-esp";
              priority = 1;
              size = "2048M";
              type = "EF00";
              content = {
                type = "filesystem";
                format = "vfat";
                mountpoint = "/boot";
                mountOptions = [ "umask=0077" ];
              };
            };
            tank = {
              label = "attic-left-tank";
              priority = 2;
              size = "100%";
              type = "BF01";
              content = {
                type = "zfs";
                pool = "rpool";
              };
            };
          };
        };
      };
      right = {
        type = "disk";
        device = "/dev/disk/by-id/nvme-WD_Red_SN700_1000GB_22104D800377";
        content = {
          type = "gpt";
          partitions = {
            esp = {
              label = "attic-right-esp";
              priority = 1;
              size = "2048M";
              type = "EF00";
              content = {
                type = "filesystem";
                format = "vfat";
                mountpoint = "/boot-right";
                mountOptions = [ "umask=0077" ];
              };
            };
            tank = {
              label = "attic-right-tank";
              priority = 2;
              size = "100%";
              type = "BF01";
              content = {
                type = "zfs";
                pool = "rpool";
              };
            };
          };
        };
      };
    };
    zpool.rpool = {
      type = "zpool";
      mode.topology = {
        type = "topology";
        vdev = [
          {
            mode = "mirror";
            members = [
              "/dev/disk/by-partlabel/attic-left-tank"
              "/dev/disk/by-partlabel/attic-right-tank"
            ];
          }
        ];
      };
      options = {
        compatibility = "openzfs-2.3";
        ashift = "12";
        cachefile = "none";
        autotrim = "on";
      };
      rootFsOptions = {
        mountpoint = "none";
        compression = "lz4";
        acltype = "posixacl";
        xattr = "sa";
        atime = "off";
        "hostwright:host" = "attic";
        "hostwright:importable-by" = "openzfs-2.3";
        "hostwright:features" =
          "allocation_classes,async_destroy,blake3,block_cloning,bookmark_v2,bookmark_written,bookmarks,device_rebuild,device_removal,draid,edonr,embedded_data,empty_bpobj,enabled_txg,encryption,extensible_dataset,fast_dedup,filesystem_limits,head_errlog,hole_birth,large_blocks,large_dnode,large_microzap,livelist,log_spacemap,longname,lz4_compress,multi_vdev_crash_dump,obsolete_counts,project_quota,raidz_expansion,redacted_datasets,redaction_bookmarks,redaction_list_spill,resilver_defer,sha512,skein,spacemap_histogram,spacemap_v2,userobj_accounting,vdev_zaps_v2,zilsaxattr,zpool_checkpoint,zstd_compress";
      };
      datasets = {
        "local/root" = {
          type = "zfs_fs";
          mountpoint = "/";
          options.mountpoint = "legacy";
        };
        "local/nix" = {
          type = "zfs_fs";
          mountpoint = "/nix";
          options.mountpoint = "legacy";
        };
        "safe/home" = {
          type = "zfs_fs";
          mountpoint = "/home";
          options.mountpoint = "legacy";
        };
        "safe/var" = {
          type = "zfs_fs";
          mountpoint = "/var";
          options.mountpoint = "legacy";
        };
        reserved = {
          type = "zfs_fs";
          options = {
            mountpoint = "none";
            refreservation = "9978249216";
          };
        };
      };
    };
  };
}
