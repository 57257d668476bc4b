//! Interfaces, firewalls, tunnels.

use super::Assertion;
use super::Effect::{Fails as Stops, Warns};
use super::Test::{Fails, NameFails, NotOn, Off, On, Set, Unset};

/// The assertions, by module.
pub(super) static ASSERTIONS: &[Assertion] = &[
    Assertion {
        each: "",
        when: &[Fails("networking.hostId", is_host_id)],
        effect: Stops,
        since: None,
        message: "`networking.hostId` is not eight hexadecimal digits",
        cure: "write eight hexadecimal digits",
        file: "tasks/network-interfaces.nix",
    },
    Assertion {
        each: "networking.interfaces",
        when: &[NameFails(is_short)],
        effect: Stops,
        since: None,
        message: "the interface name `NAME` is longer than 15 characters",
        cure: "choose a shorter one",
        file: "tasks/network-interfaces.nix",
    },
    Assertion {
        each: "",
        when: &[
            On("networking.useNetworkd"),
            Set("networking.defaultGateway.address"),
            Unset("networking.defaultGateway.interface"),
        ],
        effect: Stops,
        since: None,
        message: "networkd wants to know the interface of the default gateway",
        cure: "set `networking.defaultGateway.interface`",
        file: "tasks/network-interfaces-systemd.nix",
    },
    Assertion {
        each: "",
        when: &[
            On("networking.useNetworkd"),
            Set("networking.defaultGateway6.address"),
            Unset("networking.defaultGateway6.interface"),
        ],
        effect: Stops,
        since: None,
        message: "networkd wants to know the interface of the default gateway",
        cure: "set `networking.defaultGateway6.interface`",
        file: "tasks/network-interfaces-systemd.nix",
    },
    Assertion {
        each: "",
        when: &[On("networking.useNetworkd"), Set("networking.defaultGatewayWindowSize")],
        effect: Stops,
        since: None,
        message: "networkd knows no `defaultGatewayWindowSize`",
        cure: "remove it",
        file: "tasks/network-interfaces-systemd.nix",
    },
    Assertion {
        each: "networking.bridges",
        when: &[On("/networking.useNetworkd"), On("rstp")],
        effect: Stops,
        since: None,
        message: "networkd knows no RSTP for the bridge `NAME`",
        cure: "remove `rstp`",
        file: "tasks/network-interfaces-systemd.nix",
    },
    Assertion {
        each: "",
        when: &[On("systemd.network.enable"), On("networking.useDHCP"), Off("networking.useNetworkd")],
        effect: Warns,
        since: Some("21.05"),
        message: "networkd and dhcpcd both configure the interfaces",
        cure: "set `networking.useNetworkd = true`, or `networking.useDHCP = false`",
        file: "tasks/network-interfaces.nix",
    },
    Assertion {
        each: "",
        when: &[On("networking.firewall.filterForward"), Off("networking.nftables.enable")],
        effect: Stops,
        since: Some("23.05"),
        message: "`filterForward` works with nftables only",
        cure: "set `networking.nftables.enable = true`",
        file: "services/networking/firewall.nix",
    },
    Assertion {
        each: "",
        when: &[On("networking.nftables.enable"), Set("networking.firewall.extraCommands")],
        effect: Stops,
        since: Some("23.05"),
        message: "`extraCommands` of the firewall are for iptables, and nftables is on",
        cure: "write `networking.firewall.extraInputRules`",
        file: "services/networking/firewall-nftables.nix",
    },
    Assertion {
        each: "",
        when: &[On("networking.nftables.enable"), Set("networking.firewall.extraStopCommands")],
        effect: Stops,
        since: Some("23.05"),
        message: "`extraStopCommands` of the firewall are for iptables, and nftables is on",
        cure: "remove them",
        file: "services/networking/firewall-nftables.nix",
    },
    Assertion {
        each: "",
        when: &[On("networking.nat.enable"), On("networking.nat.enableIPv6"), Off("networking.enableIPv6")],
        effect: Stops,
        since: Some("21.11"),
        message: "translation of IPv6 is on, and IPv6 is off",
        cure: "set `networking.enableIPv6 = true`",
        file: "services/networking/nat.nix",
    },
    Assertion {
        each: "",
        when: &[
            On("networking.nat.enable"),
            Set("networking.nat.forwardPorts"),
            Unset("networking.nat.externalInterface"),
        ],
        effect: Stops,
        since: None,
        message: "forwarded ports need `networking.nat.externalInterface`",
        cure: "set `networking.nat.externalInterface`",
        file: "services/networking/nat.nix",
    },
    Assertion {
        each: "",
        when: &[On("networking.nat.enable"), Set("networking.nat.dmzHost"), Unset("networking.nat.externalInterface")],
        effect: Stops,
        since: None,
        message: "a DMZ host needs `networking.nat.externalInterface`",
        cure: "set `networking.nat.externalInterface`",
        file: "services/networking/nat.nix",
    },
    Assertion {
        each: "networking.wireguard.interfaces",
        when: &[Set("privateKey"), Set("privateKeyFile")],
        effect: Stops,
        since: None,
        message: "the tunnel `NAME` has two private keys",
        cure: "leave `privateKeyFile`",
        file: "services/networking/wireguard.nix",
    },
    Assertion {
        each: "networking.wireguard.interfaces",
        when: &[Set("ips"), Unset("privateKey"), Unset("privateKeyFile"), NotOn("generatePrivateKeyFile")],
        effect: Stops,
        since: None,
        message: "the tunnel `NAME` has no private key",
        cure: "set `privateKeyFile`",
        file: "services/networking/wireguard.nix",
    },
    Assertion {
        each: "",
        when: &[On("services.resolved.enable"), On("networking.useHostResolvConf")],
        effect: Stops,
        since: None,
        message: "systemd-resolved does not work with the resolv.conf of a container's host",
        cure: "set `networking.useHostResolvConf = false`",
        file: "system/boot/resolved.nix",
    },
    Assertion {
        each: "",
        when: &[
            On("networking.networkmanager.enable"),
            On("networking.wireless.enable"),
            Set("networking.wireless.networks"),
            Unset("networking.networkmanager.unmanaged"),
        ],
        effect: Stops,
        since: None,
        message: "NetworkManager and wpa_supplicant both manage the wireless interfaces",
        cure: "name those that NetworkManager leaves alone in `networking.networkmanager.unmanaged`",
        file: "services/networking/networkmanager.nix",
    },
    Assertion {
        each: "",
        when: &[On("services.fail2ban.enable"), Off("networking.firewall.enable"), Off("networking.nftables.enable")],
        effect: Warns,
        since: None,
        message: "fail2ban has no firewall to ban with",
        cure: "set `networking.firewall.enable = true`",
        file: "services/security/fail2ban.nix",
    },
];

fn is_host_id(id: &str) -> bool {
    id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_short(name: &str) -> bool {
    name.len() < 16
}
