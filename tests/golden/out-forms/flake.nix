# The hosts of the fleet forms. Written by hostwright; changes here are lost.
{
  description = "The hosts of the fleet forms";

  inputs = {
    nixpkgs-stable.url = "github:NixOS/nixpkgs/a5cc6f2c37bf518436dc8d1c288ccd0c43c2f4c4";
    nixpkgs-branch.url = "github:NixOS/nixpkgs/nixos-unstable";
  };

  outputs =
    inputs@{ self, ... }:
    {
      nixosConfigurations = {
        both = inputs.nixpkgs-stable.lib.nixosSystem {
          modules = [ ./hosts/both ];
        };
        far = inputs.nixpkgs-branch.lib.nixosSystem {
          modules = [ ./hosts/far ];
        };
        plain = inputs.nixpkgs-stable.lib.nixosSystem {
          modules = [ ./hosts/plain ];
        };
        twins = inputs.nixpkgs-stable.lib.nixosSystem {
          modules = [ ./hosts/twins ];
        };
      };

      # For hosts with a configuration of their own: the reboot test's dead-man and the loader's part of it.
      nixosModules.hostwright = ./hostwright.nix;

      # For colmena. These engines know no reboot test: system.preSwitchChecks.hostwright stands in for it.
      colmena = {
        meta = {
          nixpkgs = import inputs.nixpkgs-stable { system = "x86_64-linux"; };
          nodeNixpkgs = {
            both = import inputs.nixpkgs-stable { system = "x86_64-linux"; };
            far = import inputs.nixpkgs-branch { system = "aarch64-linux"; };
            plain = import inputs.nixpkgs-stable { system = "x86_64-linux"; };
            twins = import inputs.nixpkgs-stable { system = "x86_64-linux"; };
          };
        };
        both = {
          imports = [ ./hosts/both ];
          deployment = {
            targetHost = null;
            targetUser = null;
            targetPort = null;
            buildOnTarget = true;
          };
        };
        far = {
          imports = [ ./hosts/far ];
          deployment = {
            targetHost = null;
            targetUser = null;
            targetPort = null;
            buildOnTarget = true;
          };
        };
        plain = {
          imports = [ ./hosts/plain ];
          deployment = {
            targetHost = null;
            targetUser = null;
            targetPort = null;
            buildOnTarget = true;
          };
        };
        twins = {
          imports = [ ./hosts/twins ];
          deployment = {
            targetHost = null;
            targetUser = null;
            targetPort = null;
            buildOnTarget = true;
          };
        };
      };

      # What Hydra and nix-eval-jobs build.
      hydraJobs = builtins.mapAttrs (_: host: host.config.system.build.toplevel) self.nixosConfigurations;
    };
}
