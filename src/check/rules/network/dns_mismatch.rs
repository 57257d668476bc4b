//! A public name that does not point where the definition says.

use std::net::IpAddr;

use crate::check::addresses;
use crate::check::phrase::joined;
use crate::check::probed::NO_FACTS;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::decode::Keyed;
use crate::fleet::schema::facts_file::Said;
use crate::fleet::schema::network::PublicName;
use crate::source::{Level, Spanned, quoted};

pub(super) static RULE: Rule = Rule {
    id: "dns-mismatch",
    group: Group::Network,
    level: Level::Warning,
    allowable: true,
    needs: &["where public names point"],
    summary: "a public name does not point where the definition says",
    doc: include_str!("dns_mismatch.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let Some(network) = cx.host.def.network.as_ref().filter(|network| !network.names.is_empty()) else { return };
    let Some(facts) = cx.host.source.facts.as_ref() else {
        found.unchecked(NO_FACTS);
        return;
    };
    for (name, public) in network.names.iter() {
        let said = facts.dns.as_ref().and_then(|dns| dns.iter().find(|(known, _)| is_same_name(known.as_str(), name)));
        let Some((_, said)) = said else {
            found.unchecked(format!("the facts do not say where {} points", quoted(name)));
            continue;
        };
        let Some(wanted) = wanted(cx, &public.value) else {
            found.unchecked(format!("nothing says to which public address {} is to point", quoted(name)));
            continue;
        };
        judge(name, public, said, &wanted, found);
    }
}

/// An address that a name may point to, and whether it is the one before a migration.
struct Wanted {
    address: IpAddr,
    before: bool,
}

/// Returns where a name may point: to the address that is written, else to the host's own public ones; before it is moved, to where
/// it comes from. None where the host has internal addresses only.
fn wanted(cx: &HostCx<'_>, name: &PublicName) -> Option<Vec<Wanted>> {
    let own = addresses::of(cx.host).map(|(_, address)| address.address);
    let own = own.filter(|address| !addresses::is_internal(*address));
    let mut after: Vec<IpAddr> = name.address.iter().map(|address| address.value).collect();
    // A name may have an address of the other family beside the one that is written.
    after.extend(own.filter(|own| name.address.as_ref().is_none_or(|address| address.is_ipv4() != own.is_ipv4())));
    if after.is_empty() {
        return None;
    }
    let before = name.from.iter().map(|from| Wanted { address: from.value, before: true });
    Some(before.chain(after.into_iter().map(|address| Wanted { address, before: false })).collect())
}

fn judge(
    name: &str,
    public: &Keyed<PublicName>,
    said: &Keyed<Vec<Spanned<Said>>>,
    wanted: &[Wanted],
    found: &mut Findings,
) {
    let points: Vec<IpAddr> = said.iter().filter_map(|address| address.value.parse().ok()).collect();
    let is_wanted = |point: &IpAddr| wanted.iter().any(|wanted| wanted.address == *point);
    // Of a family in which nothing is said about the name, nothing is wrong.
    let is_judged = |point: &IpAddr| wanted.iter().any(|wanted| wanted.address.is_ipv4() == point.is_ipv4());
    let strange: Vec<String> =
        points.iter().filter(|point| is_judged(point) && !is_wanted(point)).map(ToString::to_string).collect();
    if strange.is_empty() && points.iter().any(is_wanted) {
        return;
    }
    let (shown, first) = (quoted(name), wanted.first());
    let message = match (strange.as_slice(), points.as_slice()) {
        ([], []) => format!("{shown} points nowhere"),
        ([], _) => format!("{shown} points to no address that is known here"),
        (strange, _) => format!("{shown} points to {}", joined(strange)),
    };
    let (from, address) = (public.value.from.as_ref(), public.value.address.as_ref());
    let place = from.map(|from| from.place).or(address.map(|address| address.place)).unwrap_or(public.key);
    let label = match first {
        Some(Wanted { address, before: true }) => format!("to be moved from {address}"),
        Some(Wanted { address, before: false }) => format!("{address} is meant"),
        None => String::new(),
    };
    let finding = Finding::at(place, message).label(label).related(said.key, "what the deployer saw");
    found.report(if from.is_some() {
        finding
            .why("what answers under the name is not what is to be moved: its data stays where it is, and the way back leads to the wrong machine")
            .help("`from` with the address that the name has")
            .help("look again, where the name was moved since: `hostwright probe`")
    } else {
        finding
            .why("visitors, mail and the certificates of the host go where the name leads")
            .help("point the name to this host")
            .help("`from` with the address that the name has, where it is still to be moved")
            .help("look again, where it was moved since: `hostwright probe`")
    });
}

/// Tells whether two DNS names are one, whatever their case and with a dot at the end or without.
fn is_same_name(one: &str, other: &str) -> bool {
    one.trim_end_matches('.').eq_ignore_ascii_case(other.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said_of;

    fn of(name: &str, dns: &str) -> Vec<String> {
        let host = format!(
            "network.interfaces.lan = {{ match = {{ mac = '02:00:00:00:00:01' }}, addresses = ['192.0.2.10/24', '2001:db8::10/64'], \
             gateways = ['192.0.2.1'] }}\nnetwork.names.'www.example.org' = {name}\n"
        );
        let facts = format!(r#"{{ "version": 1, "dns": {{ {dns} }} }}"#);
        said_of("dns-mismatch", &[("hosts/a/host.toml", &host), ("hosts/a/facts.json", &facts)])
    }

    #[test]
    fn a_name_may_point_to_where_it_comes_from_and_to_where_it_goes() {
        let from = "{ from = '203.0.113.7' }";
        for right in ["\"203.0.113.7\"", "\"192.0.2.10\"", "\"192.0.2.10\", \"2001:db8::10\""] {
            assert!(of(from, &format!(r#""www.example.org": [{right}]"#)).is_empty(), "{right}");
        }
        assert_eq!(
            of(from, r#""WWW.example.org.": ["203.0.113.8"]"#),
            ["warning: `www.example.org` points to 203.0.113.8"]
        );
        assert_eq!(of(from, r#""www.example.org": []"#), ["warning: `www.example.org` points nowhere"]);
        assert_eq!(of("{}", r#""www.example.org": ["203.0.113.7"]"#).len(), 1);
        assert_eq!(
            of("{}", r#""www.example.org": ["192.0.2.10", "2001:db8::11"]"#),
            ["warning: `www.example.org` points to 2001:db8::11"]
        );
        // Nothing is said of IPv6 but the host's own address.
        assert!(of("{ address = '198.51.100.1' }", r#""www.example.org": ["198.51.100.1"]"#).is_empty());
        assert_eq!(of("{ address = '198.51.100.1' }", r#""www.example.org": ["192.0.2.10"]"#).len(), 1);
    }

    #[test]
    fn what_nobody_looked_up_is_unchecked() {
        assert_eq!(of("{}", "").len(), 1);
        assert!(of("{}", "")[0].starts_with("unchecked"));
        let inside = "network.interfaces.lan = { match = { mac = '02:00:00:00:00:01' }, addresses = ['192.168.1.2/24'], gateways = ['192.168.1.1'] }\n\
                      network.names.'www.example.org' = {}\n";
        let facts = r#"{ "version": 1, "dns": { "www.example.org": ["203.0.113.7"] } }"#;
        let said = said_of("dns-mismatch", &[("hosts/a/host.toml", inside), ("hosts/a/facts.json", facts)]);
        assert!(said.len() == 1 && said[0].starts_with("unchecked"), "{said:?}");
    }
}
