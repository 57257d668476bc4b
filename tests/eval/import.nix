{
  imports = [
    ./not-there.nix #! eval-error
  ];
}
