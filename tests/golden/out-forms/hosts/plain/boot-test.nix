# plain: the virtual machine that stands in for it in out/boot-test.nix.
# Written by hostwright; changes here are lost.
{
  name = "plain";
  # How it is laid out and installed: the scripts as they are.
  install = ./install;
  # What judges a boot of the reboot test; a host that is not deployed has none.
  judge = if builtins.pathExists ./reboot/judge.sh then ./reboot/judge.sh else null;
  uefi = true;
  # The disks that the firmware may boot first.
  disks = [
    {
      id = "virtio-1";
      bytes = 68719476736;
      boots = true;
    }
  ];
  cards = [
    {
      mac = "02:00:00:ff:00:00";
      name = "en*";
      path = null;
      dhcp = true;
    }
    {
      mac = "02:00:00:ff:00:01";
      name = "eth9";
      path = null;
      dhcp = false;
    }
  ];
  addresses = [ "2001:db8::2/64" ];
  pools = [ ];
  # Encryption roots whose passphrase is typed at each boot.
  passphrases = [ ];
}
