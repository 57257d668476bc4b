# The hosts of the fleet forms, without flakes. Written by hostwright; changes here are lost.
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
    # NixOS 26.11pre
    branch = throw "channel is not pinned: state rev and hash, or pass nixpkgs";
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
    both = host "stable" null ./hosts/both;
    far = host "branch" null ./hosts/far;
    plain = host "stable" null ./hosts/plain;
    twins = host "stable" null ./hosts/twins;
  };

  # What Hydra and nix-eval-jobs build.
  hydraJobs = builtins.mapAttrs (_: host: host.config.system.build.toplevel) nixosConfigurations;
}
