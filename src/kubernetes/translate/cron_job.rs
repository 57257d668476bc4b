//! CronJob: a workload that runs to its end at times, by a timer of systemd.

use super::pod::{self, Running, Workload};
use super::{Stage, Translator, job};
use crate::fleet::schema::workloads::TimeZone;
use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;
use crate::kubernetes::tree::Node;
use crate::units::{CronSchedule, Timer};

pub(super) static CRON_JOB: Translator =
    Translator { kind: "CronJob", groups: &["batch"], stage: Stage::Workloads, run };

/// The zone in which Kubernetes' controller counts where nothing says another.
const ZONE: &str = "UTC";

fn run<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let Some(spec) = object.tree().get("spec") else { return };
    let service = cx.service_name(object);
    let when = schedule(cx, object, spec, &service);
    let (events, time_zone) = when.unwrap_or_default();
    let has_time = !events.is_empty();
    let running = Running::At { schedule: events, time_zone };
    let Some(mut workload) = Workload::of_template(cx, object, &["spec", "jobTemplate", "spec", "template"], running)
    else {
        return;
    };
    // What has no time would run at each boot instead.
    workload.enabled &= has_time;
    pod::translate(cx, &workload);
    if let Some(node) = spec.get("suspend") {
        job::suspend(cx, &workload, node);
    }
    if let Some(job) = spec.at(&["jobTemplate", "spec"]) {
        job::settle(cx, &workload, job);
    }
    missed(cx, &workload, spec);
    if let Some(node) = spec.get("concurrencyPolicy") {
        match node.str() {
            Some("Forbid") => cx.books.replaced(node, "systemd starts nothing that still runs"),
            Some("Replace") => {
                let text = "a run that is due ends the one before it; here that one goes on, and the new one is left out: does that matter?";
                cx.ask(object, node, "concurrencyPolicy", text, false);
            }
            _ => cx.books.dropped(node, "a run that is due while the one before it goes on is left out"),
        }
    }
    for field in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        if let Some(node) = spec.get(field) {
            cx.books.dropped(node, "nothing is left of a run but its lines in the journal");
        }
    }
}

/// Settles the schedule and its time zone; returns calendar events, and the zone that is not part of them.
fn schedule<'w, 's>(
    cx: &mut Cx<'w, 's>,
    object: &'w Object<'s>,
    spec: &'w Node<'s>,
    service: &str,
) -> Option<(Vec<String>, Option<String>)> {
    let key = format!("services.{service}.schedule");
    let zone_node = spec.get("timeZone").filter(|zone| !zone.is_null());
    let zone = zone_node.and_then(Node::text).filter(|zone| !zone.is_empty());
    let Some(node) = spec.get("schedule") else {
        cx.ask(
            object,
            spec.get("jobTemplate").unwrap_or(spec),
            "schedule",
            "it has no schedule: when does it run?",
            true,
        );
        return None;
    };
    let written = node.text().unwrap_or("");
    let read = |text: &str| text.parse::<CronSchedule>().ok();
    let (schedule, is_answer) = match read(written) {
        Some(schedule) => (schedule, false),
        None => {
            let text =
                format!("`{written}` is no schedule that a cluster takes: when does it run, as five fields of cron?");
            (cx.ask(object, node, "schedule", text, true).and_then(read)?, true)
        }
    };
    let own = schedule.time_zone().is_some();
    let timer = match schedule.timer(None) {
        Ok(Timer::Calendar(events)) => events,
        Ok(Timer::Every(_)) => {
            let text = "it runs at a distance from when it was made, not at times: at which times should it run?";
            let answered = cx.ask(object, node, "schedule", text, true).and_then(read)?;
            let Ok(Timer::Calendar(events)) = answered.timer(None) else { return None };
            events
        }
        Err(wanted) => {
            cx.ask(object, node, "schedule", wanted, true);
            return None;
        }
    };
    let time_zone = match zone {
        _ if own => None,
        Some(zone) if TimeZone::has_form(zone) => Some(zone.to_owned()),
        Some(zone) => {
            let text =
                format!("`{zone}` is no time zone that a cluster takes: which one is meant, such as `Europe/Berlin`?");
            let answer = cx.ask(object, zone_node.unwrap_or(node), "time-zone", text, true);
            let Some(answer) = answer.filter(|zone| TimeZone::has_form(zone)) else {
                cx.books.translated(node, key);
                return None;
            };
            Some(answer.to_owned())
        }
        None => Some(ZONE.to_owned()),
    };
    if let Some(zone_node) = zone_node {
        cx.books.translated(zone_node, format!("services.{service}.time-zone"));
    }
    if zone.is_none() && !own && !is_answer {
        cx.books.translated_as(
            node,
            key,
            "in UTC, in which Kubernetes' controller counts unless its machine says otherwise",
        );
    } else {
        cx.books.translated(node, key);
    }
    Some((timer.iter().map(|event| event.as_str().to_owned()).collect(), time_zone))
}

/// Settles `startingDeadlineSeconds`: for how long a run that was missed is made up for. systemd does it always or never.
fn missed<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>, spec: &'w Node<'s>) {
    /// Less than this is over when a machine is up again.
    const LONG: i64 = 3600;
    let Some(node) = spec.get("startingDeadlineSeconds").filter(|node| !node.is_null()) else { return };
    let persistent = node.int().is_none_or(|seconds| seconds >= LONG);
    if let Some(work) = cx.host.services.get_mut(&workload.service).and_then(|draft| draft.as_container_mut()) {
        work.persistent = Some(persistent);
    }
    let how = if persistent {
        "a run that was missed is made up for when the host is up again, however late"
    } else {
        "a run that was missed while the host was down is left out"
    };
    cx.books.translated_as(node, format!("services.{}.persistent", workload.service), how);
}
