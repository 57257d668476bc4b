# far: the layout of its disks for disko and nixos-anywhere
# Imported by nobody: the other files state the file systems. Written by hostwright; changes here are lost.
{ ... }:

{
  disko.devices = {
    disk = {
      nvme = {
        type = "disk";
        device = "/dev/disk/by-id/nvme-Foo_1";
        content = {
          type = "gpt";
          partitions = {
            esp = {
              label = "far-nvme-esp";
              priority = 1;
              size = "1024M";
              type = "EF00";
              content = {
                type = "filesystem";
                format = "vfat";
                mountpoint = "/boot";
                mountOptions = [
                  "fmask=0077"
                  "dmask=0077"
                ];
              };
            };
            zfs = {
              label = "far-nvme-zfs";
              priority = 2;
              size = "100%";
              type = "BF01";
              content = {
                type = "zfs";
                pool = "zroot";
              };
            };
          };
        };
      };
      spin = {
        type = "disk";
        device = "/dev/disk/by-id/ata-Spin_1";
        content = {
          type = "gpt";
          partitions.zfs = {
            label = "far-spin-zfs";
            priority = 1;
            size = "100%";
            type = "BF01";
            content = {
              type = "zfs";
              pool = "attic";
            };
          };
        };
      };
    };
    zpool = {
      zroot = {
        type = "zpool";
        mode.topology = {
          type = "topology";
          vdev = [
            {
              mode = "";
              members = [ "/dev/disk/by-partlabel/far-nvme-zfs" ];
            }
          ];
        };
        options = {
          compatibility = "openzfs-2.3";
          ashift = "12";
          cachefile = "none";
        };
        rootFsOptions = {
          mountpoint = "none";
          "hostwright:host" = "far";
          "hostwright:importable-by" = "openzfs-2.3";
          "hostwright:features" =
            "allocation_classes,async_destroy,blake3,block_cloning,bookmark_v2,bookmark_written,bookmarks,device_rebuild,device_removal,draid,edonr,embedded_data,empty_bpobj,enabled_txg,encryption,extensible_dataset,fast_dedup,filesystem_limits,head_errlog,hole_birth,large_blocks,large_dnode,large_microzap,livelist,log_spacemap,longname,lz4_compress,multi_vdev_crash_dump,obsolete_counts,project_quota,raidz_expansion,redacted_datasets,redaction_bookmarks,redaction_list_spill,resilver_defer,sha512,skein,spacemap_histogram,spacemap_v2,userobj_accounting,vdev_zaps_v2,zilsaxattr,zpool_checkpoint,zstd_compress";
        };
        datasets = {
          root = {
            type = "zfs_fs";
            mountpoint = "/";
            options.mountpoint = "legacy";
          };
          reserved = {
            type = "zfs_fs";
            options = {
              mountpoint = "none";
              refreservation = "4989124608";
            };
          };
        };
      };
      attic = {
        type = "zpool";
        mode.topology = {
          type = "topology";
          vdev = [
            {
              mode = "";
              members = [ "/dev/disk/by-partlabel/far-spin-zfs" ];
            }
          ];
        };
        options = {
          ashift = "12";
          cachefile = "none";
        };
        rootFsOptions = {
          mountpoint = "none";
          "hostwright:host" = "far";
        };
        datasets = { };
      };
    };
  };
}
