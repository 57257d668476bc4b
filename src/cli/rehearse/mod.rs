//! `hostwright apply HOST --scenario recover --rehearse`: the recovery, carried out on a machine that is thrown away.
//!
//! The fleet is copied into `state/HOST/rehearsal/fleet`, with the host's definition changed to the machine; there it is built, planned
//! and applied like any other. Nothing of the fleet's own state is touched.

mod guest;

use std::path::{Path, PathBuf};

use self::guest::{Guest, Installer};
use super::carry::{self, Run, Shared};
use super::context::{self, Report, shown};
use super::terminal::Terminal;
use super::{ExitStatus, Failure, build, output};
use crate::apply::{Options, Stop};
use crate::check::check_files;
use crate::plan::gates::id;
use crate::plan::{Plan, RunsOn, Scenario, Step, has_pinned_installer};
use crate::rehearse::{self, Machine, Ports, Refused};
use crate::source::printable;
use crate::units::Date;

/// What a rehearsal is told.
pub(super) struct Wanted<'a> {
    pub(super) host: &'a str,
    /// The image that the machine boots while its disks are blank; none to build it.
    pub(super) installer: Option<&'a Path>,
    pub(super) today: Option<Date>,
}

/// Files of the host's state that a recovery takes what it needs from.
const KEPT: [&str; 3] = ["secrets", "keys", "recover"];

/// Rehearses the recovery of a host.
pub(super) fn run(terminal: &Terminal, folder: &Path, wanted: &Wanted<'_>) -> Result<ExitStatus, Failure> {
    guest::needs()?;
    let installer = wanted.installer.map(|path| {
        std::fs::canonicalize(path).map_err(|why| Failure::new(format!("the installer {}: {why}", shown(path))))
    });
    let installer = installer.transpose()?;
    let state = folder.join("state").join(wanted.host);
    let place = state.join("rehearsal");
    let fleet = place.join("fleet");
    let ports = guest::ports()?;
    let machine = match prepare(terminal, folder, wanted, &fleet, ports, installer.is_some())? {
        Ok(machine) => machine,
        Err(status) => return Ok(status),
    };
    say(
        terminal,
        &format!(
            "machine  {} disks, {} MiB of memory, {}; {}\n",
            machine.drives.len(),
            machine.memory >> 20,
            if machine.uefi { "UEFI" } else { "BIOS" },
            reaches(&machine)
        ),
    )?;
    if let Err(status) = leads_to_it(terminal, wanted, &fleet, &machine, ports)? {
        return Ok(status);
    }
    let built = build::run(terminal, &fleet, &build::Args::of(wanted.host, wanted.today))?;
    if built != ExitStatus::Success {
        return Ok(built);
    }
    let own = fleet.join("state").join(wanted.host);
    private(&own)?;
    for name in KEPT {
        copy_private(&state.join(name), &own.join(name))?;
    }
    let scenario = context::Wanted::Scenario(Some(Scenario::Recover));
    let status = context::with_plan(terminal, &fleet, wanted.host, scenario, wanted.today, |plan| {
        let rehearsal =
            Rehearsal { terminal, wanted, place: &place, fleet: &fleet, machine: &machine, ports, plan: &plan };
        rehearsal.run(installer.as_deref())
    });
    // Whatever came of it: what opens repositories and disks has no business there any longer.
    for name in KEPT {
        remove(&own.join(name))?;
    }
    status
}

fn reaches(machine: &Machine) -> String {
    let ways: Vec<String> = machine.ways.iter().map(|way| format!("{}:{}", printable(&way.host), way.port)).collect();
    if ways.is_empty() {
        "it reaches nothing".to_owned()
    } else {
        format!("it reaches nothing but {}", ways.join(", "))
    }
}

