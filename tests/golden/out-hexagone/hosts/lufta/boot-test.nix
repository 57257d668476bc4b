# lufta: the virtual machine that stands in for it in out/boot-test.nix.
# Written by hostwright; changes here are lost.
{
  name = "lufta";
  # How it is laid out and installed: the scripts as they are.
  install = ./install;
  # What judges a boot of the reboot test; a host that is not deployed has none.
  judge = if builtins.pathExists ./reboot/judge.sh then ./reboot/judge.sh else null;
  uefi = false;
  # The disks that the firmware may boot first.
  disks = [
    {
      id = "nvme-SAMSUNG_MZVL2512HCJQ_S675NX0R512345";
      bytes = 512000000000;
      boots = true;
    }
    {
      id = "ata-TOSHIBA_DT01ACA200_1";
      bytes = 2000000000000;
      boots = false;
    }
    {
      id = "ata-TOSHIBA_DT01ACA200_2";
      bytes = 2000000000000;
      boots = false;
    }
    {
      id = "ata-TOSHIBA_DT01ACA200_3";
      bytes = 2000000000000;
      boots = false;
    }
  ];
  cards = [
    {
      mac = "a8:a1:59:0f:2d:69";
      name = null;
      path = null;
      dhcp = false;
    }
  ];
  addresses = [
    "135.181.162.99/26"
    "2a01:4f9:3a:1a1c::1/64"
    "10.77.3.1/24"
  ];
  pools = [ "rpool" ];
  # Encryption roots whose passphrase is typed at each boot.
  passphrases = [ ];
}
