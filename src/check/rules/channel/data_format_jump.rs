//! A service whose data is older than its package still reads.

use crate::check::data_formats::{Takeover, takeovers, with_docs};
use crate::check::nixos::is_set;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::facts::{Attribute, split_name};
use crate::fleet::schema::module_file::DataRule;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "data-format-jump",
    group: Group::Channel,
    level: Level::Error,
    allowable: true,
    needs: &["running release"],
    summary: "a service's data is older than its package still reads",
    doc: include_str!("data_format_jump.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for takeover in takeovers(cx, found).iter().filter(|takeover| takeover.jumps()) {
        jump(cx, takeover, found);
    }
    dropped(cx, found);
}

fn jump(cx: &HostCx<'_>, takeover: &Takeover<'_>, found: &mut Findings) {
    let (name, release) = (takeover.service.name, &cx.host.channel.channel.release);
    let (from, to) = (takeover.from.0, takeover.to.0);
    let finding = Finding::at(takeover.service.def.key, format!("`{name}` would go from {from} to {to} at once"))
        .label(format!("{to} in NixOS {}", release.value))
        .related(takeover.running.place, format!("runs with {from} of `{}`", takeover.attribute));
    let finding = match takeover.data.rule.value {
        DataRule::OneMajorAtATime => finding
            .why("each major version converts the data of the one before it, and refuses that of any older one")
            .help("go by way of the releases between, one major version at a time, each started once"),
        _ => finding
            .why("another major version does not read the data: it starts with none, or not at all")
            .help(format!("dump the data with {from}, deploy, and read the dump with {to}"))
            .help("name the package of the old version with `package`, as long as the channel has it"),
    };
    found.report(with_docs(finding, "the way across", Some(takeover.data)));
}

/// Reports packages that NixOS takes by the state version and that the channel has dropped. Those that a definition names are told by
/// `option-type`.
fn dropped(cx: &HostCx<'_>, found: &mut Findings) {
    let Some(state_version) = &cx.host.def.state_version else { return };
    let release = &cx.host.channel.channel.release;
    let Some(index) = cx.facts.options_of(cx.host.channel.name, release.value).filter(|index| index.exact) else {
        return;
    };
    for service in cx.host.running() {
        let Some(module) = service.module.filter(|module| !module.file.packages.is_empty()) else { continue };
        let named = service.def.native().is_some_and(|native| native.package.is_some());
        let option = split_name(&module.package_option());
        let by_option = is_set(cx.host, &option.iter().map(String::as_str).collect::<Vec<_>>());
        let Some(attribute) = service.package(Some(state_version.value)).filter(|_| !named && !by_option) else {
            continue;
        };
        if !matches!(index.attribute(attribute), Attribute::Gone | Attribute::Absent) {
            continue;
        }
        let newest = module.file.packages.first().map_or(attribute, |newest| newest.package.as_str());
        let finding = Finding::at(
            service.def.key,
            format!("`{}` would be `{attribute}`, which NixOS {} no longer has", service.name, release.value),
        )
        .label("no package is named")
        .related(state_version.place, "by the state version it stays with the version that made its data")
        .why("the build fails; and another version than the one that wrote the data does not read it")
        .help(format!("where there is data: move it to a later version with a release that has both, then name that: `package = \"{newest}\"`"))
        .help(format!("where there is none yet: `package = \"{newest}\"`"));
        found.report(with_docs(finding, "the way across", module.file.data.as_ref()));
    }
}
