//! A host's settings against the option index: the walk that the rules of the group `options` share.
//!
//! Here belong: which settings there are (`[nixos]`, and `options` of services below their module's prefix), which index
//! answers, and how sure its answer is. Not here: what a finding says (the rules), what a type accepts (`facts`).
//!
//! Invariant: where a neighbouring release answers, a fault is certain only if the indexes on both sides of the host's release
//! see it, and a name that another release takes is a fault only if the answering one is much nearer.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::assertions::{Broken, System};
use super::beside::Beside;
use super::foreign;
use super::rule::{Findings, HostCx};
use crate::facts::{
    Alias, AliasKind, Facts, Fault, Found, OptionIndex, TypeFault, check_package, check_value, join_name, split_name,
};
use crate::nix::{Form, ModuleText, read_module};
use crate::resolve::ResolvedHost;
use crate::source::{FileId, Kind, Node, Place, printable};
use crate::units::Release;

/// What the option index says of a host's settings.
#[derive(Debug, Clone, Default)]
pub struct Settings<'a> {
    /// The settings that the host's release does not take as they are.
    pub faults: Vec<Setting<'a>>,
    /// Option names that one neighbouring release has and the other has not, sorted.
    pub unsure: BTreeSet<String>,
    /// Option names that nixpkgs has not, and that a module of the fleet's inputs may have, sorted.
    pub of_inputs: BTreeSet<String>,
    /// Assertions of NixOS that fail.
    pub broken: Vec<Broken>,
    /// The index that answered; none when there is none at all.
    pub index: Option<OptionIndex<'a>>,
}

/// A setting that the host's release does not take as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting<'a> {
    /// What is wrong and where.
    pub fault: TypeFault<'a>,
    /// The old name's fate in an older release, where the host's release knows nothing of the name any more.
    pub dropped: Option<Dropped<'a>>,
    /// A release beside the host's that has the option.
    pub elsewhere: Option<Release>,
    /// Whether the answer is the release's own, or that of the indexes on both sides of it.
    pub certain: bool,
}

/// An old name that a release has dropped altogether.
#[derive(Debug, Clone, PartialEq)]
pub struct Dropped<'a> {
    /// What became of it, by the older release.
    pub alias: Alias<'a>,
    /// The older release.
    pub release: Release,
}

/// A set of definitions: below which name, and the definitions.
pub(super) struct Definitions<'a> {
    pub(super) prefix: Vec<String>,
    pub(super) node: Cow<'a, Node>,
}

impl<'a> Settings<'a> {
    /// Walks over the settings of a host.
    pub(super) fn of(cx: &HostCx<'a>) -> Self {
        let release = cx.host.channel.channel.release.value;
        let index = cx.facts.options_of(cx.host.channel.name, release);
        let mut settings = Self::over(cx.facts, index, definitions(cx.host));
        settings.add_packages(cx);
        // What is not Nix is reported by a rule of its own.
        let read = |(_, file): &(String, FileId)| read_module(cx.sources.file(*file).text(), *file).ok();
        let modules: Vec<ModuleText> = cx.host.source.nix.iter().filter_map(read).collect();
        let modules: Vec<&ModuleText> = modules.iter().filter(|module| module.form != Form::Other).collect();
        if !modules.is_empty() {
            let declared: Vec<&[String]> =
                modules.iter().flat_map(|module| &module.declares).map(Vec::as_slice).collect();
            let of_files = foreign::settings(cx.facts, index, &modules, &declared);
            settings.faults.extend(of_files.faults);
            settings.unsure.extend(of_files.unsure);
        }
        settings.leave_to_inputs(cx);
        let nixos = cx.host.def.nixos.iter();
        let definitions: Vec<&Node> = nixos.chain(modules.iter().flat_map(|module| &module.definitions)).collect();
        if definitions.iter().any(|definition| adds_packages(definition)) {
            let packages = settings.faults.iter_mut().filter(|setting| setting.fault.fault == Fault::NoPackage);
            packages.for_each(|setting| setting.certain = false);
        }
        settings.broken = System { definitions, is_whole: cx.host.services.is_empty(), release }.broken();
        settings
    }

