//! A backup of which nobody knows whether it comes back.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::backup::BackupKind;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "backup-never-restored",
    group: Group::Services,
    level: Level::Note,
    allowable: true,
    needs: &[],
    summary: "a backup without a restore drill",
    doc: include_str!("backup_never_restored.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for (name, backup) in cx.host.def.backup.iter().filter(|(_, backup)| backup.drill.is_none()) {
        let finding = Finding::at(backup.key, format!("nothing ever restores the backup `{name}`")).why(
            "a backup that was never restored is a hope: keys are lost, repositories break, paths were never in it",
        );
        found.report(match backup.kind.value {
            BackupKind::Borg | BackupKind::Restic => finding.help(format!(
                "`drill = {{}}` in `[backup.{name}]`: once a month it restores into an empty folder and compares"
            )),
            BackupKind::Zrepl | BackupKind::Syncoid => {
                finding.help("mount the received datasets on the other machine and look at them, again and again")
            }
        });
    }
}
