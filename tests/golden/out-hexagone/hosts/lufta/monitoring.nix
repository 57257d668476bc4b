# lufta: figures, disks that are watched, mail
# Written by hostwright from hosts/lufta/host.toml; changes here are lost.
{ ... }:

{
  services = {
    prometheus.exporters = {
      node = {
        enable = true;
        port = 9100;
        listenAddress = "0.0.0.0";
      };
      zfs = {
        enable = true;
        port = 9134;
        listenAddress = "0.0.0.0";
      };
    };
    smartd.enable = true;
  };
}