    /// Takes back what is said of names that nobody can know without the modules of the fleet's inputs, or the Nix that a module of
    /// the fleet brings itself.
    fn leave_to_inputs(&mut self, cx: &HostCx<'a>) {
        let Some(index) = self.index else { return };
        let fleet = cx.fleet.fleet;
        let with_nix = cx.host.services.iter().filter_map(|service| service.module);
        let with_nix = with_nix.filter(|module| fleet.template_of(module.name).is_some());
        let own: Vec<Vec<String>> = with_nix.map(|module| split_name(module.prefix)).collect();
        let by_profile = || cx.host.source.imports.iter().any(|name| fleet.template_of(name).is_some());
        if own.is_empty() && !fleet.file.inputs.iter().any(|(_, input)| input.module.is_some()) && !by_profile() {
            return;
        }
        let names = &mut self.of_inputs;
        self.faults.retain(|setting| {
            let unknown = setting.fault.fault == Fault::Unknown;
            // A prefix that nixpkgs has not is the module's own.
            let is_own = |prefix: &Vec<String>| {
                setting.fault.route.starts_with(prefix) || prefix.starts_with(&setting.fault.route)
            };
            if unknown && own.iter().any(is_own) {
                return false;
            }
            let is_open = unknown
                && setting.dropped.is_none()
                && setting.elsewhere.is_none()
                && setting.fault.nearest.is_empty()
                && !foreign::is_closed(index, &setting.fault.route);
            if is_open {
                names.insert(join_name(&setting.fault.route));
            }
            !is_open
        });
    }

    /// Walks over definitions that a system has whose options are those of an index.
    pub(super) fn over<'d>(
        facts: &'a Facts,
        index: Option<OptionIndex<'a>>,
        definitions: impl IntoIterator<Item = Definitions<'d>>,
    ) -> Self {
        let Some(index) = index else { return Self::default() };
        let mut settings = Self { index: Some(index), ..Self::default() };
        let beside = Beside::new(facts, index);
        for definitions in definitions {
            let faults = definitions.check(index);
            let mut across = None;
            for fault in faults {
                let across = across.get_or_insert_with(|| beside.across.map(|index| definitions.check(index)));
                for fault in beside.old_names(fault, &definitions) {
                    settings.add(fault, &beside, across.as_deref());
                }
            }
        }
        settings
    }

    /// Walks over the keys of ours that take a package.
    fn add_packages(&mut self, cx: &HostCx<'a>) {
        let Some(index) = self.index else { return };
        let def = cx.host.def;
        let kernel = def.boot.kernel.as_ref().map(|name| (&["boot", "kernelPackages"][..], name));
        let zfs =
            def.zfs.as_ref().and_then(|zfs| zfs.package.as_ref()).map(|name| (&["boot", "zfs", "package"][..], name));
        let users = def.access.iter().flat_map(|access| access.users.iter());
        let shells = users.filter_map(|(_, user)| user.shell.as_ref());
        let shells = shells.map(|name| (&["users", "users", "<name>", "shell"][..], name));
        let keys = kernel.into_iter().chain(zfs).chain(shells);
        for (option, name) in keys {
            let fault = check_package(index, option, name.as_str(), name.place);
            self.faults.extend(fault.map(|fault| Setting {
                certain: index.exact,
                dropped: None,
                elsewhere: None,
                fault,
            }));
        }
    }

    fn add(&mut self, fault: TypeFault<'a>, beside: &Beside<'a>, across: Option<&[TypeFault<'a>]>) {
        let exact = beside.index.exact;
        let too = across.is_some_and(|faults| {
            faults.iter().any(|other| other.place == fault.place && kind(&other.fault) == kind(&fault.fault))
        });
        let mut setting = Setting { certain: exact || too, dropped: None, elsewhere: None, fault };
        match &setting.fault.fault {
            Fault::Unknown => {
                let route: Vec<&str> = setting.fault.route.iter().map(String::as_str).collect();
                setting.dropped = beside.dropped(&route);
                let other = beside.has(&route);
                setting.elsewhere = other.map(|other| other.release);
                let contested = other.is_some_and(|other| {
                    !beside.is_much_nearer_than(other) || (beside.index.visible_only && other.is_unlisted(&route))
                });
                if contested && setting.dropped.is_none() {
                    self.unsure.insert(join_name(&setting.fault.route));
                    return;
                }
            }
            // A name that warns only from a later release on is the right one before it.
            Fault::Alias(alias) if alias.since.is_some_and(|since| since > beside.index.asked.base()) => return,
            _ => {}
        }
        self.faults.push(setting);
    }
}

fn kind(fault: &Fault<'_>) -> u8 {
    match fault {
        Fault::Unknown => 0,
        Fault::Type => 1,
        Fault::ReadOnly => 2,
        Fault::Alias(_) => 3,
        Fault::Missing => 4,
        Fault::NoPackage => 5,
    }
}

