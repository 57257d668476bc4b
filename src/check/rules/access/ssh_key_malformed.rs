//! A line that is no public key.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::ssh_key::{self, KeyFault};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "ssh-key-malformed",
    group: Group::Access,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "a line is no public key",
    doc: include_str!("ssh_key_malformed.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for (whose, key) in ssh_key::lines(cx.host) {
        let Err(fault) = ssh_key::parse(&key.value) else { continue };
        // The line is not repeated: it may be half of a private key.
        let finding = Finding::at(key.place, format!("{whose} {}", fault.as_str()));
        found.report(match fault {
            KeyFault::Private => finding
                .label("a private key")
                .why("everybody who reads the definition can use it, and the definition is in version control")
                .help("remove it, make a new pair of keys, and write the public half: the file that ends in .pub"),
            KeyFault::OtherType | KeyFault::Broken | KeyFault::NotBase64 | KeyFault::NoBlob | KeyFault::NoType => {
                finding
                    .label("no public key")
                    .why("sshd skips such a line without a word, and whoever relied on it stays outside")
                    .help("the whole line of the file that ends in .pub: type, Base64 part, comment")
            }
        });
    }
}
