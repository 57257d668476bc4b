# For a nixpkgs tree without its Haskell data: what would pull them in is replaced. For evaluation only; nothing is built.
[
  (final: prev: {
    shellcheck = prev.hello;
    shellcheck-unwrapped = prev.hello;
    shellcheck-minimal = prev.hello // {
      compiler.bootstrapAvailable = false;
    };
    pandoc = prev.hello // {
      compiler.bootstrapAvailable = false;
    };
  })
]
