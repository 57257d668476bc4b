# The hosts of the fleet forms, without flakes. Written by hostwright; changes here are lost.
#
# nixpkgs: a tree for all hosts instead of the pins; inputs: sources to use instead of the pins below, by their names there.
{
  nixpkgs ? null,
  inputs ? { },
  overlays ? [ ],
}:

let
  pins = {
    # NixOS 26.05
    nixpkgs-stable = {
      outPath = fetchTarball {
        url = "https://github.com/NixOS/nixpkgs/archive/a5cc6f2c37bf518436dc8d1c288ccd0c43c2f4c4.tar.gz";
        sha256 = "sha256-r2f1oUwixlgq9zOdYLqJLfS/lWBT60/IITjhTKI59JU=";
      };
      rev = "a5cc6f2c37bf518436dc8d1c288ccd0c43c2f4c4";
      lastModifiedDate = "20260903031914";
    };
    # NixOS 26.11pre
    nixpkgs-branch = throw "the channel is not pinned: state rev and hash, or pass nixpkgs";
  }
  // inputs;

  hosts = {
    both = {
      channel = "nixpkgs-stable";
      system = "x86_64-linux";
      modules = flakes: [
        ./hosts/both
      ];
      bootTest = ./hosts/both/boot-test.nix;
      deployment = {
        targetHost = null;
        targetUser = null;
        targetPort = null;
        buildOnTarget = true;
        tags = [ ];
      };
      substituteOnTarget = false;
      sshOptions = [ ];
    };
    far = {
      channel = "nixpkgs-branch";
      system = "aarch64-linux";
      modules = flakes: [
        ./hosts/far
      ];
      bootTest = ./hosts/far/boot-test.nix;
      deployment = {
        targetHost = null;
        targetUser = null;
        targetPort = null;
        buildOnTarget = true;
        tags = [ ];
      };
      substituteOnTarget = false;
      sshOptions = [ ];
    };
    plain = {
      channel = "nixpkgs-stable";
      system = "x86_64-linux";
      modules = flakes: [
        ./hosts/plain
      ];
      bootTest = ./hosts/plain/boot-test.nix;
      deployment = {
        targetHost = null;
        targetUser = null;
        targetPort = null;
        buildOnTarget = true;
        tags = [ ];
      };
      substituteOnTarget = false;
      sshOptions = [ ];
    };
    twins = {
      channel = "nixpkgs-stable";
      system = "x86_64-linux";
      modules = flakes: [
        ./hosts/twins
      ];
      bootTest = ./hosts/twins/boot-test.nix;
      deployment = {
        targetHost = null;
        targetUser = null;
        targetPort = null;
        buildOnTarget = true;
        tags = [ ];
      };
      substituteOnTarget = false;
      sshOptions = [ ];
    };
  };

  tree = host: if nixpkgs != null then nixpkgs else pins.${host.channel};

  pkgs =
    host:
    import (tree host) {
      inherit (host) system;
      inherit overlays;
    };

  # The outputs of the further inputs, with the host's nixpkgs as theirs.
  flakes = host: { };

  # What a tree says of itself, for nixos-version and the names in the boot menu.
  version =
    source:
    if builtins.isAttrs source && source ? rev && source ? lastModifiedDate then
      [
        {
          system.nixos.revision = source.rev;
          system.nixos.versionSuffix = ".${builtins.substring 0 8 source.lastModifiedDate}.${
            builtins.substring 0 7 source.rev
          }";
        }
      ]
    else
      [ ];

  modules = host: host.modules (flakes host) ++ version (tree host);

  evaluate =
    host:
    import (tree host + "/nixos/lib/eval-config.nix") {
      system = if host.takesSystem or false then host.system else null;
      modules = modules host ++ [ { nixpkgs.overlays = overlays; } ];
    };

  names = builtins.attrNames hosts;
  withNames =
    names: value:
    builtins.listToAttrs (
      map (name: {
        inherit name;
        value = value name;
      }) names
    );
in
rec {
  nixosConfigurations = builtins.mapAttrs (_: evaluate) hosts;

  # For hosts with a configuration of their own: the reboot test's dead-man and the loader's part of it.
  nixosModules.hostwright = ./hostwright.nix;

  # For the deployer: it looks at the hosts on a timer.
  nixosModules.deployer = ./deployer/watch.nix;

  # For colmena, which has three names for itself. It knows no reboot test: system.preSwitchChecks.hostwright stands in.
  colmena =
    builtins.mapAttrs
      (_: host: {
        imports = modules host;
        deployment = host.deployment // {
          substituteOnDestination = host.substituteOnTarget;
          # A host that is the deployer itself.
          allowLocalDeployment = host.deployment.targetHost == null;
        };
      })
      (
        removeAttrs hosts [
          "defaults"
          "meta"
          "network"
        ]
      )
    // {
      meta = {
        nixpkgs = pkgs hosts.both;
        nodeNixpkgs = builtins.mapAttrs (_: pkgs) hosts;
      };
    };

  # No nodes for deploy-rs: what activates a host there is made by its flake, which [inputs.deploy-rs] of fleet.toml pins.

  # What Hydra and nix-eval-jobs build.
  hydraJobs = builtins.mapAttrs (_: host: host.config.system.build.toplevel) nixosConfigurations;

  # Virtual machines with the disks of a host: installed, booted and rebooted twice.
  checks =
    builtins.mapAttrs
      (
        _: tested:
        builtins.listToAttrs (
          map (name: {
            name = "${name}-boot";
            value = import ./boot-test.nix {
              inherit overlays;
              inherit (hosts.${name}) system;
              nixpkgs = tree hosts.${name};
              modules = modules hosts.${name};
              machine = import hosts.${name}.bootTest;
            };
          }) tested
        )
      )
      (
        builtins.groupBy (name: hosts.${name}.system) (
          builtins.filter (name: hosts.${name}.bootTest != null) names
        )
      );
}
