//! Rules that drop neighbour discovery or path MTU messages.

use crate::check::nixos;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::{Level, Node, Place};

pub(super) static RULE: Rule = Rule {
    id: "icmp-blocked",
    group: Group::Network,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "rules drop messages without which a network does not work",
    doc: include_str!("icmp_blocked.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let network = cx.host.def.network.as_ref();
    let rules = network.and_then(|network| network.firewall.as_ref()?.rules.as_ref());
    let mut texts: Vec<(&str, Place)> = rules.iter().map(|rules| (rules.value.as_str(), rules.place)).collect();
    let firewall = ["extraInputRules", "extraForwardRules", "extraCommands"];
    let routes = firewall.map(|option| ["networking", "firewall", option]).into_iter().chain([[
        "networking",
        "nftables",
        "ruleset",
    ]]);
    let of = |node: &'_ Node| node.as_str().map(str::to_owned).map(|text| (text, node.place));
    let mut own: Vec<(String, Place)> = routes.filter_map(|route| of(nixos::setting(cx.host, &route)?)).collect();
    let tables = nixos::setting(cx.host, &["networking", "nftables", "tables"]).and_then(Node::as_table);
    own.extend(tables.into_iter().flatten().filter_map(|(_, table)| of(table.node.at(&["content"])?)));
    texts.extend(own.iter().map(|(text, place)| (text.as_str(), *place)));
    for (text, place) in texts {
        let Some((line, what)) = text.lines().find_map(|line| dropped(line).map(|what| (line, what))) else { continue };
        found.report(
            Finding::at(place, format!("a rule drops {what}: {}", crate::source::quoted(line.trim())))
                .label("drops what the network needs")
                .why(
                    "without neighbour discovery IPv6 finds no other machine, and without path MTU messages small packets pass while large ones \
                     are lost: logins work and transfers hang",
                )
                .help("drop echo requests alone: `icmp = false` in `[network.firewall]`"),
        );
    }
}

/// Types of messages that may be dropped (RFC 4890, section 4.4).
const SPARED: &[&str] = &[
    "echo-request",
    "echo-reply",
    "nd-redirect",
    "redirect",
    "router-renumbering",
    "timestamp-request",
    "timestamp-reply",
    "139",
    "140",
];

/// Says what a rule of nftables or iptables drops that must pass; nothing where it spares it.
fn dropped(line: &str) -> Option<&'static str> {
    let code = line.split('#').next().unwrap_or("");
    let words: Vec<&str> =
        code.split(|c: char| c.is_whitespace() || "{},;".contains(c)).filter(|word| !word.is_empty()).collect();
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(word));
    // A rule with a rate lets through what the network needs.
    if !has(&["drop", "reject", "DROP", "REJECT"]) || has(&["limit", "--limit"]) {
        return None;
    }
    let v6 = has(&["icmpv6", "ipv6-icmp", "ip6nexthdr"]);
    let v4 = has(&["icmp"]);
    if !v6 && !v4 {
        return None;
    }
    let typed = words.iter().position(|word| ["type", "--icmp-type", "--icmpv6-type"].contains(word));
    let types: Vec<&str> = match typed {
        Some(at) => words
            .iter()
            .skip(at + 1)
            .copied()
            .take_while(|word| !["drop", "reject", "-j", "counter", "log", "comment"].contains(word))
            .collect(),
        None => Vec::new(),
    };
    let negated = types.first() == Some(&"!=");
    if !negated && !types.is_empty() && types.iter().all(|kind| SPARED.contains(kind)) {
        return None;
    }
    let other = [
        "destination-unreachable",
        "packet-too-big",
        "fragmentation-needed",
        "nd-neighbor-solicit",
        "nd-neighbor-advert",
        "nd-router-advert",
        "nd-router-solicit",
        "time-exceeded",
        "parameter-problem",
    ];
    if !negated && !types.is_empty() && !types.iter().any(|kind| other.contains(kind)) {
        return None;
    }
    Some(if v6 { "ICMPv6, neighbour discovery among it" } else { "path MTU messages of IPv4" })
}

#[cfg(test)]
mod tests {
    use super::dropped;
    use crate::check::sample::said;

    #[test]
    fn echo_may_be_dropped_and_what_the_network_needs_may_not() {
        for bad in [
            "icmpv6 type { nd-neighbor-solicit, echo-request } drop",
            "meta l4proto icmp drop",
            "ip6 nexthdr icmpv6 drop",
            "icmpv6 type != echo-request drop",
            "ip6tables -A INPUT -p ipv6-icmp -j DROP",
            "icmp type destination-unreachable counter reject",
        ] {
            assert!(dropped(bad).is_some(), "{bad}");
        }
        for good in [
            "icmp type echo-request drop",
            "icmpv6 type { echo-request, echo-reply } drop",
            "icmpv6 type nd-redirect drop",
            "tcp dport 22 drop # not icmp",
            "icmp type echo-request limit rate over 5/second drop",
            "icmpv6 type packet-too-big accept",
            "iptables -A INPUT -p icmp --icmp-type echo-request -j DROP",
        ] {
            assert_eq!(dropped(good), None, "{good}");
        }
        assert_eq!(
            said("icmp-blocked", "network.firewall = { tcp = [22], rules = 'meta l4proto icmp drop' }\n").len(),
            1
        );
        assert_eq!(
            said(
                "icmp-blocked",
                "nixos.networking.nftables.tables.x = { family = 'inet', content = 'meta l4proto icmp drop' }\n"
            )
            .len(),
            1
        );
        assert!(said("icmp-blocked", "network.firewall = { tcp = [22], icmp = false }\n").is_empty());
    }
}
