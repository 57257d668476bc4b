//! A .nix file that is not Nix: the user's own modules beside a host.toml, and what `lint-nix` is given.

use crate::check::lint_nix;
use crate::check::rule::{Check, Findings, Group, HostCx, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "nix-invalid",
    group: Group::Input,
    level: Level::Error,
    allowable: false,
    needs: &[],
    summary: "a .nix file has a syntax error",
    doc: include_str!("nix_invalid.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for (_, file) in &cx.host.source.nix {
        lint_nix::syntax(*file, cx.sources, found);
    }
}
