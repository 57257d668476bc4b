# twins: the layout of its disks for disko and nixos-anywhere
# Imported by nobody: the other files state the file systems. Written by hostwright; changes here are lost.
{ ... }:

{
  disko.devices = {
    disk = {
      a = {
        type = "disk";
        device = "/dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0AAAAAA";
        content = {
          type = "gpt";
          partitions = {
            bios = {
              label = "twins-a-bios";
              priority = 1;
              size = "1M";
              type = "EF02";
            };
            boot = {
              label = "twins-a-boot";
              priority = 2;
              size = "1024M";
              type = "8300";
              content = {
                type = "filesystem";
                format = "ext4";
                mountpoint = "/boot";
              };
            };
            swap = {
              label = "twins-a-swap";
              priority = 3;
              size = "8192M";
              type = "8200";
              content.type = "swap";
            };
            pool = {
              label = "twins-a-pool";
              priority = 4;
              size = "100%";
              type = "BF01";
              content = {
                type = "zfs";
                pool = "tank";
              };
            };
          };
        };
      };
      b = {
        type = "disk";
        device = "/dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0BBBBBB";
        content = {
          type = "gpt";
          partitions = {
            bios = {
              label = "twins-b-bios";
              priority = 1;
              size = "1M";
              type = "EF02";
            };
            boot = {
              label = "twins-b-boot";
              priority = 2;
              size = "1024M";
              type = "8300";
              content = {
                type = "filesystem";
                format = "ext4";
                mountpoint = "/boot-b";
              };
            };
            swap = {
              label = "twins-b-swap";
              priority = 3;
              size = "8192M";
              type = "8200";
              content.type = "swap";
            };
            pool = {
              label = "twins-b-pool";
              priority = 4;
              size = "100%";
              type = "BF01";
              content = {
                type = "zfs";
                pool = "tank";
              };
            };
          };
        };
      };
      c = {
        type = "disk";
        device = "/dev/disk/by-id/nvme-INTEL_SSDPEK1A058GA_PHOC1";
        content = {
          type = "gpt";
          partitions.zfs = {
            label = "twins-c-zfs";
            priority = 1;
            size = "100%";
            type = "BF01";
            content = {
              type = "zfs";
              pool = "tank";
            };
          };
        };
      };
      d = {
        type = "disk";
        device = "/dev/disk/by-id/nvme-INTEL_SSDPEK1A058GA_PHOC2";
        content = {
          type = "gpt";
          partitions.zfs = {
            label = "twins-d-zfs";
            priority = 1;
            size = "100%";
            type = "BF01";
            content = {
              type = "zfs";
              pool = "tank";
            };
          };
        };
      };
      e = {
        type = "disk";
        device = "/dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0EEEEEE";
        content = {
          type = "gpt";
          partitions.zfs = {
            label = "twins-e-zfs";
            priority = 1;
            size = "100%";
            type = "BF01";
            content = {
              type = "zfs";
              pool = "tank";
            };
          };
        };
      };
    };
    zpool.tank = {
      type = "zpool";
      mode.topology = {
        type = "topology";
        vdev = [
          {
            mode = "mirror";
            members = [
              "/dev/disk/by-partlabel/twins-a-pool"
              "/dev/disk/by-partlabel/twins-b-pool"
            ];
          }
        ];
        special = [
          {
            mode = "mirror";
            members = [
              "/dev/disk/by-partlabel/twins-c-zfs"
              "/dev/disk/by-partlabel/twins-d-zfs"
            ];
          }
        ];
        spare = [ "/dev/disk/by-partlabel/twins-e-zfs" ];
      };
      options = {
        compatibility = "zol-0.8";
        cachefile = "none";
        ashift = "13";
        autoexpand = "on";
      };
      rootFsOptions = {
        mountpoint = "none";
        compression = "lz4";
        "hostwright:host" = "twins";
        "hostwright:importable-by" = "zol-0.8";
        "hostwright:features" =
          "allocation_classes,async_destroy,bookmark_v2,bookmarks,device_removal,edonr,embedded_data,empty_bpobj,enabled_txg,encryption,extensible_dataset,filesystem_limits,hole_birth,large_blocks,large_dnode,lz4_compress,multi_vdev_crash_dump,obsolete_counts,project_quota,resilver_defer,sha512,skein,spacemap_histogram,spacemap_v2,userobj_accounting,zpool_checkpoint";
      };
      datasets = {
        root = {
          type = "zfs_fs";
          mountpoint = "/";
          options = {
            mountpoint = "legacy";
            recordsize = "64K";
          };
        };
        vm = {
          type = "zfs_volume";
          size = "10000269312";
        };
        "root/home" = {
          type = "zfs_fs";
          mountpoint = "/home";
          options = {
            mountpoint = "legacy";
            refquota = "107374182400";
            reservation = "1073741824";
          };
        };
        "root/home/deep" = {
          type = "zfs_fs";
          mountpoint = "/home/deep";
          options.mountpoint = "legacy";
        };
        reserved = {
          type = "zfs_fs";
          options = {
            mountpoint = "none";
            refreservation = "10737418240";
          };
        };
      };
    };
  };
}
