# The names at the top of nixpkgs, and which of them only say that they are gone: facts/attributes-REL.json.
#
#   nix-instantiate --eval --strict --json facts/attributes.nix --argstr tree TREE --argstr release REL --arg unevaluated "[ ]"
{
  tree,
  release,
  # Names that cannot be evaluated because the tree lacks a file: they count as there.
  unevaluated ? [ ],
}:
let
  root = /. + tree;
  packages = import root { system = "x86_64-linux"; };
  withoutAliases = import root {
    system = "x86_64-linux";
    config.allowAliases = false;
  };
  isGone = name: !(builtins.tryEval packages.${name}).success;
  aliases = builtins.filter (name: !(withoutAliases ? ${name} || builtins.elem name unevaluated)) (builtins.attrNames packages);
in
{
  inherit release;
  present = builtins.attrNames packages;
  gone = builtins.filter isGone aliases;
}
