//! From resolved hosts to files: NixOS modules, entry points for Nix, installation scripts, the manifest.
//!
//! One file a concern. Each NixOS concern turns a host into [`Settings`], a list of option definitions that know where in the
//! definition they come from; this module prints them. Not here: whether a definition is wise (`check`), the order of a
//! deployment (`plan`), writing to the disk (`cli`).
//!
//! Invariants: the same fleet gives the same bytes; every Nix file parses and is formatted; text of users reaches Nix and
//! shells through their quoting types alone; no secret and no path of the machine that compiles is in any file.

mod access;
mod backup;
mod base;
mod boot;
mod boot_test;
mod compatibility;
mod convert;
mod copies;
mod deployer;
mod disko;
mod disks;
mod flake;
mod install;
mod layers;
mod manifest;
mod module_nix;
mod monitoring;
mod network;
mod reboot_test;
mod secrets;
mod services;
mod settings;
mod spelling;
mod tmpfiles;
mod zfs;

use std::fmt::Write as _;

use rayon::prelude::*;

use crate::facts::Facts;
use crate::fleet::decode::Word as _;
use crate::fleet::schema::machine::Firmware;
use crate::nix::{Module, Value};
use crate::resolve::{Resolved, ResolvedHost, VdevClass};
use crate::source::{Diagnostic, Diagnostics, Sources, printable};
use crate::text::{TemplateError, Templates};
use crate::units::Size;

pub use compatibility::{PoolCompatibility, for_pool};
pub use flake::{Archive, archives, channel_input};
pub use manifest::{ChannelPin, channel_pins, manifest};
pub use reboot_test::{BARE_TARGET, CONFIRMED, VERDICTS};
pub use settings::{Definition, Settings};

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutFile {
    /// Its path below out/, with `/`.
    pub path: String,
    /// What it holds: text, but for files of the fleet that are copied as they are.
    pub bytes: Vec<u8>,
    /// Whether it is a program.
    pub executable: bool,
}

impl OutFile {
    /// Returns a file of text that is no program.
    pub fn of_text(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), bytes: text.into().into_bytes(), executable: false }
    }

    /// Returns its text; of a copied file that is none, nothing.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap_or_default()
    }
}

/// What there is to say about a compiled host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSummary {
    /// Its name.
    pub name: String,
    /// How it boots and what its pools are: `BIOS, grub · rpool raidz1 of 3 + log, 3.6 TiB`.
    pub words: String,
    /// How many Nix files it has.
    pub nix_files: usize,
    /// How many scripts it has.
    pub scripts: usize,
}

/// A compiled fleet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compiled {
    /// The files, by path.
    pub files: Vec<OutFile>,
    /// The hosts that were compiled, by name.
    pub hosts: Vec<HostSummary>,
}

/// What the concerns know of a host.
#[derive(Clone, Copy)]
struct HostCx<'a> {
    fleet: &'a Resolved<'a>,
    host: &'a ResolvedHost<'a>,
    facts: &'a Facts,
    sources: &'a Sources,
    templates: &'a Templates,
    spelling: spelling::Spelling,
}

impl<'a> HostCx<'a> {
    fn new(
        fleet: &'a Resolved<'a>,
        host: &'a ResolvedHost<'a>,
        facts: &'a Facts,
        sources: &'a Sources,
        templates: &'a Templates,
    ) -> Self {
        let spelling = spelling::Spelling::of(host.channel.channel.release.value);
        Self { fleet, host, facts, sources, templates, spelling }
    }

    /// Fills a template; what is wrong with it is reported.
    fn render(&self, name: &str, values: &impl serde::Serialize, found: &mut Diagnostics) -> Option<String> {
        match self.templates.render(name, values) {
            Ok(text) => Some(text),
            Err(error) => {
                found.push(self.template_error(&error));
                None
            }
        }
    }

    fn template_error(&self, error: &TemplateError) -> Diagnostic {
        template_error_at(self.fleet, self.sources, error, self.host.place)
    }
}

/// Reports a template that cannot be filled, in the fleet's own file if it brings one.
fn template_error(fleet: &Resolved<'_>, sources: &Sources, error: &TemplateError) -> Option<Diagnostic> {
    Some(template_error_at(fleet, sources, error, sources.first()?))
}