impl Definitions<'_> {
    fn check<'i>(&self, index: OptionIndex<'i>) -> Vec<TypeFault<'i>> {
        let prefix: Vec<&str> = self.prefix.iter().map(String::as_str).collect();
        check_value(index, &prefix, &self.node)
    }

    /// Returns what is defined for an option.
    pub(super) fn at(&self, route: &[String]) -> Option<&Node> {
        let below: Vec<&str> = route.strip_prefix(self.prefix.as_slice())?.iter().map(String::as_str).collect();
        self.node.at(&below)
    }
}

/// Tells whether definitions put further packages beside those of nixpkgs, or others in their place.
fn adds_packages(definitions: &Node) -> bool {
    let ways: [&[&str]; 3] =
        [&["nixpkgs", "overlays"], &["nixpkgs", "pkgs"], &["nixpkgs", "config", "packageOverrides"]];
    ways.iter().any(|way| definitions.at(way).is_some())
}

/// Returns the definitions of a host: its `[nixos]`, and of each service what its module sets for it and its `options`.
fn definitions<'a>(host: &ResolvedHost<'a>) -> Vec<Definitions<'a>> {
    let mut all = Vec::new();
    if let Some(nixos) = &host.def.nixos {
        all.push(Definitions { prefix: Vec::new(), node: Cow::Borrowed(nixos) });
    }
    for service in &host.services {
        let (Some(module), Some(native)) = (service.module, service.def.native()) else { continue };
        let prefix = split_name(module.prefix);
        let mut derived = |name: &str, kind: Kind, place: Place| {
            let prefix = prefix.iter().cloned().chain([name.to_owned()]).collect();
            all.push(Definitions { prefix, node: Cow::Owned(Node::new(kind, place)) });
        };
        let enable = &service.def.enable;
        derived("enable", Kind::Bool(enable.value), if enable.written { enable.place } else { service.def.key });
        if let Some(package) = &native.package {
            let node = Cow::Owned(Node::new(Kind::Str(package.to_string()), package.place));
            all.push(Definitions { prefix: split_name(&module.package_option()), node });
        }
        if let Some(set) = &module.file.set {
            leaves(set, &mut prefix.clone(), &mut all);
        }
        if let Some(options) = &native.options {
            all.push(Definitions { prefix, node: Cow::Borrowed(options) });
        }
    }
    all
}

/// Adds each value below a node as definitions of its own: what it stands in is whole only together with the others.
fn leaves<'a>(node: &'a Node, route: &mut Vec<String>, all: &mut Vec<Definitions<'a>>) {
    let Kind::Table(table) = &node.kind else {
        all.push(Definitions { prefix: route.clone(), node: Cow::Borrowed(node) });
        return;
    };
    for (name, entry) in table {
        route.push(name.clone());
        leaves(&entry.node, route, all);
        route.pop();
    }
}

/// Returns the names of the options that a host's definitions set, sorted: each that one of the indexes declares, and each value.
pub fn options_set(host: &ResolvedHost<'_>, indexes: &[OptionIndex<'_>]) -> BTreeSet<Vec<String>> {
    fn walk(indexes: &[OptionIndex<'_>], name: &mut Vec<String>, node: &Node, set: &mut BTreeSet<Vec<String>>) {
        let loc: Vec<&str> = name.iter().map(String::as_str).collect();
        let is_declared = indexes.iter().any(|index| matches!(index.lookup(&loc), Found::Option(_)));
        if is_declared || node.as_table().is_none() {
            set.insert(name.clone());
        }
        for (segment, entry) in node.as_table().into_iter().flatten() {
            name.push(segment.clone());
            walk(indexes, name, &entry.node, set);
            name.pop();
        }
    }
    let mut set = BTreeSet::new();
    for mut definitions in definitions(host) {
        walk(indexes, &mut definitions.prefix, &definitions.node, &mut set);
    }
    set
}

/// What became of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate<'a> {
    /// It has another name.
    Renamed {
        /// The name to use.
        to: Vec<String>,
        /// The last release known to understand the old name, where the host's does not.
        dropped: Option<Release>,
    },
    /// There is nothing of the kind any more.
    Removed {
        /// Why and what to do, in NixOS's words; empty when NixOS says nothing.
        text: &'a str,
    },
    /// Neither.
    Other,
}

