# What nixpkgs checks by functions in sections of systemd, networkd and nspawn units: facts/sections-REL.json.
#
#   nix-instantiate --eval --strict --json facts/sections.nix --argstr tree TREE
#
# The functions of nixos/lib/systemd-lib.nix are replaced by ones that leave their arguments, and `addCheck` by one that
# leaves them on the type; then the options are walked.
{ tree }:
let
  root = /. + tree;
  real = import (root + "/lib");
  lib = real.extend (
    _: before: {
      types = before.types // {
        addCheck = type: check: if check ? checks then type // { section = check; } else before.types.addCheck type check;
      };
    }
  );
  record = {
    assertByteFormat = field: {
      check = "byte-format";
      inherit field;
    };
    assertMacAddress = field: {
      check = "mac";
      inherit field;
    };
    assertNetdevMacAddress = field: {
      check = "mac-or-none";
      inherit field;
    };
    assertPort = field: {
      check = "port";
      inherit field;
    };
    assertPortOrPortRange = field: {
      check = "port-or-range";
      inherit field;
    };
    assertValueOneOf = field: values: {
      check = "one-of";
      inherit field;
      # nixpkgs adds its lists with `+` here, so that any value fails.
      values = if field == "IPDoNotFragment" then [ ] else values;
    };
    assertValuesSomeOfOr = field: values: default: {
      check = "some-of";
      inherit field values;
      other = default;
    };
    assertHasField = field: {
      check = "has-field";
      inherit field;
    };
    assertRange = field: min: max: {
      check = "range";
      inherit field min max;
    };
    assertRangeOrOneOf = field: min: max: values: {
      check = "range-or-one-of";
      inherit
        field
        min
        max
        values
        ;
    };
    assertRangeWithOptionalMask = field: min: max: {
      check = "range-with-mask";
      inherit field min max;
    };
    assertMinimum = field: min: {
      check = "minimum";
      inherit field min;
    };
    assertOnlyFields = values: {
      check = "only-fields";
      inherit values;
    };
    assertInt = field: {
      check = "int";
      inherit field;
    };
    assertRemoved = field: see: {
      check = "removed";
      inherit field;
      other = see;
    };
    assertKeyIsSystemdCredential = field: {
      check = "credential";
      inherit field;
    };
    assertRouteMetricOrTriple = field: {
      check = "route-metric";
      inherit field;
    };
    checkUnitConfig = group: checks: {
      inherit group;
      checks = lib.filter (check: !lib.isFunction check) checks;
    };
    checkUnitConfigWithLegacyKey = legacy: group: checks: {
      inherit group legacy;
      checks = lib.filter (check: !lib.isFunction check) checks;
    };
  };
  pkgs = { };
  systemdUtils = {
    lib =
      import (root + "/nixos/lib/systemd-lib.nix") {
        inherit lib pkgs;
        config = { };
        utils = { inherit systemdUtils; };
      }
      // record;
    unitOptions = import (root + "/nixos/lib/systemd-unit-options.nix") { inherit lib systemdUtils; };
    types = import (root + "/nixos/lib/systemd-types.nix") { inherit lib systemdUtils pkgs; };
    network.units = import (root + "/nixos/lib/systemd-network-units.nix") { inherit lib systemdUtils; };
  };
  optionsOf =
    file:
    (import (root + "/nixos/modules/system/boot/${file}") {
      inherit lib pkgs;
      config = { };
      utils = { inherit systemdUtils; };
    }).options or { };
  # An option's sections: its own, or those of the submodules that it holds.
  walk =
    name: options:
    lib.concatLists (
      lib.mapAttrsToList (
        segment: option:
        if lib.hasPrefix "_" segment then
          [ ]
        else if lib.isOption option then
          ofType (name ++ [ segment ]) option.type
        else if lib.isAttrs option then
          walk (name ++ [ segment ]) option
        else
          [ ]
      ) options
    );
  ofType =
    name: type:
    if type ? section then
      [
        {
          inherit name;
          value = type.section;
        }
      ]
    else if type.name == "attrsOf" then
      ofType (name ++ [ "<name>" ]) type.nestedTypes.elemType
    else if type.name == "listOf" then
      ofType (name ++ [ "*" ]) type.nestedTypes.elemType
    else if type.name == "nullOr" then
      ofType name type.nestedTypes.elemType
    else if type.name == "submodule" then
      walk name (type.getSubOptions [ ])
    else
      [ ];
  found =
    lib.concatMap
      (
        name:
        walk name
          (systemdUtils.unitOptions.serviceOptions {
            inherit name lib;
            config = { };
            options = { };
          }).options
      )
      [
      [ "systemd" "services" "<name>" ]
      [ "systemd" "user" "services" "<name>" ]
      [ "boot" "initrd" "systemd" "services" "<name>" ]
    ]
    ++ walk [ ] (optionsOf "networkd.nix")
    ++ walk [ ] (optionsOf "systemd/nspawn.nix");
in
{
  release = "26.11";
  # The initrd's networkd has the same sections; its options are not in the tables.
  sections = lib.listToAttrs (
    map (
      { name, value }:
      {
        name = lib.concatStringsSep "." name;
        inherit value;
      }
    ) (lib.filter (section: !(lib.hasPrefix "boot.initrd.systemd.network" (lib.concatStringsSep "." section.name))) found)
  );
}