fn template_error_at(
    fleet: &Resolved<'_>,
    sources: &Sources,
    error: &TemplateError,
    otherwise: crate::source::Place,
) -> Diagnostic {
    let place = fleet.fleet.templates.get(&error.template).map_or(otherwise, |file| {
        let text = sources.file(*file).text();
        let before =
            error.line.map_or(0, |line| text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum());
        sources.place(*file, before, before)
    });
    let message = format!("the template `{}` cannot be filled: {}", error.template, printable(&error.message));
    Diagnostic::error("value-invalid", place, message).help("mend the template, or remove it to use the embedded one")
}

/// Compiles the hosts that `wanted` names (all of them when it is empty) and the files that all hosts share.
///
/// The errors are what only shows here: Nix in a definition that does not parse, a template that cannot be filled.
pub fn compile(
    fleet: &Resolved<'_>,
    wanted: &[String],
    facts: &Facts,
    sources: &Sources,
    templates: &Templates,
) -> Result<Compiled, Diagnostics> {
    let is_wanted = |host: &&ResolvedHost<'_>| wanted.is_empty() || wanted.iter().any(|name| name == host.name);
    let (elsewhere, hosts): (Vec<&ResolvedHost<'_>>, Vec<&ResolvedHost<'_>>) =
        fleet.hosts.iter().filter(is_wanted).partition(|host| host.def.external.is_some());
    let compiled: Vec<(Vec<OutFile>, HostSummary, Diagnostics)> =
        hosts.par_iter().map(|host| host_files(&HostCx::new(fleet, host, facts, sources, templates))).collect();
    let mut found = Vec::new();
    let mut all = Compiled { files: flake::files(fleet, sources, templates, &mut found), hosts: Vec::new() };
    for (files, summary, said) in compiled {
        all.files.extend(files);
        all.hosts.push(summary);
        found.extend(said);
    }
    // A configuration that is elsewhere is not compiled; what plans work with is.
    all.hosts.extend(elsewhere.into_iter().filter_map(|host| {
        let words = format!("not compiled: {}", host.def.external.as_ref()?.source.words());
        Some(HostSummary { name: host.name.to_owned(), words, nix_files: 0, scripts: 0 })
    }));
    all.hosts.sort_by(|a, b| a.name.cmp(&b.name));
    all.files.extend(access::known_hosts(fleet));
    all.files.extend(deployer::file(fleet, sources, templates, &mut found));
    all.files.sort_by(|a, b| a.path.cmp(&b.path));
    if found.is_empty() { Ok(all) } else { Err(found) }
}

/// Returns what each Nix file of a host sets, as (file name, settings), so that an error of Nix about an option can be led
/// back to its place in the definition.
pub fn settings_of(
    fleet: &Resolved<'_>,
    host: &ResolvedHost<'_>,
    facts: &Facts,
    sources: &Sources,
    templates: &Templates,
) -> Vec<(&'static str, Settings)> {
    let cx = HostCx::new(fleet, host, facts, sources, templates);
    concerns(&cx, &mut Vec::new()).into_iter().map(|concern| (concern.file, concern.settings)).collect()
}

/// A Nix file of a host.
struct Concern {
    file: &'static str,
    about: &'static str,
    settings: Settings,
}

fn concerns(cx: &HostCx<'_>, found: &mut Diagnostics) -> Vec<Concern> {
    let concern = |file, about, settings| Concern { file, about, settings };
    let mut all = vec![
        concern("default.nix", "everything", base::settings(cx)),
        concern("boot.nix", "boot loader, kernel, initrd, import of pools", boot::settings(cx, found)),
        concern("disks.nix", "mounts, swap, upkeep of pools", disks::settings(cx)),
        concern("network.nix", "interfaces, names, firewall", network::settings(cx)),
        concern("access.nix", "who may log in", access::settings(cx)),
        concern("services.nix", "services and virtual hosts", services::settings(cx, found)),
        concern("secrets.nix", "secrets that are decrypted on the host", secrets::settings(cx)),
        concern("backup.nix", "backups and restore drills", backup::settings(cx, found)),
        concern("monitoring.nix", "figures, disks that are watched, mail", monitoring::settings(cx)),
        concern("nixos.nix", "what host.toml and its modules say below [nixos]", base::nixos(cx, found)),
        concern("reboot-test.nix", "what makes a boot that fails lead back", reboot_test::settings(cx, found)),
    ];
    all.retain(|concern| concern.file == "default.nix" || !concern.settings.is_empty());
    all
}

