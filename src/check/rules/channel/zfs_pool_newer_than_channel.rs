//! A pool that a system which may boot next cannot import read-write.
//!
//! Two roads lead there: features that are active on a pool that exists (from probed facts), and features that the installer's
//! ZFS activates when it makes the pool. Features that are enabled and not active are a warning: the next write may activate them.

use std::collections::BTreeSet;

use crate::check::pool_features::{Origin, PoolFeatures, installer};
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::facts::Import;
use crate::fleet::schema::zfs;
use crate::resolve::{MountSource, ResolvedPool, SystemRole, ZfsSystem};
use crate::source::{Level, quoted};
use crate::units::Version;

pub(super) static RULE: Rule = Rule {
    id: "zfs-pool-newer-than-channel",
    group: Group::Channel,
    level: Level::Error,
    allowable: false,
    needs: &["OpenZFS features", "ZFS of the release", "probed pools"],
    summary: "a system that may boot next cannot import a pool read-write",
    doc: include_str!("zfs_pool_newer_than_channel.md"),
    check: Check::Host(check),
};

/// How many features a message names; all of them are there for machines in the facts.
const NAMED: usize = 8;

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    // One system may be unknown to several pools: once is enough.
    let mut unchecked = BTreeSet::new();
    for pool in &cx.host.pools {
        match PoolFeatures::of(cx, pool) {
            Ok(features) => Subject { cx, pool, features }.check(found, &mut unchecked),
            Err(why) => {
                unchecked.insert(why);
            }
        }
    }
    for why in unchecked {
        found.unchecked(why);
    }
}

/// A pool with its features.
struct Subject<'a, 'c> {
    cx: &'c HostCx<'a>,
    pool: &'c ResolvedPool<'a>,
    features: PoolFeatures<'a>,
}

/// One thing that is wrong, and the systems that it is wrong with: one, or several generations of the boot menu.
struct Problem<'a> {
    role: SystemRole,
    import: Import,
    missing: Vec<&'a str>,
    systems: Vec<(&'a ZfsSystem, Version)>,
}

