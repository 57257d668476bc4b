# lufta: figures, disks that are watched, mail
# Written by hostwright from hosts/lufta/host.toml; changes here are lost.
{ ... }:

{
  services = {
    prometheus.exporters = {
      node = {
        enable = true;
        listenAddress = "127.0.0.1";
      };
      zfs = {
        enable = true;
        listenAddress = "127.0.0.1";
      };
    };
    smartd.enable = true;
  };
}
