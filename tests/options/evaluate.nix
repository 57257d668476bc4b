# Says of each case in a file whether its definition evaluates with a real nixpkgs tree: what is defined is merged by the module
# system, and what was defined is forced again, as far as it was defined. Used by `make`.
{ tree, overlays, cases }:
let
  pkgs = import tree {
    system = "x86_64-linux";
    inherit overlays;
  };
  inherit (pkgs) lib;
  evaluate =
    module:
    import (tree + "/nixos/lib/eval-config.nix") {
      system = null;
      modules = [
        {
          nixpkgs.pkgs = pkgs;
          system.stateVersion = "26.11";
        }
        module
      ];
    };

  # Forces of a value what a definition set.
  force =
    value: definition:
    if lib.isAttrs value && lib.isAttrs definition && !lib.isDerivation value && !lib.isDerivation definition then
      lib.all (name: value ? ${name} -> force value.${name} definition.${name}) (lib.attrNames definition)
    else if lib.isList value && lib.isList definition && lib.length value == lib.length definition then
      lib.all (pair: force pair.fst pair.snd) (lib.zipLists value definition)
    else if lib.isList value then
      # Other modules have added to the list.
      lib.all (element: builtins.seq element true) value
    else
      builtins.seq value true;

  # Goes down as far as there is something, forcing each step.
  descend =
    route: value: definition:
    if route == [ ] then
      force value definition
    else if lib.isAttrs value && value ? ${lib.head route} then
      descend (lib.tail route) value.${lib.head route} definition
    else
      builtins.seq value true;

  verdict =
    case:
    let
      system = evaluate (lib.setAttrByPath case.route (case.value pkgs));
      inherit (system) config;
      failed = lib.any (
        assertion:
        let
          message = builtins.tryEval assertion.message;
        in
        message.success && lib.hasInfix "`${case.removed}'" message.value && !assertion.assertion
      );
    in
    if case ? removed then
      !(failed config.assertions)
    else
      descend (case.look or case.route) config (case.value pkgs)
      && lib.all (route: builtins.seq (lib.getAttrFromPath route config) true) (case.also or [ ])
      && (
        !(case ? element)
        || lib.all (element: builtins.seq element.${case.element} true) (lib.getAttrFromPath case.route config)
      );
in
map (
  case:
  let
    result = builtins.tryEval (verdict case);
  in
  result.success && result.value
) (import cases)
