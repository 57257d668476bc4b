# The hosts of the fleet forms for colmena without flakes: colmena -f hive.nix. Written by hostwright; changes
# here are lost.
(import ./default.nix { }).colmena