/// Copies the fleet and changes the host's definition to a machine, which is returned.
fn prepare(
    terminal: &Terminal,
    folder: &Path,
    wanted: &Wanted<'_>,
    fleet: &Path,
    ports: Ports,
    image: bool,
) -> Result<Result<Machine, ExitStatus>, Failure> {
    let mut files = context::load(folder)?;
    let names = [wanted.host.to_owned()];
    context::known_hosts(&files, &names)?;
    let paths = context::paths(folder, &files)?;
    let facts = context::facts(folder, &mut files)?;
    let definition = format!("hosts/{}/host.toml", wanted.host);
    let said = format!("hosts/{}/facts.json", wanted.host);
    let text = output::read_text(&folder.join(&definition))?;
    let prepared =
        check_files(&mut files, &facts, &names, context::today(wanted.today)?, |resolved, outcome, sources| {
            let resolved = match context::clean(terminal, resolved, &Report::new(&outcome, sources))? {
                Ok(resolved) => resolved,
                Err(status) => return Ok(Err(status)),
            };
            let host = context::host_of(resolved, wanted.host)?;
            if !image && !has_pinned_installer(host) {
                return Err(Failure::new(
                    "the machine boots an installer that is built from the host's channel, and that is not pinned",
                )
                .help("`hostwright pin` pins it")
                .help(
                    "`--installer IMAGE` boots an image of yours: an ISO or a disk, with an ssh server and root's keys",
                ));
            }
            let machine = rehearse::machine(host).map_err(|refused| refusal(wanted.host, &refused))?;
            let text = rehearse::definition(&text, host, &machine, ports, image)
                .map_err(|refused| refusal(wanted.host, &refused))?;
            Ok(Ok((machine, text)))
        })?;
    let (machine, text) = match prepared {
        Ok(prepared) => prepared,
        Err(status) => return Ok(Err(status)),
    };
    if let Some(place) = fleet.parent() {
        remove(place)?;
        private(place)?;
    }
    for path in paths.iter().filter(|path| **path != definition && **path != said) {
        output::replace(&fleet.join(path), &output::read(&folder.join(path)))?;
    }
    output::replace(&fleet.join(&definition), text.as_bytes())?;
    Ok(Ok(machine))
}

/// Reads the changed definition again: its plan destroys disks, and they must be the machine's.
fn leads_to_it(
    terminal: &Terminal,
    wanted: &Wanted<'_>,
    fleet: &Path,
    machine: &Machine,
    ports: Ports,
) -> Result<Result<(), ExitStatus>, Failure> {
    let mut files = context::load(fleet)?;
    let facts = context::facts(fleet, &mut files)?;
    let names = [wanted.host.to_owned()];
    check_files(&mut files, &facts, &names, context::today(wanted.today)?, |resolved, outcome, sources| {
        let resolved = match context::clean(terminal, resolved, &Report::new(&outcome, sources))? {
            Ok(resolved) => resolved,
            Err(status) => {
                terminal.error(
                    "error: what stands above is of the definition as it is changed to the rehearsal's machine\n",
                );
                return Ok(Err(status));
            }
        };
        let host = context::host_of(resolved, wanted.host)?;
        rehearse::verify(host, machine, ports).map_err(|refused| refusal(wanted.host, &[refused]))?;
        Ok(Ok(()))
    })
}

fn refusal(host: &str, refused: &[Refused]) -> Failure {
    let what: Vec<String> = refused.iter().map(|refused| printable(&refused.what)).collect();
    let failure = Failure::new(format!("{} cannot be rehearsed: {}", printable(host), what.join("; ")));
    refused.iter().fold(failure, |failure, refused| failure.help(printable(&refused.help)))
}

fn private(folder: &Path) -> Result<(), Failure> {
    crate::apply::private_folder(folder).map_err(|why| Failure::new(format!("cannot make {}: {why}", shown(folder))))
}

/// Removes a folder with all that is in it, if it is there.
fn remove(folder: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(folder) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::new(format!("cannot remove {}: {why}", shown(folder))))
        }
        _ => Ok(()),
    }
}

/// Copies a folder of private files, if it is there.
#[expect(clippy::disallowed_methods, reason = "it copies what lies in the host's state")]
fn copy_private(from: &Path, to: &Path) -> Result<(), Failure> {
    let failed = |why: std::io::Error| Failure::new(format!("cannot copy {}: {why}", shown(from)));
    let entries = match std::fs::read_dir(from) {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    private(to)?;
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        // As `tar -h` would take it along.
        if std::fs::metadata(&from).map_err(failed)?.is_dir() {
            copy_private(&from, &to)?;
        } else {
            // The mode comes with it.
            std::fs::copy(&from, &to).map_err(failed)?;
        }
    }
    Ok(())
}

/// A recovery that is rehearsed.
struct Rehearsal<'a> {
    terminal: &'a Terminal,
    wanted: &'a Wanted<'a>,
    /// `state/HOST/rehearsal`
    place: &'a Path,
    fleet: &'a Path,
    machine: &'a Machine,
    ports: Ports,
    plan: &'a Plan,
}

