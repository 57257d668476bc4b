//! zrepl, through `services.zrepl`: snapshots of datasets are pushed to another machine.

use super::BackupCx;
use crate::compile::settings::Settings;
use crate::nix::{Attrs, Value};
use crate::source::{Diagnostic, Diagnostics};

/// The calendar events that are intervals, as zrepl writes them.
const INTERVALS: &[(&str, &str)] = &[("hourly", "1h"), ("daily", "24h"), ("weekly", "168h")];

/// Adds a push job; returns the unit that makes the backup.
pub(super) fn settings(backup: &BackupCx<'_>, out: &mut Settings, found: &mut Diagnostics) -> String {
    let def = backup.def;
    out.set("services.zrepl.enable", true, backup.place);
    let Some((_, interval)) = INTERVALS.iter().find(|(event, _)| *event == backup.schedule()) else {
        let place = def.schedule.as_ref().map_or(backup.place, |when| when.place);
        found.push(
            Diagnostic::error("value-invalid", place, format!("zrepl has no schedule `{}`", backup.schedule()))
                .why("it counts from its last snapshot, and knows no calendar")
                .help("`hourly`, `daily` or `weekly`"),
        );
        return "zrepl".to_owned();
    };
    let datasets: Attrs =
        backup.cx.host.backed_up_datasets(def).into_iter().map(|dataset| (dataset, Value::from(true))).collect();
    let kept = |keep: &[(&str, u32)]| -> Vec<Value> {
        let grid: Vec<String> = keep.iter().map(|(span, count)| format!("{count}x{span}")).collect();
        let ours = Value::from("^zrepl_.*");
        let grid = [("type", Value::from("grid")), ("grid", Value::from(grid.join(" | "))), ("regex", ours.clone())];
        // Snapshots that somebody else made are somebody else's.
        let others = [("type", Value::from("regex")), ("negate", Value::from(true)), ("regex", ours)];
        vec![Attrs::from_iter(grid).into(), Attrs::from_iter(others).into()]
    };
    // What the other machine has not yet stays here, however old it is.
    let sender = |keep: &[(&str, u32)]| -> Value {
        let waiting = Attrs::from_iter([("type", Value::from("not_replicated"))]);
        Value::List(std::iter::once(Value::from(waiting)).chain(kept(keep)).collect())
    };
    let receiver = |keep: &[(&str, u32)]| -> Value { Value::List(kept(keep)) };
    let spans = [("hourly", "1h"), ("daily", "24h"), ("weekly", "168h"), ("monthly", "720h"), ("yearly", "8760h")];
    let counts: Vec<(&str, u32)> = def
        .keep
        .iter()
        .flat_map(crate::fleet::schema::backup::Keep::counts)
        .filter_map(|(name, count)| Some((spans.iter().find(|(span, _)| *span == name)?.1, count)))
        .collect();
    let counts = if counts.is_empty() { vec![("24h", 14)] } else { counts };
    let job = Attrs::from_iter([
        ("name", Value::from(backup.name)),
        ("type", Value::from("push")),
        (
            "connect",
            Attrs::from_iter([("type", Value::from("tcp")), ("address", Value::from(def.repository.as_str()))]).into(),
        ),
        ("filesystems", datasets.into()),
        (
            "snapshotting",
            Attrs::from_iter([
                ("type", Value::from("periodic")),
                ("prefix", Value::from("zrepl_")),
                ("interval", Value::from(*interval)),
            ])
            .into(),
        ),
        ("pruning", Attrs::from_iter([("keep_sender", sender(&counts)), ("keep_receiver", receiver(&counts))]).into()),
    ]);
    out.set("services.zrepl.settings.jobs", Value::List(vec![job.into()]), backup.place);
    "zrepl".to_owned()
}
