//! out/deployer/watch.nix: the deployer looks at the hosts on a timer, where `[deployer] timer` says so.
//!
//! A module of its own, with options for what the fleet cannot know: where the fleet and the program lie on the deployer. Not here: what
//! is looked at and who is told, which the program reads from the definitions each time.

use serde::Serialize;

use super::OutFile;
use crate::fleet::scalar::Target;
use crate::resolve::Resolved;
use crate::source::{Diagnostics, Sources};
use crate::text::{TemplateError, Templates};

/// The file, below out/.
pub(super) const WATCH: &str = "deployer/watch.nix";

/// When it looks that does not say when.
const DAILY: &str = "daily";

#[derive(Serialize)]
struct Watch<'a> {
    fleet: &'a str,
    description: String,
    schedule: &'a str,
    mail: bool,
    /// The name of the secret with the webhook's URL, where it lies, and where it could lie.
    webhook: Option<&'a str>,
    webhook_file: Option<&'a str>,
    webhook_example: String,
    /// Whether a host of the fleet is the machine that looks.
    local: bool,
}

/// Returns the module; nothing without a timer.
pub(super) fn file(
    fleet: &Resolved<'_>,
    sources: &Sources,
    templates: &Templates,
    found: &mut Diagnostics,
) -> Option<OutFile> {
    let timer = fleet.timer()?;
    let name = fleet.fleet.file.fleet.name.as_str();
    let webhook = fleet.webhook();
    let target = |host: &crate::resolve::ResolvedHost<'_>| {
        let target = host.def.deploy.as_ref().and_then(|deploy| deploy.target.as_ref());
        target.is_some_and(|target| target.value == Target::Local)
    };
    let values = Watch {
        fleet: name,
        description: format!("Drift and restore drills of the fleet {name}"),
        schedule: timer.schedule.as_ref().map_or(DAILY, |schedule| schedule.value.as_str()),
        mail: timer.mail.is_some(),
        webhook: webhook.map(|(name, _)| name),
        webhook_file: webhook.and_then(|(_, file)| file),
        webhook_example: webhook.map_or_else(String::new, |(name, _)| format!("/etc/credstore/{name}")),
        local: fleet.hosts.iter().any(target),
    };
    let template = "watch.nix.tera";
    let text = templates.render(template, &values).and_then(|text| {
        // Only a fleet's own template can be no Nix.
        crate::nix::format(&text).map_err(|error| TemplateError {
            template: template.to_owned(),
            line: Some(error.line),
            message: format!("what it makes is no Nix: {}", error.message),
        })
    });
    match text {
        Ok(text) => Some(OutFile::of_text(WATCH, text)),
        Err(error) => {
            found.extend(super::template_error(fleet, sources, &error));
            None
        }
    }
}
