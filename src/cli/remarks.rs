//! What the rules that see clusters say of a host with the definitions that `migrate` makes.

use std::path::Path;

use super::context;
use super::terminal::Terminal;
use super::{ExitStatus, Failure};
use crate::check::{Rule, check_files, rules};
use crate::kubernetes::write::Written;
use crate::source::{Asset, AssetFile, Diagnostic};
use crate::units::Date;

/// Prints what there is to say of a host: as it stands in the fleet, or with definitions that nobody has written yet.
pub(super) fn print(
    terminal: &Terminal,
    folder: &Path,
    host: &str,
    unwritten: Option<Written>,
    today: Date,
) -> Result<ExitStatus, Failure> {
    let mut files = context::load(folder)?;
    if let Some(written) = unwritten {
        files.add(format!("hosts/{host}/host.toml"), written.text);
        for (path, bytes) in written.files {
            files.sources.add_asset(path, Asset::File(AssetFile { bytes: bytes.into(), executable: false }));
        }
    }
    let facts = context::facts(folder, &mut files)?;
    check_files(&mut files, &facts, &[host.to_owned()], today, |_, outcome, sources| {
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
