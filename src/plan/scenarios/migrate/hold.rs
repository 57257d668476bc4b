//! On the host the services that move wait for their data: they do not run before it is verified, and start in their order.
//!
//! NixOS links its units from /etc/systemd, which a mask in /run does not override; a condition in a drop-in below /run does. It is gone
//! after a reboot, as it has to be once the data is there. Whoever reboots before holds the services again.

use crate::fleet::schema::probes::{HttpProbe, Probe, ProbeKind};
use crate::fleet::schema::service_parts::Protocol;
use crate::plan::PlanCx;
use crate::plan::scenarios::on;
use crate::plan::seconds;
use crate::plan::step::{RunsOn, Step, StepKind};
use crate::resolve::ResolvedService;
use crate::text::ShellCommand;

/// The path that is never there, which a held unit waits for.
const NEVER: &str = "/run/hostwright-held";

/// Returns the units of a service under systemd, with their suffixes.
pub(in crate::plan::scenarios) fn units(service: &ResolvedService<'_>) -> Vec<String> {
    service.units.iter().map(|unit| if unit.contains('.') { unit.clone() } else { format!("{unit}.service") }).collect()
}

fn drop_ins(units: &[String]) -> Vec<String> {
    units.iter().map(|unit| format!("/run/systemd/system/{unit}.d")).collect()
}

/// Returns a check that nothing of a service runs on the host.
pub(in crate::plan::scenarios) fn is_held(cx: &PlanCx<'_>, service: &ResolvedService<'_>) -> ShellCommand {
    are_held(cx, &units(service))
}

/// Returns a check that none of the units runs on the host.
pub(in crate::plan::scenarios) fn are_held(cx: &PlanCx<'_>, units: &[String]) -> ShellCommand {
    let active = units.iter().fold(ShellCommand::from_raw("! systemctl is-active --quiet --"), ShellCommand::arg);
    on(cx, &active)
}

/// Returns a command that stops units and keeps everything from starting them.
pub(in crate::plan::scenarios) fn holding(cx: &PlanCx<'_>, units: &[String]) -> ShellCommand {
    let mut line = ShellCommand::new("mkdir").args(["-p", "--"]).args(drop_ins(units));
    for folder in drop_ins(units) {
        let text = ShellCommand::new("printf").args(["[Unit]\\nConditionPathExists=%s\\n", NEVER]);
        let write = text.then("|", &ShellCommand::new("tee").args(["--", &format!("{folder}/hostwright-hold.conf")]));
        line = line.then("&&", &write);
    }
    let reload = ShellCommand::new("systemctl").arg("daemon-reload");
    let stop = ShellCommand::new("systemctl").args(["stop", "--"]).args(units);
    on(cx, &line.then("&&", &reload).then("&&", &stop))
}

/// Returns a command that lets units start again.
pub(in crate::plan::scenarios) fn releasing(cx: &PlanCx<'_>, units: &[String]) -> ShellCommand {
    let files = drop_ins(units).into_iter().map(|folder| format!("{folder}/hostwright-hold.conf"));
    let remove = ShellCommand::new("rm").args(["-f", "--"]).args(files);
    on(cx, &remove.then("&&", &ShellCommand::new("systemctl").arg("daemon-reload")))
}

/// Tells whether a service has units that could be held.
pub(in crate::plan::scenarios) fn can_be_held(service: &ResolvedService<'_>) -> bool {
    !service.units.is_empty() && service.runs()
}

/// Makes the step that keeps a service from running.
pub(in crate::plan::scenarios) fn hold(cx: &PlanCx<'_>, service: &ResolvedService<'_>, id: &str) -> Step {
    Step::new(id, StepKind::Command, RunsOn::Target, format!("Hold {} on {}", service.name, cx.host.name))
        .why(
            "It has run empty since the host came up, to show that it starts. From here on it waits for its data: it is stopped, and a \
             condition that is never met keeps everything from starting it, until its start further down. A reboot lifts \
             that: run this step again after one.",
        )
        .run(&holding(cx, &units(service)))
        .after(&is_held(cx, service))
        .undo(&release(cx, service))
        .takes(seconds::LOOK)
}

fn release(cx: &PlanCx<'_>, service: &ResolvedService<'_>) -> ShellCommand {
    releasing(cx, &units(service))
}

