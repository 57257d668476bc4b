//! Asking machines: each as `drift` does, then how its drills stand.

use std::path::Path;

use super::Args;
use crate::cli::drift as comparing;
use crate::cli::probe::over_ssh;
use crate::cli::terminal::Terminal;
use crate::cli::way::Way;
use crate::cli::{Failure, watch::records};
use crate::drift;
use crate::facts::Facts;
use crate::resolve::{Resolved, ResolvedHost};
use crate::source::printable;
use crate::watch::{self, Drifted, Drill, DrillWanted, Look};

/// How many machines are asked at the same time.
const AT_ONCE: usize = 16;

/// When a drill runs that does not say when; the compiled timers have the same.
const MONTHLY: &str = "monthly";

/// What machines are asked with.
pub(super) struct Asking<'a> {
    pub(super) folder: &'a Path,
    pub(super) fleet: &'a Resolved<'a>,
    pub(super) facts: &'a Facts,
    pub(super) args: &'a Args,
    /// When, in RFC 3339.
    pub(super) looked: &'a str,
}

impl Asking<'_> {
    /// Looks at hosts, several at a time. Returns what each came to, in their order, with what was told before, and the hosts that say
    /// not where they are reached; one of those that was named is looked at in vain.
    pub(super) fn all(&self, terminal: &Terminal, names: &[String]) -> (Vec<Look>, Vec<(String, String)>) {
        let host = |name: &String| self.fleet.hosts.iter().find(|host| host.name == name.as_str());
        let has_target =
            |host: &ResolvedHost<'_>| host.def.deploy.as_ref().is_some_and(|deploy| deploy.target.is_some());
        let (mut looked_at, mut left_out) = (Vec::new(), Vec::new());
        for name in names {
            match host(name) {
                Some(host) if self.args.hosts.is_empty() && !has_target(host) => {
                    left_out.push((name.clone(), "it says nowhere where it is reached".to_owned()));
                }
                host => looked_at.push((name, host)),
            }
        }
        let mut looks = Vec::new();
        for some in looked_at.chunks(AT_ONCE) {
            std::thread::scope(|scope| {
                let one = |(name, host): &(&String, Option<&ResolvedHost<'_>>)| self.look(name, *host);
                let running: Vec<_> = some.iter().map(|host| scope.spawn(move || one(host))).collect();
                for (thread, (name, _)) in running.into_iter().zip(some) {
                    looks.push(thread.join().unwrap_or_else(|_| {
                        let mut look = Look::new(name, self.looked);
                        look.error = Some("looking at it ended in an internal error".to_owned());
                        look
                    }));
                }
            });
        }
        for look in &mut looks {
            look.reported = records::reported(terminal, self.folder, &look.host);
        }
        (looks, left_out)
    }

    fn look(&self, name: &str, host: Option<&ResolvedHost<'_>>) -> Look {
        let mut look = Look::new(name, self.looked);
        let Some(host) = host else {
            look.error = Some(format!("its definition cannot be read: `hostwright check {name}` says why"));
            return look;
        };
        match self.ask(host) {
            Ok((drifted, drills)) => {
                look.drift = Some(drifted);
                look.drills = drills;
            }
            Err(failure) => look.error = Some(printable(&failure.message)),
        }
        look
    }

    fn ask(&self, host: &ResolvedHost<'_>) -> Result<(Drifted, Vec<Drill>), Failure> {
        let config = self.args.ssh_config.as_deref();
        let way = Way::to_host(self.folder, host.name)?.bound(self.folder, host.name).unattended();
        let machine = comparing::ask(&way, config, self.args.deadline)?;
        let recorded = comparing::recorded(self.folder, host, self.facts);
        let drifted = Drifted::of(&drift::compare(host, &machine, self.facts, &recorded));
        let wanted = wanted(host);
        if wanted.is_empty() {
            return Ok((drifted, Vec::new()));
        }
        let told = |begin: &[&str], deadline| {
            let answer = over_ssh(&way, &watch::script(&wanted, begin), config, deadline)?;
            watch::read(&answer, &wanted).ok_or_else(|| Failure::new("what it said about its drills is cut off"))
        };
        let mut drills = told(&[], self.args.deadline)?;
        let begin: Vec<String> = drills.iter().filter(|drill| drill.wants_a_run()).map(|d| d.backup.clone()).collect();
        if self.args.drills && !begin.is_empty() {
            let begin: Vec<&str> = begin.iter().map(String::as_str).collect();
            // One that takes longer runs on, and the next look sees how it went. What is known of it by then is what it was before.
            drills = match told(&begin, self.args.drill_deadline) {
                Ok(drills) => drills,
                Err(_) => told(&[], self.args.deadline)?,
            };
        }
        Ok((drifted, drills))
    }
}

/// Returns the drills that a definition wants on its machine; of one whose configuration is elsewhere nothing is compiled.
fn wanted(host: &ResolvedHost<'_>) -> Vec<DrillWanted> {
    let backups = host.def.backup.iter().filter(|_| host.def.external.is_none());
    let drills = backups.filter_map(|(name, backup)| {
        let drill = backup.drill.as_ref().filter(|_| backup.kind.value.copies_files())?;
        let schedule = drill.schedule.as_ref().map_or(MONTHLY, |schedule| schedule.value.as_str());
        Some(DrillWanted { backup: name.clone(), schedule: schedule.to_owned() })
    });
    drills.collect()
}
