//! What the rules that see clusters say of hosts with the definitions that `migrate` makes.

use std::path::Path;

use super::context;
use super::terminal::Terminal;
use super::{ExitStatus, Failure};
use crate::check::{Rule, check_files, rules};
use crate::kubernetes::write::Written;
use crate::source::{Asset, AssetFile, Diagnostic};
use crate::units::Date;

/// Prints what there is to say of hosts: as they stand in the fleet, or with definitions that nobody has written yet.
pub(super) fn print(
    terminal: &Terminal,
    folder: &Path,
    hosts: &[String],
    unwritten: Vec<(&str, Written)>,
    today: Date,
) -> Result<ExitStatus, Failure> {
    let mut files = context::load(folder)?;
    for (host, written) in unwritten {
        files.add(format!("hosts/{host}/host.toml"), written.text);
        for (path, bytes) in written.files {
            files.sources.add_asset(path, Asset::File(AssetFile { bytes: bytes.into(), executable: false }));
        }
    }
    let facts = context::facts(folder, &mut files)?;
    check_files(&mut files, &facts, hosts, today, |_, outcome, sources| {
        let about_clusters = |finding: &Diagnostic| {
            finding.allowed.is_none() && rules::find(finding.rule).is_some_and(Rule::sees_clusters)
        };
        let found: Vec<Diagnostic> =
            outcome.checked.findings.into_iter().filter(|finding| about_clusters(finding)).collect();
        if !found.is_empty() {
            terminal.print(&context::findings(terminal, &found, sources))?;
        }
        Ok(ExitStatus::Success)
    })
}
