//! A key for logging in that is too weak, or that sshd no longer takes.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::ssh_key;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "ssh-key-weak",
    group: Group::Access,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "a key for logging in is weak",
    doc: include_str!("ssh_key_weak.md"),
    check: Check::Host(check),
};

/// Bits below which RSA is not good for the years to come (NIST SP 800-57 part 1, table 2: 128 bits of security).
const FEWEST: usize = 3072;

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for (whose, key) in ssh_key::login_lines(cx.host) {
        let Ok(parsed) = ssh_key::parse(&key.value) else { continue };
        let finding = match (parsed.kind, parsed.rsa_bits) {
            ("ssh-dss", _) => Finding::at(key.place, format!("{whose} is a DSA key"))
                .label("1024 bits")
                .why("OpenSSH has refused such keys since 7.0 and cannot read them since 10.0: whoever relies on it stays outside"),
            (_, Some(bits)) if bits < FEWEST => Finding::at(key.place, format!("{whose} is an RSA key of {bits} bits"))
                .label(format!("{bits} bits"))
                .why(format!("below {FEWEST} bits RSA is weaker than everything else in the connection, and short ones are within reach of those who can pay")),
            _ => continue,
        };
        found.report(finding.help("a new key, and this one removed once it works: `ssh-keygen -t ed25519`"));
    }
}
