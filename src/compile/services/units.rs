//! What every kind of service has: order, limits, secrets, files, directories with their owners.

use super::directories;
use crate::compile::settings::Settings;
use crate::compile::tmpfiles::{self, Argument, Rule};
use crate::compile::zfs::is_imported;
use crate::compile::{HostCx, copies};
use crate::fleet::schema::service_parts::{FileHolds, SecretAs, ServiceFile, ServiceSecret};
use crate::fleet::schema::services::Work;
use crate::nix::{Expr, Value};
use crate::resolve::{COPIES, MountSource, ResolvedService, SecretFile};
use crate::source::Place;
use crate::text::{ShellCommand, specifier_free};

/// Where the lines of variables lie that a service's secrets make, while it runs.
fn secret_variables(service: &ResolvedService<'_>) -> String {
    format!("/run/hostwright/{}.env", service.name)
}

/// Adds what every kind of service has.
pub(super) fn settings(cx: &HostCx<'_>, service: &ResolvedService<'_>, out: &mut Settings) {
    directories::settings(cx, service, out);
    files(cx, service, out);
    let Some(unit) = service.units.first() else { return };
    order(cx, service, out);
    limits(service, unit, out);
    secrets(cx, service, unit, out);
    secret_files(cx, service, out);
}

/// Returns the services that a service comes after, each with whether it needs it and where that is written.
pub(super) fn before<'a>(
    cx: &'a HostCx<'_>,
    service: &'a ResolvedService<'_>,
) -> Vec<(&'a ResolvedService<'a>, bool, Place)> {
    let known = |name: &str| cx.host.services.iter().find(|other| other.name == name && other.runs());
    let mut all: Vec<(&ResolvedService<'_>, bool, Place)> = Vec::new();
    let mut add = |other: &'a ResolvedService<'a>, needed: bool, place: Place| match all
        .iter_mut()
        .find(|(known, ..)| known.name == other.name)
    {
        Some(known) => known.1 |= needed,
        None => all.push((other, needed, place)),
    };
    for name in &service.def.after {
        if let Some(other) = known(name.as_str()) {
            add(other, false, name.place);
        }
    }
    for name in &service.def.requires {
        if let Some(other) = known(name.as_str()) {
            add(other, true, name.place);
        }
    }
    // What a module says that it needs, where the host has it.
    for needed in service.module.iter().flat_map(|module| &module.file.requires) {
        if needed.when.as_ref().is_some_and(|when| !service.holds(when)) {
            continue;
        }
        let of_module = |other: &&ResolvedService<'_>| {
            other.runs() && other.module.is_some_and(|module| module.name == needed.module.as_str())
        };
        if let Some(other) = cx.host.services.iter().find(of_module) {
            add(other, false, service.def.key);
        }
    }
    all
}

/// Puts a service behind those it needs, and behind the mounts of the datasets that hold its state: a mount that failed
/// must not let it start over an empty directory.
fn order(cx: &HostCx<'_>, service: &ResolvedService<'_>, out: &mut Settings) {
    let before = before(cx, service);
    let units = |needed_only: bool| -> Vec<String> {
        let chosen = before.iter().filter(|(_, needed, _)| *needed || !needed_only);
        chosen
            .flat_map(|(other, ..)| {
                let ready = super::probes::ready_unit(other);
                let services = other.units.first().cloned().into_iter().chain(ready);
                let target = other.module.and_then(|module| module.file.target.as_ref()).filter(|_| !needed_only);
                let target = target.map(|target| format!("{}.target", target.value.0));
                services.map(|unit| format!("{unit}.service")).chain(target)
            })
            .collect()
    };
    let mut set = |option: &[&str], names: Vec<String>, place: Place| {
        if !names.is_empty() {
            // Each of its units may be the first to need them.
            for unit in &service.units {
                let path: Vec<&str> = std::iter::once(unit.as_str()).chain(option.iter().copied()).collect();
                out.set_below("systemd.services", &path, names.clone(), place);
            }
        }
    };
    let place = before.first().map_or(service.def.key, |(.., place)| *place);
    set(&["after"], units(false), place);
    let needed = before.iter().find(|(_, needed, _)| *needed);
    set(&["requires"], units(true), needed.map_or(service.def.key, |(.., place)| *place));
    let on_dataset = |path: &str| {
        cx.host.mounts.iter().any(|mount| {
            mount.path != "/"
                && crate::units::lies_in(path, mount.path)
                && matches!(&mount.source, MountSource::Dataset { pool, .. } if is_imported(cx.host, pool))
        })
    };
    let mut mounts: Vec<String> =
        service.state.iter().map(|state| state.path.clone()).filter(|path| on_dataset(path)).collect();
    mounts.dedup();
    set(&["unitConfig", "RequiresMountsFor"], mounts, service.def.key);
}

