# A host in a virtual machine: its disks are laid out by its own scripts, its system is installed, booted, and rebooted twice.
# Written by hostwright; changes here are lost.
#
# What differs from the real machine: the disks and cards are virtio and go by the names of the real ones, the system carries
# the test driver's shell, and passphrases are "hostwright". Virtual disks have the sizes of the real ones; they are sparse.
{
  # The source of nixpkgs.
  nixpkgs,
  overlays,
  system,
  # The modules of the host.
  modules,
  # hosts/HOST/boot-test.nix.
  machine,
}:

let
  pkgs = import nixpkgs { inherit system overlays; };
  inherit (pkgs) lib;

  serialDevice = if pkgs.stdenv.hostPlatform.isAarch64 then "ttyAMA0" else "ttyS0";

  # The definition's names of disks lead to the virtual ones, in stage 1, stage 2 and the installer.
  diskRules = lib.concatStrings (
    lib.imap0 (
      at: disk:
      let
        is = ''SUBSYSTEM=="block", ATTRS{serial}=="hostwright${toString at}"'';
      in
      ''
        ${is}, ENV{DEVTYPE}=="disk", SYMLINK+="disk/by-id/${disk.id}"
        ${is}, ENV{DEVTYPE}=="partition", SYMLINK+="disk/by-id/${disk.id}-part%n"
      ''
    ) machine.disks
  );

  # A card that the definition knows by its path gets that path before networkd and systemd.link look at it.
  cardRules = lib.concatMapStrings (card: ''
    SUBSYSTEM=="net", ACTION=="add", ATTR{address}=="${card.mac}", ENV{ID_PATH}="${card.path}"
  '') (lib.filter (card: card.path != null) machine.cards);

  virtualDisks =
    { pkgs, ... }:
    {
      boot.initrd.services.udev.rules = diskRules;
      services.udev.packages = [
        (pkgs.writeTextDir "lib/udev/rules.d/61-hostwright-disks.rules" diskRules)
        (pkgs.writeTextDir "lib/udev/rules.d/79-hostwright-cards.rules" cardRules)
      ];
    };

  # The host as it is installed.
  installed =
    (import (nixpkgs + "/nixos/lib/eval-config.nix") {
      # Hosts of these releases state their platform.
      system = null;
      modules = modules ++ [
        virtualDisks
        (nixpkgs + "/nixos/modules/profiles/qemu-guest.nix")
        (nixpkgs + "/nixos/modules/testing/test-instrumentation.nix")
        (
          { lib, ... }:
          {
            nixpkgs.overlays = overlays;
            # Passphrases are asked for where the driver types.
            boot.kernelParams = lib.mkAfter [ "console=${serialDevice}" ];
            systemd.network.links = lib.listToAttrs (
              map (card: {
                name = "05-hostwright-${card.name}";
                value = {
                  matchConfig.PermanentMACAddress = card.mac;
                  linkConfig.Name = card.name;
                };
              }) (lib.filter (card: card.name != null && !lib.hasInfix "*" card.name) machine.cards)
            );
          }
        )
      ];
    }).config;
  toplevel = installed.system.build.toplevel;

  # LUKS asks once: what was typed is tried on every device.
  asksForLuks = lib.any (device: device.keyFile or null == null) (
    lib.attrValues installed.boot.initrd.luks.devices
  );
  prompts = (if asksForLuks then 1 else 0) + lib.length machine.passphrases;

  # What must be mounted, and from where: the system's own file systems.
  mounts = map (mount: {
    path = mount.mountPoint;
    inherit (mount) device fsType;
    # A bind mount shows the device below it.
    bound = lib.elem "bind" mount.options;
  }) (lib.filter (mount: !lib.elem "noauto" mount.options) (lib.attrValues installed.fileSystems));

  # Cards on the test's own network; those that ask for an address are answered by QEMU.
  cards = lib.concatLists (
    lib.imap0 (at: card: [
      (
        if card.dhcp then
          "-netdev user,id=card${toString at},restrict=on"
        else
          ''-netdev vde,id=card${toString at},sock="$QEMU_VDE_SOCKET_1"''
      )
      "-device virtio-net-pci,netdev=card${toString at},mac=${card.mac}"
    ]) machine.cards
  );

  disks = lib.concatLists (
    lib.imap0 (at: disk: [
      "-drive file=disk${toString at}.qcow2,if=none,id=disk${toString at},format=qcow2,discard=unmap"
      (
        "-device virtio-blk-pci,drive=disk${toString at},serial=hostwright${toString at}"
        + lib.optionalString disk.boots ",bootindex=${toString (at + 1)}"
      )
    ]) machine.disks
  );

  # Both nodes are one machine: the same disks, the same firmware.
  hardware = {
    virtualisation = {
      cores = 2;
      memorySize = 4096;
      diskImage = null;
      useEFIBoot = machine.uefi;
      qemu.options = disks;
    };
  };

  script =
    name: arguments:
    "printf 'hostwright\\n%.0s' $(seq 100) | ${machine.install}/${name}.sh${arguments}";
