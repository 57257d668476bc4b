# The hosts of the fleet hexagone. Written by hostwright; changes here are lost.
{
  description = "The hosts of the fleet hexagone";

  inputs = {
    nixpkgs-stable.url = "github:NixOS/nixpkgs/a5cc6f2c37bf518436dc8d1c288ccd0c43c2f4c4";
  };

  outputs =
    inputs@{ self, ... }:
    {
      nixosConfigurations = {
        attic = inputs.nixpkgs-stable.lib.nixosSystem {
          modules = [ ./hosts/attic ];
        };
        lufta = inputs.nixpkgs-stable.lib.nixosSystem {
          modules = [ ./hosts/lufta ];
        };
      };

      # For hosts with a configuration of their own: the reboot test's dead-man and the loader's part of it.
      nixosModules.hostwright = ./hostwright.nix;

      # For colmena. These engines know no reboot test: system.preSwitchChecks.hostwright stands in for it.
      colmena = {
        meta = {
          nixpkgs = import inputs.nixpkgs-stable { system = "x86_64-linux"; };
          nodeNixpkgs = {
            attic = import inputs.nixpkgs-stable { system = "x86_64-linux"; };
            lufta = import inputs.nixpkgs-stable { system = "x86_64-linux"; };
          };
        };
        attic = {
          imports = [ ./hosts/attic ];
          deployment = {
            targetHost = "attic.example.net";
            targetUser = "root";
            targetPort = null;
            buildOnTarget = false;
          };
        };
        lufta = {
          imports = [ ./hosts/lufta ];
          deployment = {
            targetHost = "135.181.162.99";
            targetUser = "root";
            targetPort = null;
            buildOnTarget = false;
          };
        };
      };

      # What Hydra and nix-eval-jobs build.
      hydraJobs = builtins.mapAttrs (_: host: host.config.system.build.toplevel) self.nixosConfigurations;
    };
}
