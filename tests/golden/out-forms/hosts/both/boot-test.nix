# both: the virtual machine that stands in for it in out/boot-test.nix.
# Written by hostwright; changes here are lost.
{
  name = "both";
  # How it is laid out and installed: the scripts as they are.
  install = ./install;
  # What judges a boot of the reboot test; a host that is not deployed has none.
  judge = if builtins.pathExists ./reboot/judge.sh then ./reboot/judge.sh else null;
  uefi = true;
  # The disks that the firmware may boot first.
  disks = [
    {
      id = "usb-Samsung_T7_S1";
      bytes = 1000000000000;
      boots = true;
    }
    {
      id = "usb-Samsung_T7_S2";
      bytes = 1000000000000;
      boots = true;
    }
  ];
  cards = [
    {
      mac = "02:00:00:ff:00:00";
      name = null;
      path = "pci-0000:00:1f.6";
      dhcp = true;
    }
  ];
  addresses = [ ];
  pools = [ ];
  # Encryption roots whose passphrase is typed at each boot.
  passphrases = [ ];
}