impl Rehearsal<'_> {
    fn run(&self, image: Option<&Path>) -> Result<ExitStatus, Failure> {
        let stop = carry::stop_on_signals()?;
        // What is found before a disk is touched is found before there is a machine.
        if let Some(last) = self.before(id::START_INSTALLER) {
            let status = self.part(&stop, Some(last))?;
            if status != ExitStatus::Success {
                return Ok(status);
            }
        }
        let installer = match image {
            Some(image) => Installer { image: image.to_owned(), port: 22 },
            None => Installer { image: self.built_image()?, port: self.ports.installer },
        };
        let closed = self.place.join("closed");
        output::replace(&closed, b"")?;
        let mut guest =
            Guest::start(self.terminal, self.machine, self.ports, &installer, &self.place.join("machine"), &closed)?;
        let ended = self.on(&mut guest, &stop);
        let console = self.place.join("console.log");
        guest.keep_console(&console);
        drop(guest);
        match &ended {
            Ok(ExitStatus::Success) => {
                say(
                    self.terminal,
                    "rehearsed the host came back from its definition and its backups on a blank machine\n",
                )?;
            }
            _ => self.terminal.error(&format!(
                "rehearsal the recovery did not come to its end; the machine's console: {}\n",
                shown(&console)
            )),
        }
        ended
    }

    /// The parts of the plan, with the ways to the repositories open while data comes back.
    fn on(&self, guest: &mut Guest, stop: &Stop) -> Result<ExitStatus, Failure> {
        if !guest.answers(self.terminal, self.ports.installer, stop)? {
            return Ok(ExitStatus::Stopped);
        }
        // The last comparison is repeated by every run until something stands on it: the release of the backups does.
        let has = |id: &'static str| self.plan.step(id).map(|_| id);
        let (restores, releases) = (self.before(id::COPY_RECOVER_SCRIPTS), has(id::RELEASE_BACKUPS));
        if let Some(last) = restores {
            let status = self.part(stop, Some(last))?;
            if status != ExitStatus::Success {
                return Ok(status);
            }
            guest.lead_out(true)?;
            let status = self.part(stop, releases)?;
            guest.lead_out(false)?;
            if status != ExitStatus::Success || releases.is_none() {
                return Ok(status);
            }
        }
        self.part(stop, None)
    }

    /// Returns the step before another one.
    fn before(&self, id: &str) -> Option<&str> {
        let steps = self.plan.steps();
        let at = steps.iter().position(|step| step.id() == id)?;
        steps.get(at.checked_sub(1)?).map(Step::id)
    }

    /// Carries the plan out up to a step. Whatever a person would be asked is agreed to: the disks are files of ours, the machine is behind
    /// our own loopback address, and what a person would bring back by hand is said to be left out.
    fn part(&self, stop: &Stop, until: Option<&str>) -> Result<ExitStatus, Failure> {
        let persons = self.plan.steps().iter().filter(|step| step.runs_on() == RunsOn::Person);
        let shared = Shared::answered(persons.map(|step| step.id().to_owned()).collect(), self.wanted.today);
        let options = Options {
            until: until.map(str::to_owned),
            yes_destroy: self.machine.drives.iter().map(rehearse::Drive::id).collect(),
            ..Options::default()
        };
        let again = ["hostwright", "apply", self.wanted.host, "--scenario", "recover", "--rehearse"].map(str::to_owned);
        let run = Run {
            terminal: self.terminal,
            folder: self.fleet,
            shared: &shared,
            options,
            again: again.to_vec(),
            aside: false,
            part: true,
        };
        Ok(run.carry_out(self.plan, stop)?.status)
    }

    /// Returns the image that the plan has built.
    #[expect(clippy::disallowed_methods, reason = "it looks for the image that was built")]
    fn built_image(&self) -> Result<PathBuf, Failure> {
        let folder = self.fleet.join("state").join(self.wanted.host).join("installer/iso");
        let entries = std::fs::read_dir(&folder)
            .map_err(|why| Failure::new(format!("no image was built: {}: {why}", shown(&folder))))?;
        let mut images = entries.filter_map(Result::ok).map(|entry| entry.path());
        images
            .find(|path| path.extension().is_some_and(|ending| ending == "iso"))
            .ok_or_else(|| Failure::new(format!("no image was built: {} holds no ISO", shown(&folder))))
    }
}

fn say(terminal: &Terminal, text: &str) -> Result<(), Failure> {
    if terminal.is_quiet() { Ok(()) } else { terminal.print(text) }
}