/// Limits of the unit; a container has limits of its own, since its processes are not the unit's.
fn limits(service: &ResolvedService<'_>, unit: &str, out: &mut Settings) {
    let Some(limits) = service.def.limits.as_ref().filter(|_| service.def.container().is_none()) else { return };
    let mut set = |key: &str, value: Value, place: Place| {
        out.set_below("systemd.services", &[unit, "serviceConfig", key], value, place);
    };
    if let Some(memory) = &limits.memory {
        set("MemoryMax", memory.bytes().to_string().into(), memory.place);
    }
    if let Some(memory) = &limits.memory_low {
        set("MemoryLow", memory.bytes().to_string().into(), memory.place);
    }
    if let Some(cpu) = &limits.cpu {
        set("CPUQuota", format!("{}%", cpu.percent()).into(), cpu.place);
    }
    if let Some(tasks) = &limits.tasks {
        set("TasksMax", i64::from(tasks.value).into(), tasks.place);
    }
}

/// Returns the variables that secrets become: the variable and the secret's file.
fn variables<'a>(cx: &'a HostCx<'_>, service: &'a ResolvedService<'_>) -> Vec<(&'a str, &'a str, Place)> {
    let of = |secret: &'a ServiceSecret| {
        let file = cx.host.secret(secret.name.as_str())?;
        Some((secret.key.as_ref()?.as_str(), file.path.as_str(), secret.name.place))
    };
    let as_variable = |secret: &&ServiceSecret| secret.how.value == SecretAs::Env;
    service.def.secrets.iter().filter(as_variable).filter_map(of).collect()
}

/// Returns the files with lines of variables that a service reads when it starts.
pub(super) fn environment_files(cx: &HostCx<'_>, service: &ResolvedService<'_>) -> Vec<String> {
    let whole = service.def.secrets.iter().filter(|secret| secret.how.value == SecretAs::Env && secret.key.is_none());
    let mut files: Vec<String> =
        whole.filter_map(|secret| Some(cx.host.secret(secret.name.as_str())?.path.clone())).collect();
    if !variables(cx, service).is_empty() {
        files.push(secret_variables(service));
    }
    files
}

/// Hands secrets to a unit: credentials, files of variables. Their values never pass through the store.
fn secrets(cx: &HostCx<'_>, service: &ResolvedService<'_>, unit: &str, out: &mut Settings) {
    let variables = variables(cx, service);
    if let Some((_, _, place)) = variables.first() {
        let path = secret_variables(service);
        let mut script = String::from("umask 077\nmkdir -p /run/hostwright\n");
        let file = ShellCommand::new("rm").args(["-f", "--", &path]);
        script.push_str(file.as_str());
        script.push('\n');
        for (name, source, _) in &variables {
            let line = ShellCommand::new("printf").args(["%s=%s\\n", name]);
            let read = ShellCommand::new("cat").args(["--", source]);
            let target = crate::text::ShellWord::new(&path);
            script.push_str(&format!("{line} \"$({read})\" >> {target}\n"));
        }
        // systemd reads variables anew before each step of a start, so that what a first step writes is there for the next.
        first_step(unit, &format!("{}-secrets", service.name), &script, *place, out);
    }
    let is_container = matches!(service.def.work, Work::Container(_));
    if !is_container {
        let files = environment_files(cx, service);
        if let (false, Some(secret)) = (files.is_empty(), service.def.secrets.first()) {
            // A file that is made by the first step is not there before it.
            let files: Vec<String> = files.iter().map(|file| format!("-{}", specifier_free(file))).collect();
            out.set_below("systemd.services", &[unit, "serviceConfig", "EnvironmentFile"], files, secret.name.place);
        }
        for secret in service.def.secrets.iter().filter(|secret| secret.how.value == SecretAs::Credential) {
            let of_module = service.module.is_some_and(|module| module.secret(secret).is_some());
            let Some(file) = cx.host.secret(secret.name.as_str()).filter(|_| !of_module) else { continue };
            let name = secret.key.as_ref().map_or(file.name, |key| key.as_str());
            let credential = format!("{name}:{}", specifier_free(&file.path));
            out.set_below(
                "systemd.services",
                &[unit, "serviceConfig", "LoadCredential"],
                vec![credential],
                secret.name.place,
            );
        }
    }
}

/// NixOS's order of what stands before everything else (`mkBefore`).
pub(super) const BEFORE: u32 = 500;