impl<'a> Subject<'a, '_> {
    fn check(&self, found: &mut Findings, unchecked: &mut BTreeSet<String>) {
        let active: Vec<&str> = self.features.active.iter().copied().collect();
        let enabled: Vec<&str> = self.features.enabled.iter().copied().collect();
        let (mut broken, mut endangered) = (Vec::new(), Vec::new());
        for system in &self.cx.host.systems {
            match self.verdict(&active, system) {
                Err(why) => {
                    unchecked.insert(why);
                }
                Ok(Some(problem)) => add(&mut broken, problem),
                // An installer is gone before anything could activate them.
                Ok(None) if system.role == SystemRole::Installer => {}
                Ok(None) => {
                    if let Ok(Some(problem)) = self.verdict(&enabled, system) {
                        add(&mut endangered, problem);
                    }
                }
            }
        }
        for problem in &broken {
            // Nothing boots from the installer: what it cannot import is lost only if it is needed once more.
            let exists = matches!(self.features.from, Origin::Seen(_));
            let level = if exists && problem.role == SystemRole::Installer { Level::Warning } else { Level::Error };
            found.report_as(level, self.broken(problem));
        }
        for problem in &endangered {
            found.report_as(Level::Warning, self.endangered(problem));
        }
    }

    /// Returns what a system lacks of these features, or why that is not known.
    fn verdict(&self, features: &[&'a str], system: &'a ZfsSystem) -> Result<Option<Problem<'a>>, String> {
        let unknown = |zfs: Version| format!("OpenZFS {zfs} is not among the facts");
        let import = |zfs| self.cx.facts.zfs().import(features.iter().copied(), zfs).ok_or_else(|| unknown(zfs));
        let Some(zfs) = system.zfs else {
            // No release of OpenZFS lost a feature: what the oldest one it may have can do, the one it has can do too.
            let enough = match system.at_least {
                Some(oldest) => import(oldest)?.import == Import::ReadWrite,
                None => features.is_empty(),
            };
            let why = || format!("the OpenZFS of {} is not known", called(system));
            return if enough { Ok(None) } else { Err(why()) };
        };
        let verdict = import(zfs)?;
        Ok((verdict.import != Import::ReadWrite).then(|| Problem {
            role: system.role,
            import: verdict.import,
            missing: verdict.missing,
            systems: vec![(system, zfs)],
        }))
    }

    /// A system that cannot import the pool read-write.
    fn broken(&self, problem: &Problem<'a>) -> Finding {
        let pool = self.pool.name;
        let has = match self.features.from {
            Origin::Seen(_) => "has",
            Origin::Made { .. } => "would be made with",
        };
        let cannot = if problem.import == Import::Refused { "import" } else { "write" };
        let names = names(&problem.missing);
        let message = format!("`{pool}` {has} {names} active, {} cannot {cannot} it", problem.whose());
        let finding = self.at(problem, message);
        let finding = self.origin(finding, problem);
        let first = match problem.import {
            Import::Refused => "the import is refused",
            Import::ReadOnly | Import::ReadWrite => "the pool imports read-only at best",
        };
        let finding = finding.why(format!("{first}, so {}", self.consequence(problem.role)));
        self.ways_out(finding, problem)
    }

    /// A system that could not import the pool any more once a feature becomes active.
    fn endangered(&self, problem: &Problem<'a>) -> Finding {
        let (names, needed) = (names(&problem.missing), self.needed(problem));
        let message = format!("`{}` has {names} enabled, unknown to {}", self.pool.name, problem.whose());
        let mut finding = self.at(problem, message);
        if let Origin::Seen(place) = self.features.from {
            finding = finding.related(place, "seen on this pool");
        }
        let when = |name: &&str| {
            let feature = self.cx.facts.zfs().feature(name)?;
            Some(format!("{}: {}", quoted(name), feature.becomes_active))
        };
        let when: Vec<String> = problem.missing.iter().filter_map(when).take(3).collect();
        let why = match when.as_slice() {
            [] => "it imports the pool until one of them becomes active".to_owned(),
            when => format!("it imports the pool until one of them becomes active ({})", when.join("; ")),
        };
        let finding = finding.why(why);
        self.newer(finding, problem, &needed)
    }

    /// Begins a finding at the place that decides which ZFS the system has.
    fn at(&self, problem: &Problem<'a>, message: String) -> Finding {
        let host = self.cx.host.name;
        let Some((system, _)) = problem.systems.first() else { return Finding::at(self.cx.host.place, message) };
        let deployer = self.cx.fleet.deployer.filter(|deployer| deployer.channel.at == system.place);
        match (problem.role, deployer) {
            (SystemRole::New, Some(deployer)) => Finding::at(system.release_place, message)
                .label(format!("{} evaluates {host} with this", deployer.def.name.value))
                .related(deployer.def.evaluation.place, "by its own channel"),
            (SystemRole::New, None) => Finding::at(system.release_place, message).label(format!("{host} boots this")),
            (role, _) if system.place == system.release_place => {
                Finding::at(system.place, message).label(role.as_str().to_owned())
            }
            (role, _) => {
                Finding::at(system.place, message).label(role.as_str()).related(system.release_place, "its release")
            }
        }
    }

    /// Adds where the features come from.
    fn origin(&self, finding: Finding, problem: &Problem<'a>) -> Finding {
        let maker = installer(self.cx);
        let described = |maker: &ZfsSystem| match (maker.release, maker.zfs) {
            (Some(release), Some(zfs)) => format!("{release}, OpenZFS {zfs}"),
            (Some(release), None) => release.to_string(),
            (None, Some(zfs)) => format!("OpenZFS {zfs}"),
            (None, None) => "of unknown OpenZFS".to_owned(),
        };
        match &self.features.from {
            Origin::Seen(place) => {
                let facts = self.cx.sources.file(place.file).path();
                let knows = |zfs: Version| {
                    let line = self.cx.facts.zfs().line(zfs);
                    line.is_some_and(|line| problem.missing.iter().all(|name| line.supports(name)))
                };
                match maker.filter(|maker| maker.zfs.is_some_and(knows)) {
                    Some(maker) => finding
                        .related(maker.place, format!("installed with this ({}); seen in {facts}", described(maker))),
                    None => finding.related(*place, format!("active on `{}`", self.pool.name)),
                }
            }
            Origin::Made { needs } => {
                let mut finding = finding;
                let mut by_definition = BTreeSet::new();
                for need in needs.iter().filter(|need| problem.missing.contains(&need.feature)) {
                    by_definition.insert(need.feature);
                    finding = finding.related(need.place, format!("{} makes use of `{}`", need.what, need.feature));
                }
                let by_default = problem.missing.iter().any(|name| !by_definition.contains(name));
                match maker.filter(|_| by_default) {
                    Some(maker) => finding.related(maker.place, format!("makes the pool ({})", described(maker))),
                    None => finding,
                }
            }
        }
    }

    /// Says what follows for the host.
    fn consequence(&self, role: SystemRole) -> String {
        match role {
            SystemRole::Rollback => return "this way back is closed".to_owned(),
            SystemRole::Rescue => return "nobody can mend the host from there".to_owned(),
            SystemRole::Installer => return "it cannot be used when the host is installed again".to_owned(),
            SystemRole::New => {}
        }
        let mounts = || {
            self.cx
                .host
                .mounts
                .iter()
                .filter(|mount| matches!(mount.source, MountSource::Dataset { pool, .. } if pool == self.pool.name))
        };
        if mounts().any(|mount| mount.path == "/") {
            "the host does not come back after its next reboot".to_owned()
        } else if mounts().next().is_some() {
            "the next boot ends in an emergency, without its file systems".to_owned()
        } else if self.pool.def.import.value == zfs::Import::Manual {
            "it cannot be used".to_owned()
        } else {
            "it is missing after the next reboot".to_owned()
        }
    }

    fn ways_out(&self, finding: Finding, problem: &Problem<'a>) -> Finding {
        let needed = self.needed(problem);
        let mut finding = self.newer(finding, problem, &needed);
        match &self.features.from {
            Origin::Seen(_) => finding = self.again(finding, problem.role),
            Origin::Made { needs } => {
                let needs: BTreeSet<&str> = needs
                    .iter()
                    .filter(|need| problem.missing.contains(&need.feature))
                    .map(|need| need.what.as_str())
                    .collect();
                let by_default = needs.is_empty();
                for need in needs {
                    finding = finding.help(format!("do without {need}"));
                }
                if by_default && problem.role != SystemRole::Installer {
                    finding = finding
                        .help(format!("`compatibility = \"auto\"` for `{}`, which is the default", self.pool.name))
                        .help(format!("an installer from `{}`", self.cx.host.channel.name));
                }
            }
        }
        let doubtful = problem.systems.iter().find(|(system, _)| !system.verified);
        match doubtful {
            Some((system, zfs)) => finding.help(format!(
                "`zfs` of that channel in fleet.toml, if {} has another OpenZFS than {zfs}: that is public knowledge, not verified",
                system.name
            )),
            None => finding,
        }
    }

    /// Adds the ways out that give the system another ZFS.
    fn newer(&self, finding: Finding, problem: &Problem<'a>, needed: &str) -> Finding {
        match problem.role {
            SystemRole::New if self.is_the_deployers(problem) => finding
                .help("`evaluation = \"pinned\"`: the host is evaluated with the channel that it is on")
                .help(format!("a channel with {needed} for the deployer")),
            SystemRole::New => {
                finding.help(format!("a channel with {needed}")).help(format!("`[zfs] package` with {needed}"))
            }
            SystemRole::Rollback => {
                let names: Vec<String> = problem.systems.iter().map(|(system, _)| called(system)).collect();
                let names = names.join(", ");
                finding.help(format!("remove {names} from the boot menu once a newer one has passed its reboot test"))
            }
            SystemRole::Rescue => finding.help(format!("a rescue system with {needed}")),
            SystemRole::Installer => finding.help(format!("an installer with {needed}")),
        }
    }

    /// Adds the way out that gives a pool that is there other features.
    fn again(&self, finding: Finding, role: SystemRole) -> Finding {
        match role {
            SystemRole::New => {
                let channel = self.cx.host.channel.name;
                finding.help(format!("install again from `{channel}`, or with `compatibility = \"auto\"`"))
            }
            SystemRole::Rescue => finding.help("install again with `compatibility = \"auto\"`"),
            SystemRole::Rollback | SystemRole::Installer => finding,
        }
    }

    /// Tells whether the system is what the deployer makes of its own channel.
    fn is_the_deployers(&self, problem: &Problem<'a>) -> bool {
        let at = problem.systems.first().map(|(system, _)| system.place);
        self.cx.fleet.deployer.is_some_and(|deployer| Some(deployer.channel.at) == at)
    }

    /// Returns the line of OpenZFS that knows all that is missing.
    fn needed(&self, problem: &Problem<'a>) -> String {
        let since = |name: &&str| self.cx.facts.zfs().feature(name)?.first_release;
        let versions: Option<Vec<Version>> = problem.missing.iter().map(since).collect();
        match versions.and_then(|versions| versions.into_iter().max()) {
            Some(version) => format!("ZFS >= {}", version.truncate(2)),
            None => "a ZFS that knows them".to_owned(),
        }
    }
}