in
(import (nixpkgs + "/nixos/lib") { }).runTest {
  name = "${machine.name}-boot";
  hostPkgs = pkgs;
  node.pkgs = pkgs;
  # The types of the driver's machines differ between releases.
  skipTypeCheck = true;
  meta.platforms = [ system ];

  nodes.installer =
    { lib, ... }:
    {
      imports = [
        hardware
        virtualDisks
      ];
      networking.hostId = installed.networking.hostId;
      boot.kernelPackages = installed.boot.kernelPackages;
      boot.zfs = lib.mkIf (machine.pools != [ ]) {
        inherit (installed.boot.zfs) package;
        forceImportRoot = false;
      };
      boot.supportedFilesystems = lib.optional (machine.pools != [ ]) "zfs";
      boot.kernelModules = [
        "dm_crypt"
        "btrfs"
        "md_mod"
        "raid0"
        "raid1"
        "raid10"
        "raid456"
        "xfs"
      ];
      environment.systemPackages = [
        pkgs.btrfs-progs
        pkgs.cryptsetup
        pkgs.dosfstools
        pkgs.e2fsprogs
        pkgs.efibootmgr
        pkgs.gptfdisk
        pkgs.mdadm
        pkgs.nixos-install-tools
        pkgs.openssh
        pkgs.xfsprogs
      ];
      virtualisation.writableStore = true;
      virtualisation.additionalPaths = [ toplevel ];
      nix.settings = {
        substituters = lib.mkForce [ ];
        hashed-mirrors = null;
        connect-timeout = 1;
      };
    };

  # The machine without what a test node brings along: it boots what is on its disks.
  nodes.target = {
    imports = [ hardware ];
    virtualisation = {
      useBootLoader = true;
      useDefaultFilesystems = false;
      efi.keepVariables = false;
      qemu.options = cards;
      fileSystems."/" = {
        device = "/dev/disk/by-label/not-used";
        fsType = "ext4";
      };
    };
  };

  testScript = ''
    import json
    import os
    import shutil
    import subprocess

    disks = json.loads(${builtins.toJSON (builtins.toJSON machine.disks)})
    mounts = json.loads(${builtins.toJSON (builtins.toJSON mounts)})
    pools = json.loads(${builtins.toJSON (builtins.toJSON machine.pools)})
    addresses = json.loads(${builtins.toJSON (builtins.toJSON machine.addresses)})
    ports = json.loads(${builtins.toJSON (builtins.toJSON (lib.optionals installed.services.openssh.enable installed.services.openssh.ports))})
    system = "${toplevel}"
    judge = "${if machine.judge == null then "" else machine.judge}"
    # What no virtual machine can give: there is no time server on its network.
    excused = ["damage: the clock is not synchronized"]


    def state(name):
        return os.path.join(str(installer.state_dir), name)


    for at, disk in enumerate(disks):
        subprocess.run(
            ["${pkgs.qemu-utils or pkgs.qemu}/bin/qemu-img", "create", "-q", "-f", "qcow2", state(f"disk{at}.qcow2"), str(disk["bytes"])],
            check=True,
        )

    installer.start()
    installer.wait_for_unit("multi-user.target")
    installer.succeed("udevadm settle")

    with subtest("the scripts lay out the disks and install the system"):
        for disk in disks:
            installer.succeed(f"test -b '/dev/disk/by-id/{disk['id']}'")
        yes = " ".join(f"--yes '{disk['id']}'" for disk in disks)
        installer.succeed("${script "partition" ""} " + yes + " >&2", timeout=1800)
        if os.path.exists("${machine.install}/pools.sh"):
            installer.succeed("${script "pools" ""} >&2", timeout=900)
        installer.succeed("${script "mount" ""} >&2", timeout=900)
        installer.succeed(f"${script "install" " --system {system}"} >&2", timeout=3600)

    installer.shutdown()

    # From here on it is the same machine, booting from its disks.
    target.state_dir = installer.state_dir
    if os.path.exists(state("installer-efi-vars.fd")):
        shutil.copy(state("installer-efi-vars.fd"), state("target-efi-vars.fd"))


    def unlock():
        for _ in range(${toString prompts}):
            target.wait_for_console_text("([Pp]assphrase|Enter key) (for|of)")
            target.send_console("hostwright\n")


    def assert_booted(previous):
        target.wait_for_unit("multi-user.target", timeout=1800)
        boot = target.succeed("cat /proc/sys/kernel/random/boot_id").strip()
        assert boot not in previous, "the machine was not rebooted"
        booted = target.succeed("readlink -f /run/booted-system").strip()
        assert booted == system, f"booted {booted}, installed {system}"

        target.execute("timeout 300 systemctl is-system-running --wait")
        failed = target.succeed("systemctl list-units --state=failed --no-legend --plain").strip()
        assert failed == "", f"failed units: {failed}"

        for pool in pools:
            health = target.succeed(f"zpool list -H -o health {pool}").strip()
            assert health == "ONLINE", f"the pool {pool} is {health}"
        target.fail("grep -w zfs_force=1 /proc/cmdline")
        target.fail("journalctl --boot --quiet --grep 'last accessed by another system'")

        for mount in mounts:
            path, device = mount["path"], mount["device"]
            words = target.succeed(f"findmnt -n -v -o FSTYPE,SOURCE --mountpoint '{path}' | tail -n 1").split(None, 1)
            kind, source = words[0], words[1].strip()
            if mount["bound"]:
                continue
            if mount["fsType"] in ["tmpfs", "zfs"]:
                assert kind == mount["fsType"], f"{path} is {kind}, not {mount['fsType']}"
            if mount["fsType"] == "tmpfs" or device is None:
                continue
            if mount["fsType"] == "zfs":
                assert source == device, f"{path} is mounted from {source}, not from {device}"
            else:
                target.succeed(f"test \"$(readlink -f '{source}')\" = \"$(readlink -f '{device}')\"")

        for address in addresses:
            target.wait_until_succeeds(f"ip -o addr show | grep -qF ' {address} '", timeout=120)
        for port in ports:
            target.wait_until_succeeds(f"ss -Hltn 'sport = :{port}' | grep -q .", timeout=120)

        # The dead-man is armed, and lets live what is no trial.
        target.succeed("systemctl is-active hostwright-deadman.timer")
        target.fail("grep -w hostwright.trial /proc/cmdline")
        target.succeed("systemctl start hostwright-deadman.service")
        assert boot == target.succeed("cat /proc/sys/kernel/random/boot_id").strip()

        if judge:
            said = target.execute(f"sh {judge} first 2>&1", timeout=900)[1]
            damage = [line for line in said.splitlines() if line.startswith("damage: ") and line not in excused]
            assert damage == [], f"the reboot test's judge says: {damage}"
        return previous + [boot]


    with subtest("the first boot"):
        target.start(allow_reboot=True)
        unlock()
        boots = assert_booted([])

    with subtest("the first reboot, through power off"):
        target.shutdown()
        target.start(allow_reboot=True)
        unlock()
        boots = assert_booted(boots)

    with subtest("the second reboot, without power off"):
        target.succeed("sync")
        target.reboot()
        unlock()
        assert_booted(boots)
  '';
}