fn host_files(cx: &HostCx<'_>) -> (Vec<OutFile>, HostSummary, Diagnostics) {
    let mut found = Vec::new();
    let name = cx.host.name;
    let nix = |file: &str, text: String| OutFile::of_text(format!("hosts/{name}/{file}"), text);
    let mut files = Vec::new();
    let concerns = concerns(cx, &mut found);
    let imported: Vec<&str> =
        concerns.iter().map(|concern| concern.file).filter(|file| *file != "default.nix").collect();
    let of_modules = module_nix::files(cx, &mut found);
    for concern in &concerns {
        let mut comment = vec![
            format!("{name}: {}", concern.about),
            format!("Written by hostwright from hosts/{name}/host.toml; changes here are lost."),
        ];
        if concern.file == "default.nix" {
            comment.extend(cx.host.def.role.as_ref().map(|role| role.value.clone()));
        }
        let mut module = concern.settings.to_module(comment);
        if concern.file == "default.nix" {
            let own = cx.host.source.nix.iter().map(|(file, _)| format!("./user/{file}"));
            let shared = access::has_known_hosts(cx.fleet).then(|| format!("../../{}", access::KNOWN_HOSTS));
            let of_modules = of_modules.iter().map(|(file, _)| format!("./{file}"));
            let paths = imported.iter().map(|file| format!("./{file}")).chain(of_modules).chain(shared).chain(own);
            module.imports = paths.filter_map(|path| Value::path(&path).ok()).collect();
        }
        files.push(nix(concern.file, module.to_file()));
    }
    files.extend(of_modules.into_iter().map(|(file, text)| nix(&file, text)));
    for (file, id) in &cx.host.source.nix {
        files.push(nix(&format!("user/{file}"), cx.sources.file(*id).text().to_owned()));
    }
    let disko: Module = disko::settings(cx).to_module(vec![
        format!("{name}: the layout of its disks for disko and nixos-anywhere"),
        "Imported by nobody: the other files state the file systems. Written by hostwright; changes here are lost."
            .to_owned(),
    ]);
    files.push(nix("disko.nix", disko.to_file()));
    let in_folder = |file: OutFile| OutFile { path: format!("hosts/{name}/{}", file.path), ..file };
    files.extend(boot_test::file(cx, &mut found).map(in_folder));
    let scripts = install::scripts(cx, &mut found);
    let summary =
        HostSummary { name: name.to_owned(), words: words(cx.host), nix_files: files.len(), scripts: scripts.len() };
    files.extend(scripts.into_iter().map(in_folder));
    files.extend(copies::files(cx.host).into_iter().map(in_folder));
    for finding in &mut found {
        finding.host = Some(name.to_owned());
    }
    (files, summary, found)
}

/// Returns how a host boots and what its pools are, in words.
fn words(host: &ResolvedHost<'_>) -> String {
    let firmware = match host.def.machine.firmware.value {
        Firmware::Bios => "BIOS",
        Firmware::Uefi => "UEFI",
        Firmware::Both => "BIOS and UEFI",
    };
    let mut words = format!("{firmware}, {}", host.def.boot.loader.value.word());
    for pool in &host.pools {
        let data: Vec<String> =
            pool.data().map(|vdev| format!("{} of {}", vdev.def.kind.value.word(), vdev.members.len())).collect();
        let mut parts: Vec<String> = Vec::new();
        for kind in data {
            match parts.iter_mut().find(|part| part.ends_with(&kind)) {
                Some(part) => {
                    let count = part.split_once(" × ").and_then(|(count, _)| count.parse().ok()).unwrap_or(1u32) + 1;
                    *part = format!("{count} × {kind}");
                }
                None => parts.push(kind),
            }
        }
        for class in [VdevClass::Log, VdevClass::Special, VdevClass::Dedup] {
            if pool.vdevs.iter().any(|vdev| vdev.class == class) {
                parts.extend(class.word().map(str::to_owned));
            }
        }
        if !pool.cache.is_empty() {
            parts.push("cache".to_owned());
        }
        // Writing to a String cannot fail.
        let _ = write!(words, " · {} {}", pool.name, parts.join(" + "));
        if let Some(bytes) = pool.usable_bytes() {
            let _ = write!(words, ", {}", Size::human(bytes));
        }
    }
    words
}