/// Puts files where a service finds them; a container gets them as volumes.
fn files(cx: &HostCx<'_>, service: &ResolvedService<'_>, out: &mut Settings) {
    if service.def.container().is_some() {
        return;
    }
    for file in &service.def.files {
        let path = file.path.as_str();
        if let Some(name) = path.strip_prefix("/etc/") {
            in_etc(file, name, out);
            continue;
        }
        let link = |argument: Argument<'_>, out: &mut Settings| {
            let rule = Rule { argument: Some(argument), ..Rule::new("L+", path) };
            tmpfiles::add(cx, "services", rule, file.path.place, out);
        };
        if file.owner.is_none() && file.mode.is_none() {
            if let Some(source) = stored(file) {
                link(Argument::Stored(&source), out);
            }
            continue;
        }
        // What lies in the store belongs to root and can be read by everybody. A copy of tmpfiles would stay what it is when the
        // content changes; one in /etc is made anew.
        let name = format!("hostwright/{}{path}", service.name);
        in_etc(file, &name, out);
        link(Argument::Text(&format!("/etc/{name}")), out);
    }
}

/// Sets a file below /etc.
fn in_etc(file: &ServiceFile, name: &str, out: &mut Settings) {
    let mut set = |key: &str, value: Value, place: Place| out.set_below("environment.etc", &[name, key], value, place);
    match &file.holds {
        FileHolds::Text(content) => set("text", content.value.0.as_str().into(), content.place),
        FileHolds::Copy(path) => set("source", copies::path(path.as_str()), path.place),
    }
    match (&file.mode, &file.owner) {
        (Some(mode), _) => set("mode", mode.as_str().into(), mode.place),
        // Without permissions of its own it would be a link, which has no owner.
        (None, Some(owner)) => set("mode", "0444".into(), owner.place),
        (None, None) => {}
    }
    if let Some(owner) = &file.owner {
        set("user", owner.as_str().into(), owner.place);
    }
}

/// Returns a file as one of the store.
pub(super) fn stored(file: &ServiceFile) -> Option<Expr> {
    match &file.holds {
        FileHolds::Text(content) => {
            let name = Value::from(file_name(file.path.as_str()));
            Some(Expr::select("pkgs", "writeText").apply([name, Value::from(content.value.0.as_str())]))
        }
        FileHolds::Copy(path) => copies::expr(path.as_str()),
    }
}

/// Puts secrets where a service finds them as files of its own: a link to a copy in memory with the service's owner. What nobody decrypts
/// is copied whenever the service starts.
fn secret_files(cx: &HostCx<'_>, service: &ResolvedService<'_>, out: &mut Settings) {
    let files: Vec<SecretFile<'_>> =
        service.def.secrets.iter().filter_map(|given| cx.host.secret_file(service, given)).collect();
    for file in &files {
        if let Some(path) = file.path.filter(|path| service.def.container().is_none() && *path != file.at) {
            let rule = Rule { argument: Some(Argument::Text(&file.at)), ..Rule::new("L+", path) };
            tmpfiles::add(cx, "services", rule, file.place, out);
        }
    }
    let by_hand: Vec<&SecretFile<'_>> = files.iter().filter(|file| file.secret.sealed.is_none()).collect();
    let Some(first) = by_hand.first() else { return };
    let folder = format!("{COPIES}/{}", service.name);
    let mut script = String::from("umask 077\n");
    let mut line = |command: ShellCommand| {
        script.push_str(command.as_str());
        script.push('\n');
    };
    line(ShellCommand::new("install").args(["-d", "-m", "0711", "--", COPIES, &folder]));
    for file in &by_hand {
        let beside = format!("{}.new", file.at);
        line(ShellCommand::new("install").args(["-m", file.mode, "-o", file.owner, "--", &file.secret.path, &beside]));
        // One that reads meanwhile sees the old one or the new one.
        line(ShellCommand::new("mv").args(["-T", "--", &beside, &file.at]));
    }
    for unit in &service.units {
        first_step(unit, &format!("{}-secret-files", service.name), &script, first.place, out);
    }
}

/// Adds a script that root runs before anything else of a unit.
pub(super) fn first_step(unit: &str, name: &str, script: &str, place: Place, out: &mut Settings) {
    let program =
        Expr::select("pkgs", "writeShellScript").apply([Value::from(name), Value::from(format!("set -e\n{script}"))]);
    let text = format!("\"+${{{}}}\"", program.as_str());
    let first = Expr::parse(&text).map_or(Value::Null, Value::from);
    let option: &[&str] = &[unit, "serviceConfig", "ExecStartPre"];
    out.set_below("systemd.services", option, Value::List(vec![first]).with_order(BEFORE), place);
}

/// Returns a name for a file in the store: the last part of its path, in the characters that the store takes.
fn file_name(path: &str) -> String {
    let last = path.rsplit('/').next().unwrap_or(path);
    let fits = |c: char| c.is_ascii_alphanumeric() || "+-._?=".contains(c);
    let name: String = last.chars().map(|c| if fits(c) { c } else { '-' }).collect();
    let name = name.trim_start_matches('.');
    if name.is_empty() { "file".to_owned() } else { name.to_owned() }
}
