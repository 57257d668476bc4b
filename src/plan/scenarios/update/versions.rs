//! What a candidate changes, as far as facts tell: the versions of the release that runs beside those of the release that comes.
//!
//! The machine says more once both systems lie on it; this is what a person reads before anything is built.

use crate::facts::{PackageFact, ReleaseFacts};
use crate::fleet::scalar::PackageAttr;
use crate::plan::PlanCx;
use crate::resolve::ResolvedService;
use crate::units::{Release, Version};

/// A version that runs and one that comes, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    what: String,
    old: Option<String>,
    new: Option<String>,
}

impl Change {
    fn new(what: impl Into<String>, old: Option<String>, new: Option<String>) -> Self {
        Self { what: what.into(), old, new }
    }

    fn words(&self) -> String {
        let unknown = "not known";
        match (&self.old, &self.new) {
            (Some(old), Some(new)) if old == new => format!("- {}: {old}, stays", self.what),
            (old, new) => {
                let [old, new] = [old, new].map(|version| version.as_deref().unwrap_or(unknown));
                format!("- {}: from {old} to {new}", self.what)
            }
        }
    }
}

/// Returns the release that runs, by the facts.
pub(super) fn running(cx: &PlanCx<'_>) -> Option<Release> {
    let system = cx.host.source.facts.as_ref()?.system.as_ref()?;
    system.release.as_ref()?.value.parse().ok()
}

/// Returns the version of a package in a release.
pub(super) fn package(cx: &PlanCx<'_>, attribute: &str, release: Release) -> Option<String> {
    match cx.facts.packages().find(attribute, release) {
        PackageFact::Version(version) | PackageFact::FromNotes { version, .. } => Some(version.to_owned()),
        PackageFact::Removed | PackageFact::Absent | PackageFact::Unknown => None,
    }
}

/// Returns the attribute of a service's package.
pub(super) fn attribute<'a>(cx: &PlanCx<'a>, service: &'a ResolvedService<'_>) -> Option<&'a str> {
    service.package(cx.host.def.state_version.as_ref().map(|state| state.value))
}

/// Returns what is known of the versions, the system's first, then those of services.
pub(super) fn changes(cx: &PlanCx<'_>) -> Vec<Change> {
    let facts = cx.host.source.facts.as_ref();
    let system = facts.and_then(|facts| facts.system.as_ref());
    let old = running(cx);
    let new = cx.host.channel.channel.release.value;
    let (of_old, of_new) = (old.and_then(|old| cx.facts.releases().find(old)), cx.facts.releases().find(new));
    let figure = |facts: Option<&ReleaseFacts<'_>>, of: fn(&ReleaseFacts<'_>) -> Option<Version>| {
        facts.and_then(of).map(|version| version.to_string())
    };
    let mut all = vec![Change::new("NixOS", old.map(|old| old.to_string()), Some(new.to_string()))];

    let runs = system.and_then(|system| system.kernel.as_ref()).map(|kernel| kernel.value.to_string());
    all.push(Change::new("kernel", runs, kernel(cx, of_new.as_ref())));
    let module =
        facts.and_then(|facts| facts.zfs.as_ref()).and_then(|zfs| zfs.module.as_ref().or(zfs.userland.as_ref()));
    let zfs = cx.host.systems.first().and_then(|system| system.zfs).map(|zfs| zfs.to_string());
    if module.is_some() || !cx.host.pools.is_empty() {
        all.push(Change::new("OpenZFS", module.map(|zfs| zfs.value.trim_start_matches("zfs-").to_owned()), zfs));
    }
    let systemd = |facts| figure(facts, |facts| facts.systemd.map(|figure| figure.value));
    all.push(Change::new("systemd", systemd(of_old.as_ref()), systemd(of_new.as_ref())));
    for service in cx.host.running().filter(|_| cx.host.def.external.is_none()) {
        let Some(attribute) = attribute(cx, service) else { continue };
        let version = |release| package(cx, attribute, release);
        all.push(Change::new(service.name, old.and_then(version), version(new)));
    }
    all
}

/// Returns the kernel that comes: the one that the definition names, else that of the channel, else the release's.
fn kernel(cx: &PlanCx<'_>, release: Option<&ReleaseFacts<'_>>) -> Option<String> {
    let named = cx.host.def.boot.kernel.as_deref().map(PackageAttr::as_str);
    let stated = cx.host.channel.channel.kernel.as_ref().map(|kernel| kernel.value);
    let default = || release.and_then(|facts| facts.kernel_default).map(|figure| figure.value);
    named.map(str::to_owned).or_else(|| stated.or_else(default).map(|version| version.to_string()))
}

/// Returns what changes, as the reason of a step.
pub(super) fn words(cx: &PlanCx<'_>) -> String {
    let lead = match running(cx) {
        Some(_) => "By hosts/HOST/facts.json and what is known of both releases:",
        None => {
            "What runs on the machine is not known: `hostwright probe HOST` makes hosts/HOST/facts.json, and this plan then names both \
             sides."
        }
    };
    let lead = lead.replace("HOST", cx.host.name);
    let lines: Vec<String> = changes(cx).iter().map(Change::words).collect();
    let tail = match cx.host.def.external {
        None => "",
        Some(_) => {
            "The configuration is not compiled here, so the new side is what the release has by default: data that a new version of a \
             service rewrites is not seen. Where one does that, take a snapshot of its data before the reboot test.\n"
        }
    };
    let tail = format!(
        "{tail}{}",
        "This step prints what both systems on the machine say themselves, package by package. Read it; stop here when something \
                changes that should not."
    );
    format!("{lead}\n{}\n{tail}", lines.join("\n"))
}
