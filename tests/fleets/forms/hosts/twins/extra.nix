{ pkgs, ... }:
{
  environment.etc."greeting".text = "hello";
}