impl<'a> Setting<'a> {
    /// Tells whether the old name's value goes to the new one as it is.
    pub(super) fn is_plain_rename(&self) -> bool {
        match (&self.fault.fault, &self.dropped) {
            (Fault::Alias(alias), _) | (Fault::Unknown, Some(Dropped { alias, .. })) => {
                alias.kind == AliasKind::Renamed
            }
            _ => false,
        }
    }

    /// Returns the name that a misspelt one certainly means: the only near one, with one segment spelt almost the same.
    pub(super) fn certainly_meant(&self, index: OptionIndex<'_>) -> Option<Vec<String>> {
        let [near] = self.fault.nearest.as_slice() else { return None };
        let near = split_name(near);
        let written = &self.fault.route;
        if !index.exact || near.len() != written.len() {
            return None;
        }
        let mut differ = near.iter().zip(written).filter(|(near, written)| near != written);
        let (Some((meant, word)), None) = (differ.next(), differ.next()) else { return None };
        let same = meant.eq_ignore_ascii_case(word) || strsim::damerau_levenshtein(meant, word) == 1;
        (same && word.len() > 3).then_some(near)
    }

    /// Returns what became of the setting's name, by the index that answers.
    pub(super) fn fate(&self, index: OptionIndex<'a>) -> Fate<'a> {
        match (&self.fault.fault, &self.dropped) {
            (Fault::Alias(alias), _) => fate(index, alias, None),
            (Fault::Unknown, Some(Dropped { alias, release })) => fate(index, alias, Some(*release)),
            _ => Fate::Other,
        }
    }
}

/// Follows a name to what the answering index makes of it. `dropped` is the release whose alias it is, if an older one's.
fn fate<'a>(index: OptionIndex<'a>, alias: &Alias<'a>, dropped: Option<Release>) -> Fate<'a> {
    let mut alias = alias.clone();
    // A chain of renames is a few steps long; a circle in the facts must end.
    for _ in 0..8 {
        let removed = alias.kind == AliasKind::Removed;
        let Some(to) = alias.last.or(alias.to).filter(|_| !removed) else {
            return Fate::Removed { text: alias.text };
        };
        let route: Vec<&str> = to.iter().map(String::as_str).collect();
        alias = match index.lookup(&route) {
            Found::Alias(next) if next.kind != AliasKind::Permanent => next,
            Found::Unknown { .. } => return Fate::Removed { text: alias.text },
            _ => return Fate::Renamed { to, dropped },
        };
    }
    Fate::Other
}

/// Says which release's options answered, where they are not the host's own.
pub(super) fn answered_by(index: OptionIndex<'_>) -> Option<String> {
    (!index.exact).then(|| format!("the options of {} answered, the facts have none of {}", index.release, index.asked))
}

/// Returns why a fault matters, after the release whose options answered where they are not the host's own.
pub(super) fn why(index: OptionIndex<'_>, consequence: &str) -> String {
    answered_by(index).map_or_else(|| consequence.to_owned(), |answered| format!("{answered}; {consequence}"))
}

/// Returns a host's settings and the index that they were held against; without an index the rule could not check.
pub(super) fn held_against<'a>(
    cx: &'a HostCx<'_>,
    found: &mut Findings,
) -> Option<(&'a Settings<'a>, OptionIndex<'a>)> {
    let settings = cx.settings();
    if settings.index.is_none() {
        found.unchecked("there is no option index");
    }
    Some((settings, settings.index?))
}

/// Prints an option's name in backticks, whole: it is there to be copied.
pub(super) fn option_name(segments: &[String]) -> String {
    format!("`{}`", printable(&join_name(segments)))
}

