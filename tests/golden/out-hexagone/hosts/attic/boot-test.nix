# attic: the virtual machine that stands in for it in out/boot-test.nix.
# Written by hostwright; changes here are lost.
{
  name = "attic";
  # How it is laid out and installed: the scripts as they are.
  install = ./install;
  # What judges a boot of the reboot test; a host that is not deployed has none.
  judge = if builtins.pathExists ./reboot/judge.sh then ./reboot/judge.sh else null;
  uefi = true;
  # The disks that the firmware may boot first.
  disks = [
    {
      id = "nvme-WD_Red_SN700_1000GB_22104D800321";
      bytes = 1000000000000;
      boots = true;
    }
    {
      id = "nvme-WD_Red_SN700_1000GB_22104D800377";
      bytes = 1000000000000;
      boots = true;
    }
  ];
  cards = [
    {
      mac = "7c:83:34:b1:5e:02";
      name = null;
      path = null;
      dhcp = true;
    }
  ];
  addresses = [ "10.77.3.2/24" ];
  pools = [ "rpool" ];
  # Encryption roots whose passphrase is typed at each boot.
  passphrases = [ ];
}
