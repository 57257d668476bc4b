# twins: the virtual machine that stands in for it in out/boot-test.nix.
# Written by hostwright; changes here are lost.
{
  name = "twins";
  # How it is laid out and installed: the scripts as they are.
  install = ./install;
  # What judges a boot of the reboot test; a host that is not deployed has none.
  judge = if builtins.pathExists ./reboot/judge.sh then ./reboot/judge.sh else null;
  uefi = false;
  # The disks that the firmware may boot first.
  disks = [
    {
      id = "ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0AAAAAA";
      bytes = 4000000000000;
      boots = true;
    }
    {
      id = "ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0BBBBBB";
      bytes = 4000000000000;
      boots = false;
    }
    {
      id = "nvme-INTEL_SSDPEK1A058GA_PHOC1";
      bytes = 58000000000;
      boots = false;
    }
    {
      id = "nvme-INTEL_SSDPEK1A058GA_PHOC2";
      bytes = 58000000000;
      boots = false;
    }
    {
      id = "ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0EEEEEE";
      bytes = 4000000000000;
      boots = false;
    }
  ];
  cards = [
    {
      mac = "02:00:00:00:00:01";
      name = null;
      path = null;
      dhcp = false;
    }
    {
      mac = "02:00:00:ff:00:01";
      name = "enp3s0";
      path = null;
      dhcp = true;
    }
  ];
  addresses = [
    "192.0.2.10/32"
    "2001:db8::10/128"
  ];
  pools = [ "tank" ];
  # Encryption roots whose passphrase is typed at each boot.
  passphrases = [ ];
}
