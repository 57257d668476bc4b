# The hosts of the fleet hexagone, without flakes. Written by hostwright; changes here are lost.
#
# nixpkgs: a tree for all hosts instead of the pins; inputs: pins by channel to use instead of those below.
{
  nixpkgs ? null,
  inputs ? { },
  overlays ? [ ],
}:

let
  pins = {
    # NixOS 26.05
    stable = fetchTarball {
      url = "https://github.com/NixOS/nixpkgs/archive/a5cc6f2c37bf518436dc8d1c288ccd0c43c2f4c4.tar.gz";
      sha256 = "sha256-r2f1oUwixlgq9zOdYLqJLfS/lWBT60/IITjhTKI59JU=";
    };
  }
  // inputs;

  host =
    channel: system: module:
    import ((if nixpkgs != null then nixpkgs else pins.${channel}) + "/nixos/lib/eval-config.nix") {
      inherit system;
      modules = [
        module
        { nixpkgs.overlays = overlays; }
      ];
    };
in
rec {
  nixosConfigurations = {
    attic = host "stable" null ./hosts/attic;
    lufta = host "stable" null ./hosts/lufta;
  };

  # What Hydra and nix-eval-jobs build.
  hydraJobs = builtins.mapAttrs (_: host: host.config.system.build.toplevel) nixosConfigurations;
}
