# A flake of somebody else's with a NixOS module.
{
  outputs = _: {
    nixosModules.tides =
      { config, lib, ... }:
      let
        cfg = config.tides;
      in
      {
        options.tides = {
          enable = lib.mkEnableOption "tides";
          harbour = lib.mkOption {
            type = lib.types.str;
            default = "Hamburg";
          };
          depth = lib.mkOption {
            type = lib.types.int;
            default = 5;
          };
          level = lib.mkOption {
            type = lib.types.int;
            default = 0;
          };
          chart = lib.mkOption {
            type = lib.types.str;
            default = "";
          };
        };
        config = lib.mkIf cfg.enable {
          assertions = [
            {
              assertion = cfg.level >= 0;
              message = "tides.level cannot be below the ground";
            }
          ];
          warnings = lib.optional (lib.hasPrefix "/old" cfg.chart) "The chart is an old one.";
          environment.etc."tides".text = "${cfg.harbour} ${toString cfg.depth}";
        };
      };
  };
}