/// Tells whether the compiled units ask a probe: a path wants a port.
fn is_asked(service: &ResolvedService<'_>, probe: &Probe) -> bool {
    match &probe.kind {
        ProbeKind::Http(HttpProbe::Path(_)) => service.ports.iter().any(|port| port.protocol == Protocol::Tcp),
        ProbeKind::Http(HttpProbe::Url(_)) | ProbeKind::Tcp(_) => true,
        ProbeKind::Command(words) => !words.0.is_empty(),
    }
}

/// Returns the units that ask whether a service answers: when it starts, and while it runs.
fn asking(service: &ResolvedService<'_>) -> (Option<String>, Option<String>) {
    let of_module = |of: fn(&crate::fleet::schema::module_file::ModuleFile) -> Option<&Probe>| {
        service.module.and_then(|module| of(module.file))
    };
    let ready = service.def.ready.as_ref().or_else(|| of_module(|file| file.ready.as_ref()));
    let health = service.def.health.as_ref().or_else(|| of_module(|file| file.health.as_ref()));
    let named = |probe: Option<&Probe>, what: &str| {
        let asked = !service.units.is_empty() && probe.is_some_and(|probe| is_asked(service, probe));
        asked.then(|| format!("{}-{what}.service", service.name))
    };
    (named(ready, "ready"), named(health, "health"))
}

/// Returns how long a service may take until it answers, in seconds.
fn patience(service: &ResolvedService<'_>) -> u64 {
    service.def.ready.as_ref().map_or(30, |probe| probe.timeout.value.seconds().min(600))
}

/// Makes the step that starts a service that moves.
pub(super) fn start(cx: &PlanCx<'_>, service: &ResolvedService<'_>, id: &str, held: bool) -> Step {
    let moves = service.def.migrates_from.as_ref().is_some_and(|from| !from.volumes.is_empty());
    let why = if !service.runs() {
        "It is switched off here: there is nothing to start. What it did in the cluster is over, or something else does it."
    } else if moves {
        "Its data is there and verified, and what it needs has started. Until traffic is switched nobody outside \
         uses it; what it writes from here on is not in the cluster."
    } else {
        "No volume of it moves, and what it needs has started. Until traffic is switched nobody outside uses it; what it writes from here \
         on is not in the cluster."
    };
    started(cx, service, id, held, why)
}

/// Makes the step that starts a service on the host.
pub(in crate::plan::scenarios) fn started(
    cx: &PlanCx<'_>,
    service: &ResolvedService<'_>,
    id: &str,
    held: bool,
    why: &str,
) -> Step {
    let title = format!("Start {} on {}", service.name, cx.host.name);
    let mut step = Step::new(id, StepKind::Command, RunsOn::Target, title);
    if held {
        step = step.run(&release(cx, service));
    }
    let units = units(service);
    if !units.is_empty() && service.runs() {
        step = step.run(&on(cx, &ShellCommand::new("systemctl").args(["start", "--"]).args(&units)));
        if let (Some(ready), _) = asking(service) {
            step = step.run(&on(cx, &ShellCommand::new("systemctl").args(["start", "--", &ready])));
        }
        // What runs at times, or to its end, is not active afterwards; it has not failed either.
        let failed = units.iter().fold(ShellCommand::from_raw("! systemctl is-failed --quiet --"), ShellCommand::arg);
        step = step.after(&on(cx, &failed));
        let stop = ShellCommand::new("systemctl").args(["stop", "--"]).args(&units);
        step = step.undo(&on(cx, &stop));
    }
    step.why(why).takes(patience(service))
}

/// Returns the commands on the host that ask whether a service answers, as its manifest's probes did.
pub(in crate::plan::scenarios) fn questions(cx: &PlanCx<'_>, service: &ResolvedService<'_>) -> Vec<ShellCommand> {
    let (ready, health) = asking(service);
    let mut all: Vec<ShellCommand> = Vec::new();
    if let Some(ready) = ready {
        all.push(on(cx, &ShellCommand::new("systemctl").args(["is-active", "--quiet", "--", &ready])));
    }
    if let Some(health) = health {
        all.push(on(cx, &ShellCommand::new("systemctl").args(["start", "--", &health])));
    }
    if all.is_empty() {
        let ports = service.ports.iter().map(|port| {
            let (flag, port) = match port.protocol {
                Protocol::Tcp => ("-Hltn", port.port),
                Protocol::Udp => ("-Hlun", port.port),
            };
            let look = ShellCommand::new("ss").args([flag, &format!("sport = :{port}")]);
            on(cx, &look.then("|", &ShellCommand::new("grep").args(["-q", "."])))
        });
        all.extend(ports);
    }
    all
}
