# far: the virtual machine that stands in for it in out/boot-test.nix.
# Written by hostwright; changes here are lost.
{
  name = "far";
  # How it is laid out and installed: the scripts as they are.
  install = ./install;
  # What judges a boot of the reboot test; a host that is not deployed has none.
  judge = if builtins.pathExists ./reboot/judge.sh then ./reboot/judge.sh else null;
  uefi = true;
  # The disks that the firmware may boot first.
  disks = [
    {
      id = "nvme-Foo_1";
      bytes = 500000000000;
      boots = true;
    }
    {
      id = "ata-Spin_1";
      bytes = 68719476736;
      boots = false;
    }
  ];
  cards = [
    {
      mac = "02:00:00:ff:00:00";
      name = "end0";
      path = null;
      dhcp = true;
    }
  ];
  addresses = [ ];
  pools = [
    "zroot"
    "attic"
  ];
  # Encryption roots whose passphrase is typed at each boot.
  passphrases = [ ];
}
