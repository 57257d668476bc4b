{ config, pkgs, ... }:

{
  environment.systemPackages = [
    pkgs.hello
    pkgs.helo #! eval-error
  ];
  environment.etc.colours.text = config.colours.text; #! eval-error
  services.openssh.ports = map toString [ 22 ]; #! eval-error
}
