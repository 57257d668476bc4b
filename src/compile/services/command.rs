//! Programs under systemd: units and timers.

use super::runs;
use crate::compile::settings::Settings;
use crate::fleet::schema::service_parts::SecretAs;
use crate::fleet::schema::services::Work;
use crate::fleet::schema::workloads::{Command, Restart, StartType};
use crate::nix::{Attrs, Expr, Value};
use crate::resolve::ResolvedService;
use crate::text::{exec_line, specifier_free};

/// What a program is kept from unless it says otherwise (systemd.exec(5)): it sees the system read-only, no homes, no devices,
/// and changes nothing of the kernel. Its state stays writable.
const SANDBOX: &[(&str, Word)] = &[
    ("CapabilityBoundingSet", Word::Text("")),
    ("LockPersonality", Word::Yes),
    ("NoNewPrivileges", Word::Yes),
    ("PrivateDevices", Word::Yes),
    ("PrivateTmp", Word::Yes),
    ("ProtectClock", Word::Yes),
    ("ProtectControlGroups", Word::Yes),
    ("ProtectHome", Word::Yes),
    ("ProtectHostname", Word::Yes),
    ("ProtectKernelLogs", Word::Yes),
    ("ProtectKernelModules", Word::Yes),
    ("ProtectKernelTunables", Word::Yes),
    ("ProtectSystem", Word::Text("strict")),
    ("RestrictNamespaces", Word::Yes),
    ("RestrictRealtime", Word::Yes),
    ("RestrictSUIDSGID", Word::Yes),
    ("SystemCallArchitectures", Word::Text("native")),
    ("UMask", Word::Text("0027")),
];

/// A value of a unit's setting.
enum Word {
    Yes,
    Text(&'static str),
}

/// Adds what a program sets.
pub(super) fn settings(service: &ResolvedService<'_>, out: &mut Settings) {
    let Work::Command(command) = &service.def.work else { return };
    let (def, name) = (service.def, service.name);
    let mut unit = |key: &[&str], value: Value, place| {
        let path: Vec<&str> = std::iter::once(name).chain(key.iter().copied()).collect();
        out.set_below("systemd.services", &path, value, place);
    };
    if command.run.schedule.is_empty() {
        unit(&["wantedBy"], vec!["multi-user.target"].into(), def.key);
    }
    if let Some((_, first)) = def.environment.iter().next() {
        let all = def.environment.iter().map(|(name, value)| (name.as_str(), specifier_free(value.as_str())));
        unit(&["environment"], all.collect::<Attrs>().into(), first.place);
    }
    if let Some(first) = command.packages.first() {
        let packages = command.packages.iter().map(|package| Expr::select("pkgs", package.as_str()).into());
        unit(&["path"], Value::List(packages.collect()), first.place);
    }
    unit(&["serviceConfig", "ExecStart"], exec(command), command.exec.place);
    let run = &command.run;
    unit(&["serviceConfig", "Type"], run.start().to_string().into(), run.start.place);
    // What runs to its end is not started again unless its definition says so.
    if run.start() != StartType::Oneshot || run.restart.written {
        unit(&["serviceConfig", "Restart"], run.restart.to_string().into(), run.restart.place);
        if run.restart.value != Restart::No {
            unit(&["serviceConfig", "RestartSec"], runs::PAUSE.into(), run.restart.place);
        }
    }
    if let Some((key, seconds, place)) = runs::at_most(run) {
        unit(&["serviceConfig", key], seconds, place);
    }
    if let Some(folder) = &command.working_directory {
        unit(&["serviceConfig", "WorkingDirectory"], specifier_free(folder.as_str()).into(), folder.place);
    }
    if command.sandbox.value {
        for (key, word) in SANDBOX {
            let value = match word {
                Word::Yes => Value::from(true),
                Word::Text(text) => Value::from(*text),
            };
            unit(&["serviceConfig", key], value.default_priority(), command.sandbox.place);
        }
        let writable: Vec<&str> = service.state.iter().map(|state| state.path.as_str()).collect();
        if !writable.is_empty() {
            unit(&["serviceConfig", "ReadWritePaths"], writable.into(), def.key);
        }
    }
    account(service, command, out);
    runs::timer(name, run, out);
}

/// Returns the command line. systemd looks for programs in folders of its own: `env` looks in those of the unit's packages.
fn exec(command: &Command) -> Value {
    let words = &command.exec.value.0;
    let line = exec_line(words);
    if words.first().is_some_and(|program| program.starts_with('/')) {
        return line.into();
    }
    runs::line_of("", "pkgs.coreutils", "/bin/env", &line)
}

/// Who it runs as: the named account, else one that exists while it runs; with state or secrets in files one of its own, since these
/// must belong to somebody.
fn account(service: &ResolvedService<'_>, command: &Command, out: &mut Settings) {
    let name = service.name;
    let user = match &command.user {
        Some(user) => {
            out.set_below("systemd.services", &[name, "serviceConfig", "User"], user.as_str(), user.place);
            return;
        }
        None => name,
    };
    let (def, place) = (service.def, service.def.key);
    let has_files = def.secrets.iter().any(|secret| secret.how.value == SecretAs::File);
    if service.state.is_empty() && !has_files {
        out.set_below("systemd.services", &[name, "serviceConfig", "DynamicUser"], true, place);
        return;
    }
    out.set_below("systemd.services", &[name, "serviceConfig", "User"], user, place);
    out.set_below("systemd.services", &[name, "serviceConfig", "Group"], user, place);
    out.set_below("users.users", &[user, "isSystemUser"], true, place);
    out.set_below("users.users", &[user, "group"], user, place);
    out.set_below("users.groups", &[user], Attrs::new(), place);
}
