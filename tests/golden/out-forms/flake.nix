# The hosts of the fleet forms. Written by hostwright; changes here are lost.
{
  description = "The hosts of the fleet forms";

  inputs = {
    nixpkgs-stable.url = "github:NixOS/nixpkgs/a5cc6f2c37bf518436dc8d1c288ccd0c43c2f4c4";
    nixpkgs-branch.url = "github:NixOS/nixpkgs/nixos-unstable";
  };

  # The systems are those of default.nix, from the same trees.
  outputs = inputs: import ./default.nix { inputs = removeAttrs inputs [ "self" ]; };
}