/// Lists names in backticks.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(|name| format!("`{}`", printable(name))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use crate::check::sample::reported;

    /// Returns what the rules on options say of lines below `[nixos]` on a release, places without the file's name.
    fn of(release: &str, lines: &str) -> Vec<String> {
        let fleet = format!(
            "fleet.name = 'x'\nchannels.it.release = '{release}'\n[defaults]\nimports = ['scaffold']\nchannel = 'it'\n"
        );
        let host = format!("[nixos]\n{lines}");
        let lines = reported(&[("fleet.toml", &fleet), ("hosts/a/host.toml", &host)], &[]);
        let of_options = lines.into_iter().filter(|line| line.contains(" option-"));
        of_options.map(|line| line.replace("hosts/a/host.toml:", "")).collect()
    }

    #[test]
    fn a_neighbours_answer_is_a_warning_unless_the_releases_on_both_sides_refuse_the_value() {
        assert_eq!(
            of(
                "26.05",
                "services.fail2ban.enabel = true\n\
                 boot.cleanTmpDir = true\n\
                 boot.bootspec.enable = true\n\
                 services.fail2ban.enable = 'yes'\n\
                 boot.tmp.cleanOnBoot = 'yes'\n\
                 hardware.nvidia.optimus_prime.enable = true\n\
                 services.dovecot2.group = 'mail'\n"
            ),
            [
                "warning 2:19 option-unknown: there is no option `services.fail2ban.enabel`",
                "warning 3:6 option-renamed: `boot.cleanTmpDir` was renamed to `boot.tmp.cleanOnBoot`",
                "warning 4:15 option-removed: `boot.bootspec.enable` was removed",
                "error 5:28 option-type: `services.fail2ban.enable` cannot be `\"yes\"`",
                "error 6:24 option-type: `boot.tmp.cleanOnBoot` cannot be `\"yes\"`",
                "warning 7:31 option-renamed: `hardware.nvidia.optimus_prime.enable` was renamed to \
                 `hardware.nvidia.prime.sync.enable`, and the old name is gone",
                "warning 8:19 option-unknown: there is no option `services.dovecot2.group`",
            ]
        );
    }

    #[test]
    fn a_release_answers_for_itself_and_for_the_unstable_channel_before_it() {
        for release in ["26.11", "26.11pre"] {
            assert_eq!(
                of(
                    release,
                    "services.fail2ban.enabel = true\nsound.enableMediaKeys = true\nboot.tmp.cleanOnBoot = 'yes'\n"
                ),
                [
                    "error 2:19 option-unknown: there is no option `services.fail2ban.enabel`",
                    "error 3:7 option-removed: `sound.enableMediaKeys` was removed",
                    "error 4:24 option-type: `boot.tmp.cleanOnBoot` cannot be `\"yes\"`",
                ],
                "{release}"
            );
        }
        assert_eq!(
            of("20.09", "boot.tmp.cleanOnBoot = true\nboot.cleanTmpDir = true\n"),
            ["error 2:6 option-unknown: there is no option `boot.tmp`"]
        );
    }

    #[test]
    fn what_came_or_went_halfway_between_two_releases_is_not_judged() {
        let lines = of("22.05", "boot.tmp.cleanOnBoot = true\n");
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("unchecked option-unknown:") && lines[0].contains("`boot.tmp`"), "{lines:?}");
    }

    #[test]
    fn a_name_that_warns_only_from_a_later_release_on_is_right_before_it() {
        let line = "services.kubernetes.addons.dns.coredns = {}\n";
        assert!(of("26.11", line).iter().any(|line| line.contains("option-renamed")));
        assert!(!of("25.11", line).iter().any(|line| line.contains("option-renamed")));
    }

    #[test]
    fn nix_expressions_are_not_judged_and_wrappers_are_seen_through() {
        assert!(of("26.11", "services.fail2ban.enable = { literalExpression = '\"yes\"' }\n").is_empty());
        assert_eq!(
            of("26.11", "services.fail2ban.enable = { mkDefault = 'yes' }\n"),
            ["error 2:42 option-type: `services.fail2ban.enable` cannot be `\"yes\"`"]
        );
    }

    #[test]
    fn options_of_a_service_stand_below_its_modules_prefix_and_its_module_must_be_there() {
        let module = "kind = 'service'\nsummary = 'x'\nprefix = 'services.nosuchthing'\n";
        let host = "[services.gitea]\nkind = 'native'\npackage = 'forgejo'\noptions = { enabel = true, settings.x.y = 1 }\n\
                    [services.other]\nkind = 'native'\n";
        let fleet =
            "fleet.name = 'x'\nchannels.it.release = '26.11'\n[defaults]\nimports = ['scaffold']\nchannel = 'it'\n";
        let files = [("fleet.toml", fleet), ("modules/other/module.toml", module), ("hosts/a/host.toml", host)];
        let lines: Vec<_> = reported(&files, &[]).into_iter().filter(|line| line.contains(" option-")).collect();
        assert_eq!(
            lines,
            [
                "error hosts/a/host.toml:4:13 option-unknown: there is no option `services.gitea.enabel`",
                "error hosts/a/host.toml:5:11 option-unknown: there is no option `services.nosuchthing.enable`",
            ]
        );
    }
}
