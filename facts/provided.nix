# Members of submodules that declare no default and have a value all the same when nobody sets them, because their module defines
# one (the `name` of an attribute set's element, mostly): facts/provided-REL.json.
#
#   nix-instantiate --eval --strict --json facts/provided.nix --argstr tree TREE --arg members '[ [ "a" "<name>" "b" ] ]'
{ tree, members }:
let
  root = /. + tree;
  pkgs = import root { system = "x86_64-linux"; };
  inherit (pkgs) lib;
  system = import (root + "/nixos/lib/eval-config.nix") {
    system = null;
    modules = [
      {
        nixpkgs.pkgs = pkgs;
        system.stateVersion = "26.11";
      }
    ];
  };
  isPlaceholder = segment: segment == "*" || lib.hasPrefix "<" segment;
  unwrapped =
    type:
    if lib.elem type.name [
      "nullOr"
      "unique"
      "uniq"
    ] then
      unwrapped type.nestedTypes.elemType
    else if type.name == "coercedTo" then
      unwrapped type.nestedTypes.finalType
    else if type.name == "either" then
      let
        right = unwrapped type.nestedTypes.right;
      in
      if right.name == "submodule" then right else unwrapped type.nestedTypes.left
    else
      type;
  ofOptions =
    options: path:
    if lib.isOption options then ofType options.type path else ofOptions options.${lib.head path} (lib.tail path);
  ofType =
    type: path:
    let
      inner = unwrapped type;
    in
    if path == [ ] then
      inner
    else if isPlaceholder (lib.head path) then
      ofType inner.nestedTypes.elemType (lib.tail path)
    else
      ofOptions (inner.getSubOptions [ ]) path;
  last = path: lib.foldl' (found: at: if isPlaceholder (lib.elemAt path at) then at else found) 0 (lib.range 0 (lib.length path - 1));
in
map (
  path:
  let
    until = last path + 1;
    type = ofOptions system.options (lib.take until path);
    instance = type.merge (map (segment: if isPlaceholder segment then "example" else segment) (lib.take until path)) [
      {
        file = "provided.nix";
        value = { };
      }
    ];
    result = builtins.tryEval (builtins.seq (lib.attrByPath (lib.drop until path) (throw "nothing there") instance) true);
  in
  result.success
) members
