//! The parts that a plan must have, as types: who has none of a part cannot assemble a plan without it.
//!
//! A scenario fills the parts with titles, reasons and commands. What a part is called, of which kind it is and what it
//! needs is fixed here and in the gates. What comes after the reboot test is attached to a [`Proven`], which only
//! assembling gives out.

mod decommission;
mod recovery;
mod running;

use std::collections::BTreeMap;

use super::downtime::Span;
use super::gates::{self, id};
use super::step::{RunsOn, Step, StepKind};
pub(super) use decommission::{LeftBehind, Rescue, Retirement};
pub(super) use recovery::Recovery;
pub(super) use running::{AloneParts, Candidate, UpdateParts};

/// Declares a part: a step with a reserved id and kind.
macro_rules! parts {
    ($($(#[$doc:meta])* $name:ident = $id:ident, $kind:ident, $runs_on:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub(super) struct $name(Step);

        impl $name {
            pub(super) fn new(title: impl Into<String>, fill: impl FnOnce(Step) -> Step) -> Self {
                Self(fill(Step::new(id::$id, StepKind::$kind, RunsOn::$runs_on, title)))
            }
        }
    )*};
}

parts! {
    /// The definition has no errors, `out/` is what it says.
    CheckDefinition = CHECK_DEFINITION, Verify, Deployer;
    /// Out-of-band access, or a hook in place of it, is proven.
    AccessGate = PROVE_ACCESS, Verify, Deployer;
    /// The image of the installer is built.
    BuildInstaller = BUILD_INSTALLER, Command, Deployer;
    /// The installer or rescue system is started.
    StartInstaller = START_INSTALLER, Command, Target;
    /// Its host key is read.
    ScanKey = SCAN_INSTALLER_KEY, Command, Deployer;
    /// A person compares the fingerprint.
    CompareFingerprint = COMPARE_FINGERPRINT, Instruction, Person;
    /// Keys of encrypted disks lie on the installer.
    PlaceKeys = PLACE_KEYS, Copy, Rescue;
    /// Secrets, and the host key of the initrd, lie on the installer.
    PlaceSecrets = PLACE_SECRETS, Copy, Rescue;
    /// Ids and sizes of the disks are as defined.
    CheckDisks = CHECK_DISKS, Verify, Rescue;
    /// A person confirms what is destroyed.
    ConfirmDisks = CONFIRM_DISKS, Instruction, Person;
    /// The scripts lie on the rescue system.
    CopyScripts = COPY_SCRIPTS, Copy, Rescue;
    /// The system is built, or where it is built on the host: known to evaluate.
    BuildSystem = BUILD_SYSTEM, Command, Deployer;
    /// The disks are cut.
    PartitionDisks = PARTITION_DISKS, Destroy, Rescue;
    /// The host id is set.
    SetHostId = SET_HOST_ID, Command, Rescue;
    /// The pools are made.
    CreatePools = CREATE_POOLS, Command, Rescue;
    /// File systems are mounted below /mnt.
    MountTarget = MOUNT_TARGET, Command, Rescue;
    /// The host's ssh keys lie on it.
    PlaceHostKeys = PLACE_HOST_KEYS, Command, Rescue;
    /// The deployer knows them.
    RecordHostKeys = RECORD_HOST_KEYS, Copy, Deployer;
    /// The system's closure lies on the disks.
    CopySystem = COPY_SYSTEM, Copy, Rescue;
    /// The system is installed and the loader written.
    InstallSystem = INSTALL_SYSTEM, Command, Rescue;
    /// Everything is unmounted, every pool exported.
    ExportPools = EXPORT_POOLS, Command, Rescue;
    /// The first boot from the disks.
    FirstBoot = FIRST_BOOT, BaselineBoot, Rescue;
    /// The machine runs already.
    RunsAlready = RUNS_ALREADY, Instruction, Person;
    /// The scripts of the reboot test lie on the host.
    CopyRebootScripts = COPY_REBOOT_SCRIPTS, Copy, Target;
    /// A boot of the good system through the one-shot entry.
    BaselineOnce = BASELINE_ONCE, BaselineBoot, Target;
    /// A person at the console, where the loader cannot boot an entry once.
    WatchConsole = WATCH_CONSOLE, Instruction, Person;
    /// A boot of the good system through the default entry.
    BaselineDefault = BASELINE_DEFAULT, BaselineBoot, Target;
    /// What the candidate changes is shown.
    ShowChanges = SHOW_CHANGES, Verify, Target;
    /// Every system that may boot next can import the pools.
    PoolContract = CHECK_POOL_CONTRACT, Verify, Target;
    /// The loader leads back.
    CheckReady = CHECK_READY, Verify, Target;
    /// Snapshots of data that another version takes over.
    SnapshotState = SNAPSHOT_STATE, Command, Target;
    /// The reboot test.
    RebootTestStep = REBOOT_TEST, RebootTest, Target;
}

impl AccessGate {
    /// Makes it something that a person does.
    pub(super) fn by_person(mut self) -> Self {
        (self.0.kind, self.0.runs_on) = (StepKind::Instruction, RunsOn::Person);
        self
    }
}

impl StartInstaller {
    /// Makes it something that a person does.
    pub(super) fn by_person(mut self) -> Self {
        (self.0.kind, self.0.runs_on) = (StepKind::Instruction, RunsOn::Person);
        self
    }

    /// Makes it something that the deployer does.
    pub(super) fn by_deployer(mut self) -> Self {
        self.0.runs_on = RunsOn::Deployer;
        self
    }
}

impl PoolContract {
    /// Makes it something that a person does.
    pub(super) fn by_person(mut self) -> Self {
        (self.0.kind, self.0.runs_on) = (StepKind::Instruction, RunsOn::Person);
        self
    }
}

impl BuildSystem {
    /// Moves it to the host, where the deployer cannot build for it.
    pub(super) fn on_host(mut self) -> Self {
        self.0.runs_on = RunsOn::Rescue;
        self
    }

    /// Moves it to the host's own system.
    pub(super) fn on_target(mut self) -> Self {
        self.0.runs_on = RunsOn::Target;
        self
    }
}

impl CopySystem {
    /// Says that it goes to the host's own system and not to its disks.
    pub(super) fn for_system(mut self) -> Self {
        self.0.runs_on = RunsOn::Target;
        self
    }

    /// Makes it a build in place.
    pub(super) fn by_building(mut self) -> Self {
        self.0.kind = StepKind::Command;
        self
    }
}

/// Host keys in place, and known to the deployer.
#[derive(Debug)]
pub(super) struct HostKeys {
    pub(super) place: PlaceHostKeys,
    pub(super) record: RecordHostKeys,
}

/// Pools are made under the host's own id.
#[derive(Debug)]
pub(super) struct Pools {
    pub(super) host_id: SetHostId,
    pub(super) create: CreatePools,
}

/// The way to the machine while it has no system of its own: started, and known by its key.
#[derive(Debug)]
pub(super) struct Installer {
    pub(super) build: Option<BuildInstaller>,
    pub(super) start: StartInstaller,
    pub(super) scan: ScanKey,
    pub(super) compare: CompareFingerprint,
}

/// The disks are looked at, and somebody agreed, before they are cut.
#[derive(Debug)]
pub(super) struct Disks {
    pub(super) check: CheckDisks,
    pub(super) confirm: ConfirmDisks,
    pub(super) partition: PartitionDisks,
}

/// A system that comes onto the disks.
#[derive(Debug)]
pub(super) struct NewSystem {
    pub(super) installer: Installer,
    pub(super) scripts: CopyScripts,
    pub(super) build: BuildSystem,
    /// None where no file opens an encrypted disk.
    pub(super) disk_keys: Option<PlaceKeys>,
    pub(super) disks: Disks,
    /// None where the host has no secrets.
    pub(super) secrets: Option<PlaceSecrets>,
    /// None where no pool is defined.
    pub(super) pools: Option<Pools>,
    pub(super) mount: MountTarget,
    pub(super) keys: HostKeys,
    pub(super) copy: CopySystem,
    pub(super) install: InstallSystem,
    pub(super) export: ExportPools,
    pub(super) first_boot: FirstBoot,
}

/// A system that runs.
#[derive(Debug)]
pub(super) struct RunningSystem {
    pub(super) instruction: RunsAlready,
    pub(super) keys: RecordHostKeys,
}

/// Where the system to be tested comes from.
#[derive(Debug)]
pub(super) enum Origin {
    New(Box<NewSystem>),
    Running(Box<RunningSystem>),
}

/// How the way back is proven.
#[derive(Debug)]
pub(super) enum WayBack {
    /// The loader boots an entry once.
    Once(BaselineOnce),
    /// A person stands by.
    Watched(WatchConsole),
}

/// The baseline boots.
#[derive(Debug)]
pub(super) struct BaselineBoots {
    pub(super) way_back: WayBack,
    pub(super) default: BaselineDefault,
}

/// Everything that must have happened before data comes onto a machine.
#[derive(Debug)]
pub(super) struct InstallParts {
    pub(super) definition: CheckDefinition,
    pub(super) access: AccessGate,
    pub(super) origin: Origin,
    pub(super) reboot_scripts: CopyRebootScripts,
    pub(super) baseline: BaselineBoots,
    pub(super) reboot_test: RebootTestStep,
}

impl InstallParts {
    /// Puts the parts together and wires what they need by the gates.
    pub(super) fn assemble(self) -> Proven {
        let mut steps = vec![self.definition.0, self.access.0];
        match self.origin {
            Origin::New(new) => {
                let NewSystem {
                    installer,
                    scripts,
                    build,
                    disk_keys,
                    disks,
                    secrets,
                    pools,
                    mount,
                    keys,
                    copy,
                    install,
                    export,
                    first_boot,
                } = *new;
                steps.extend(installer.build.map(|build| build.0));
                steps.extend([installer.start.0, installer.scan.0, installer.compare.0]);
                steps.extend([scripts.0, build.0]);
                steps.extend(disk_keys.map(|keys| keys.0));
                steps.extend([disks.check.0, disks.confirm.0, disks.partition.0]);
                steps.extend(pools.into_iter().flat_map(|pools| [pools.host_id.0, pools.create.0]));
                steps.push(mount.0);
                steps.extend(secrets.map(|secrets| secrets.0));
                steps.extend([keys.place.0, keys.record.0, copy.0, install.0, export.0, first_boot.0]);
            }
            Origin::Running(running) => steps.extend([running.instruction.0, running.keys.0]),
        }
        steps.push(self.reboot_scripts.0);
        steps.push(match self.baseline.way_back {
            WayBack::Once(step) => step.0,
            WayBack::Watched(step) => step.0,
        });
        steps.extend([self.baseline.default.0, self.reboot_test.0]);
        wire(&mut steps, &[gates::INSTALL]);
        Proven { steps, spans: Vec::new() }
    }
}

/// Adds what steps need by the gates, without what follows from something else that they need.
fn wire(steps: &mut [Step], tables: &[&'static [gates::Gate]]) {
    let present: Vec<String> = steps.iter().map(|step| step.id.clone()).collect();
    let is_present = |id: &str| present.iter().any(|known| known == id);
    let mut direct: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for gate in tables.iter().copied().flatten().filter(|gate| is_present(gate.earlier) && is_present(gate.later)) {
        direct.entry(gate.later).or_default().push(gate.earlier);
    }
    let reaches = |from: &str, wanted: &str| {
        let mut open = vec![from];
        let mut seen = Vec::new();
        while let Some(at) = open.pop() {
            if !seen.contains(&at) {
                seen.push(at);
                open.extend(direct.get(at).into_iter().flatten());
            }
        }
        from != wanted && seen.contains(&wanted)
    };
    for step in steps {
        let Some(needs) = direct.get(step.id.as_str()) else { continue };
        for need in needs {
            if !needs.iter().any(|other| reaches(other, need)) && !step.needs.iter().any(|known| known == need) {
                step.needs.push((*need).to_owned());
            }
        }
    }
}

/// Steps that end in a reboot test: the only thing that data can be attached to.
#[derive(Debug)]
pub(super) struct Proven {
    steps: Vec<Step>,
    spans: Vec<Span>,
}

impl Proven {
    /// Attaches a step behind the reboot test.
    pub(super) fn then(&mut self, step: Step) {
        let needs_one = step.needs.is_empty();
        self.steps.push(if needs_one { step.needs(id::REBOOT_TEST) } else { step });
    }

    /// Puts all steps so far under a heading.
    pub(super) fn under(mut self, heading: &str) -> Self {
        self.steps = self.steps.into_iter().map(|step| step.phase(heading)).collect();
        self
    }

    /// Returns the steps in the order of declaration, and when services are down.
    pub(super) fn into_parts(self) -> (Vec<Step>, Vec<Span>) {
        (self.steps, self.spans)
    }
}

/// What is made sure of in a cluster before anything there is stopped: volumes that are kept, restorers that are suspended, and the
/// one step that needs them all.
#[derive(Debug)]
pub(super) struct Kept {
    /// Steps that change nothing of the machine and move nothing: they come before its reboot test.
    pub(super) first: Vec<Step>,
    pub(super) retain: Vec<Step>,
    pub(super) suspend: Vec<Step>,
    pub(super) barrier: Step,
    /// What goes on at the same time and holds back less: names that get a short time to live.
    pub(super) beside: Vec<Step>,
}

/// The end of a migration: nothing is deleted without these.
#[derive(Debug)]
pub(super) struct End {
    /// What has to be known before anybody may confirm.
    pub(super) accounts: Vec<Step>,
    pub(super) snapshots: Option<Step>,
    pub(super) reboot_test: Step,
    pub(super) backup_drill: Step,
    pub(super) soak: Step,
    pub(super) confirm: Step,
    pub(super) destroy: Vec<Step>,
}

/// A proven machine and a cluster in which everything is kept: workloads can be stopped, and their data can move.
#[derive(Debug)]
pub(super) struct Moving {
    proven: Proven,
    moved: Vec<String>,
}

impl Moving {
    /// Joins both; what is done in the cluster is told before the machine.
    pub(super) fn new(mut proven: Proven, kept: Kept) -> Self {
        let Kept { first, retain, suspend, barrier, beside } = kept;
        let ids: Vec<String> = retain.iter().chain(&suspend).map(|step| step.id.clone()).collect();
        let barrier = ids.into_iter().fold(barrier, Step::needs);
        let machine = std::mem::take(&mut proven.steps);
        // The definition is checked first of all, whatever that is for.
        let (checked, machine): (Vec<Step>, Vec<Step>) =
            machine.into_iter().partition(|step| step.id == id::CHECK_DEFINITION);
        let before = first.into_iter().chain(retain).chain(suspend).map(|step| step.needs(id::CHECK_DEFINITION));
        let checked = checked.into_iter().map(|step| Step { phase: barrier.phase.clone(), ..step });
        let checked: Vec<Step> = checked.collect();
        proven.steps = checked.into_iter().chain(before).chain([barrier]).chain(beside).chain(machine).collect();
        Self { proven, moved: Vec::new() }
    }

    /// Adds a step that stops something in the cluster.
    pub(super) fn stop(&mut self, step: Step) {
        self.then(step.needs(id::CHECK_SUSPENDED).needs(id::REBOOT_TEST));
    }

    /// Adds a step behind the reboot test; what the end needs is every one of them.
    pub(super) fn then(&mut self, step: Step) {
        self.moved.push(step.id.clone());
        self.proven.then(step.needs(id::REBOOT_TEST));
    }

    /// Says when a service is down.
    pub(super) fn down(&mut self, span: Span) {
        self.proven.spans.push(span);
    }

    /// Adds the end: all that was moved, the second reboot test, the drill, the soak, the confirmation, what is deleted.
    pub(super) fn end(mut self, end: End) -> Proven {
        let End { accounts, snapshots, reboot_test, backup_drill, soak, confirm, destroy } = end;
        let moved = std::mem::take(&mut self.moved);
        let behind = |step: Step| moved.iter().fold(step.needs(id::REBOOT_TEST), Step::needs);
        let snapshots = snapshots.map(behind);
        let reboot_test = match &snapshots {
            Some(step) => reboot_test.needs(step.id.clone()),
            None => behind(reboot_test),
        };
        let backup_drill = backup_drill.needs(id::REBOOT_TEST_AFTER_DATA);
        let soak = soak.needs(id::REBOOT_TEST_AFTER_DATA).needs(backup_drill.id.clone());
        let accounts: Vec<Step> = accounts.into_iter().map(|step| step.needs(id::REBOOT_TEST)).collect();
        let confirm = accounts.iter().fold(confirm.needs(id::SOAK), |step, account| step.needs(account.id.clone()));
        let steps = snapshots.into_iter().chain([reboot_test, backup_drill, soak]).chain(accounts).chain([confirm]);
        for step in steps.chain(destroy) {
            self.proven.then(step);
        }
        self.proven
    }
}