impl Problem<'_> {
    /// Says whose ZFS it is: "OpenZFS 0.8.4 of 20.09", "OpenZFS 2.1.5 of the generations 41, 42".
    fn whose(&self) -> String {
        let mut versions: Vec<String> = self.systems.iter().map(|(_, zfs)| zfs.to_string()).collect();
        versions.dedup();
        let names: Vec<String> = self.systems.iter().map(|(system, _)| called(system)).collect();
        format!("OpenZFS {} of {}", versions.join(", "), names.join(", "))
    }
}

/// Returns what a system is called within a sentence.
fn called(system: &ZfsSystem) -> String {
    match system.role {
        SystemRole::New | SystemRole::Rollback => system.name.clone(),
        SystemRole::Rescue | SystemRole::Installer => system.role.as_str().to_owned(),
    }
}

/// Adds a problem; generations of the boot menu that lack the same are one.
fn add<'a>(problems: &mut Vec<Problem<'a>>, problem: Problem<'a>) {
    let alike = problems.iter_mut().find(|other| {
        other.role == SystemRole::Rollback
            && (other.role, other.import, &other.missing) == (problem.role, problem.import, &problem.missing)
    });
    match alike {
        Some(alike) => alike.systems.extend(problem.systems),
        None => problems.push(problem),
    }
}

fn names(features: &[&str]) -> String {
    let mut names: Vec<String> = features.iter().take(NAMED).map(|name| quoted(name)).collect();
    if features.len() > NAMED {
        names.push(format!("{} more", features.len() - NAMED));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use crate::facts::Facts;

    #[test]
    fn no_line_of_openzfs_lost_a_feature_of_the_one_before() {
        let facts = Facts::embedded();
        let lines: Vec<_> = facts.zfs().lines().collect();
        assert!(lines.len() > 5);
        for pair in lines.windows(2) {
            assert!(pair[0].features.is_subset(pair[1].features), "{} and {}", pair[0].name, pair[1].name);
        }
    }
}
