# lufta: the layout of its disks for disko and nixos-anywhere
# Imported by nobody: the other files state the file systems. Written by hostwright; changes here are lost.
{ ... }:

{
  disko.devices = {
    disk = {
      ssd = {
        type = "disk";
        device = "/dev/disk/by-id/nvme-SAMSUNG_MZVL2512HCJQ_S675NX0R512345";
        content = {
          type = "gpt";
          partitions = {
            bios = {
              label = "lufta-ssd-bios";
              priority = 1;
              size = "1M";
              type = "EF02";
            };
            boot = {
              label = "lufta-ssd-boot";
              priority = 2;
              size = "2048M";
              type = "8300";
              content = {
                type = "filesystem";
                format = "ext4";
                mountpoint = "/boot";
              };
            };
            slog = {
              label = "lufta-ssd-slog";
              priority = 3;
              size = "16384M";
              type = "BF01";
              content = {
                type = "zfs";
                pool = "rpool";
              };
            };
          };
        };
      };
      hdd0 = {
        type = "disk";
        device = "/dev/disk/by-id/ata-TOSHIBA_DT01ACA200_1";
        content = {
          type = "gpt";
          partitions.zfs = {
            label = "lufta-hdd0-zfs";
            priority = 1;
            size = "100%";
            type = "BF01";
            content = {
              type = "zfs";
              pool = "rpool";
            };
          };
        };
      };
      hdd1 = {
        type = "disk";
        device = "/dev/disk/by-id/ata-TOSHIBA_DT01ACA200_2";
        content = {
          type = "gpt";
          partitions.zfs = {
            label = "lufta-hdd1-zfs";
            priority = 1;
            size = "100%";
            type = "BF01";
            content = {
              type = "zfs";
              pool = "rpool";
            };
          };
        };
      };
      hdd2 = {
        type = "disk";
        device = "/dev/disk/by-id/ata-TOSHIBA_DT01ACA200_3";
        content = {
          type = "gpt";
          partitions.zfs = {
            label = "lufta-hdd2-zfs";
            priority = 1;
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
    zpool.rpool = {
      type = "zpool";
      mode.topology = {
        type = "topology";
        vdev = [
          {
            mode = "raidz1";
            members = [
              "/dev/disk/by-partlabel/lufta-hdd0-zfs"
              "/dev/disk/by-partlabel/lufta-hdd1-zfs"
              "/dev/disk/by-partlabel/lufta-hdd2-zfs"
            ];
          }
        ];
        log = [
          {
            mode = "";
            members = [ "/dev/disk/by-partlabel/lufta-ssd-slog" ];
          }
        ];
      };
      options = {
        compatibility = "openzfs-2.3";
        cachefile = "none";
        ashift = "12";
        autotrim = "on";
      };
      rootFsOptions = {
        mountpoint = "none";
        compression = "zstd";
        acltype = "posixacl";
        xattr = "sa";
        atime = "off";
        "hostwright:host" = "lufta";
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
        "safe/gitea" = {
          type = "zfs_fs";
          mountpoint = "/var/lib/gitea";
          options = {
            mountpoint = "legacy";
            quota = "214748364800";
          };
        };
        reserved = {
          type = "zfs_fs";
          options = {
            mountpoint = "none";
            refreservation = "34359738368";
          };
        };
      };
    };
  };
}
