//! The inventory as one page for a browser: no script, no other file, legible on a phone and on paper.

use super::super::words::count;
use super::{
    about, answer, by_kind, bytes, downtime, grouped, host_room, lost_object, pool_room, reading, room, short,
    state_lines, timeline_about,
};
use crate::kubernetes::claims::ClaimEntry;
use crate::kubernetes::ledger::{Ledger, QuestionEntry, Totals, WorkloadEntry};
use crate::kubernetes::live::Reading;
use crate::kubernetes::lost::LostEntry;
use crate::kubernetes::restorers::Restorer;
use crate::kubernetes::timeline::{DowntimeEntry, TimelineEntry};
use crate::text::{TemplateError, Templates};
use crate::units::TimeSpan;

/// The values of the page; the template escapes every one of them.
#[derive(serde::Serialize)]
struct Page<'l> {
    files: String,
    objects: String,
    fields: String,
    totals: Bar,
    host: Option<String>,
    contents: Vec<Entry>,
    reading: Option<Live<'l>>,
    blocking: Vec<Question<'l>>,
    others: Vec<Question<'l>>,
    workloads: Vec<Workload<'l>>,
    has_downtime: bool,
    hosts: Vec<Host<'l>>,
    claims: Vec<Claim<'l>>,
    capacity: Option<String>,
    timelines: Vec<Timeline<'l>>,
    lost: Vec<Lost<'l>>,
    talks: Vec<Talk<'l>>,
    restorers: Vec<Restored<'l>>,
    refused: Vec<Refused<'l>>,
    kinds: Vec<Kind<'l>>,
    ledger: Vec<Object<'l>>,
    definitions: Vec<Definition<'l>>,
}

/// How the cluster itself was read.
#[derive(serde::Serialize)]
struct Live<'l> {
    about: String,
    notes: &'l [String],
    left_out: Vec<(&'l str, &'static str)>,
    differences: Vec<Differs<'l>>,
}

#[derive(serde::Serialize)]
struct Differs<'l> {
    object: String,
    what: &'l str,
    place: String,
}

/// A line of the table of contents.
#[derive(serde::Serialize)]
struct Entry {
    id: &'static str,
    title: &'static str,
}

/// Shares in percent, and the numbers.
#[derive(serde::Serialize)]
struct Bar {
    translated: String,
    replaced: String,
    dropped: String,
    needs_you: String,
    translated_share: u64,
    replaced_share: u64,
    dropped_share: u64,
    needs_you_share: u64,
}

#[derive(serde::Serialize)]
struct Question<'l> {
    number: usize,
    about: String,
    text: &'l str,
    place: String,
    service: Option<&'l str>,
    answer: String,
}

#[derive(serde::Serialize)]
struct Workload<'l> {
    name: &'l str,
    kind: &'l str,
    becomes: &'l str,
    why: Option<&'l str>,
    host: Option<&'l str>,
    state: Vec<String>,
    downtime: String,
    questions: Vec<usize>,
}

#[derive(serde::Serialize)]
struct Host<'l> {
    name: &'l str,
    room: String,
    pool: Option<String>,
    workloads: Vec<Placed<'l>>,
}

#[derive(serde::Serialize)]
struct Placed<'l> {
    name: String,
    reason: &'l str,
}

#[derive(serde::Serialize)]
struct Claim<'l> {
    name: String,
    requested: String,
    used: String,
    access: String,
    reclaim: &'l str,
    is_deleted: bool,
    lies: &'l str,
    dataset: Option<&'l str>,
    to: &'l str,
    workloads: String,
}

#[derive(serde::Serialize)]
struct Lost<'l> {
    what: &'l str,
    count: String,
    objects: Vec<String>,
    instead: &'l str,
}

#[derive(serde::Serialize)]
struct Talk<'l> {
    from: &'l str,
    to: &'l str,
    port: String,
    key: &'l str,
    place: String,
}

#[derive(serde::Serialize)]
struct Restored<'l> {
    by: &'l str,
    given: bool,
    behaviour: &'l str,
    suspend: &'l str,
    under: String,
    count: String,
    restores: Vec<String>,
}

#[derive(serde::Serialize)]
struct Timeline<'l> {
    host: &'l str,
    about: String,
    phases: Vec<Phase<'l>>,
    downtime: Vec<Downtime<'l>>,
}

#[derive(serde::Serialize)]
struct Phase<'l> {
    name: &'l str,
    steps: Vec<Step<'l>>,
}

#[derive(serde::Serialize)]
struct Step<'l> {
    number: usize,
    title: &'l str,
    begins: String,
    takes: String,
    is_gate: bool,
    destroys: bool,
    down: String,
}

#[derive(serde::Serialize)]
struct Downtime<'l> {
    service: &'l str,
    takes: String,
    left: u64,
    width: u64,
}

#[derive(serde::Serialize)]
struct Refused<'l> {
    place: String,
    reason: &'l str,
    help: Option<&'l str>,
}

#[derive(serde::Serialize)]
struct Kind<'l> {
    name: &'l str,
    objects: usize,
    bar: Bar,
}

#[derive(serde::Serialize)]
struct Object<'l> {
    name: String,
    place: String,
    fields: Vec<Field<'l>>,
}

#[derive(serde::Serialize)]
struct Field<'l> {
    path: &'l str,
    disposition: &'static str,
    said: String,
}

#[derive(serde::Serialize)]
struct Definition<'l> {
    host: &'l str,
    toml: &'l str,
}

fn bar(totals: &Totals) -> Bar {
    let share =
        |part: usize| (part as u64 * 1000).checked_div(totals.leaves as u64).map_or(0, |share| share.div_ceil(10));
    Bar {
        translated: grouped(totals.translated),
        replaced: grouped(totals.replaced),
        dropped: grouped(totals.dropped),
        needs_you: grouped(totals.needs_you),
        translated_share: share(totals.translated),
        replaced_share: share(totals.replaced),
        dropped_share: share(totals.dropped),
        needs_you_share: share(totals.needs_you),
    }
}

pub(super) fn write(ledger: &Ledger) -> Result<String, TemplateError> {
    Templates::embedded()?.render("migrate.html.tera", &page(ledger))
}

fn page(ledger: &Ledger) -> Page<'_> {
    let questions = |blocks: bool| {
        let all = ledger.questions.iter().zip(1..).filter(move |(question, _)| question.blocks == blocks);
        all.map(|(question, number)| self::question(ledger, question, number)).collect()
    };
    let refused = ledger.refused.iter().map(|refused| Refused {
        place: format!("{}:{}:{}", refused.file, refused.line, refused.column),
        reason: &refused.reason,
        help: refused.help.as_deref(),
    });
    let kinds = by_kind(ledger);
    let kinds = kinds.into_iter().map(|(name, sums)| Kind { name, objects: sums.objects, bar: bar(&sums) });
    let talks = ledger.talks.iter().map(|edge| Talk {
        from: &edge.from,
        to: &edge.to,
        port: edge.port.filter(|port| *port > 0).map_or_else(String::new, |port| port.to_string()),
        key: &edge.key,
        place: format!("{}:{}", edge.file, edge.line),
    });
    let mut page = Page {
        files: grouped(ledger.files),
        objects: grouped(ledger.totals.objects),
        fields: grouped(ledger.totals.leaves),
        totals: bar(&ledger.totals),
        host: ledger.definitions.as_ref().map(|definitions| definitions.host.clone()),
        contents: Vec::new(),
        reading: ledger.reading.as_ref().map(live),
        blocking: questions(true),
        others: questions(false),
        workloads: ledger.workloads.iter().map(|one| workload(ledger, one)).collect(),
        has_downtime: ledger.timelines.iter().any(|timeline| !timeline.downtime.is_empty()),
        hosts: hosts(ledger),
        claims: ledger.claims.iter().map(claim).collect(),
        capacity: ledger.capacity.as_ref().map(room),
        timelines: ledger.timelines.iter().map(timeline).collect(),
        lost: ledger.lost.iter().map(lost).collect(),
        talks: talks.collect(),
        restorers: ledger.restorers.iter().map(restored).collect(),
        refused: refused.collect(),
        kinds: kinds.collect(),
        ledger: ledger.objects.iter().filter(|object| object.fields.is_some()).map(object).collect(),
        definitions: super::definitions(ledger)
            .map(|definitions| Definition { host: &definitions.host, toml: &definitions.toml })
            .collect(),
    };
    page.contents = contents(&page);
    page
}

/// Returns the sections that the page has.
fn contents(page: &Page<'_>) -> Vec<Entry> {
    let all = [
        (page.reading.is_some(), "reading", "How the cluster was read"),
        (!page.blocking.is_empty() || !page.others.is_empty(), "questions", "What only a person can decide"),
        (!page.workloads.is_empty(), "workloads", "What runs, and what it becomes"),
        (!page.hosts.is_empty(), "placement", "Which host, and why"),
        (!page.claims.is_empty(), "claims", "What is kept"),
        (!page.timelines.is_empty(), "timeline", "The move, step by step"),
        (!page.lost.is_empty(), "lost", "What is lost"),
        (!page.talks.is_empty(), "talks", "Who speaks with whom"),
        (!page.restorers.is_empty(), "restorers", "What would bring back what is deleted"),
        (!page.refused.is_empty(), "refused", "Not read"),
        (true, "kinds", "Where the fields went"),
        (!page.ledger.is_empty(), "ledger", "Every field"),
        (!page.definitions.is_empty(), "definitions", "The definitions"),
    ];
    all.into_iter().filter(|(is_there, ..)| *is_there).map(|(_, id, title)| Entry { id, title }).collect()
}

fn live(reading: &Reading) -> Live<'_> {
    let differences = reading.differences.iter();
    Live {
        about: reading::about(reading),
        notes: &reading.notes,
        left_out: reading.left_out.iter().map(|left| (left.resource.as_str(), left.reason)).collect(),
        differences: differences
            .map(|one| Differs { object: reading::differs(one), what: &one.what, place: reading::place(one) })
            .collect(),
    }
}

fn question<'l>(ledger: &'l Ledger, question: &'l QuestionEntry, number: usize) -> Question<'l> {
    let (service, answer) = answer(ledger, question);
    Question {
        number,
        about: about(question),
        text: &question.question,
        place: format!("{}:{}:{}", question.file, question.line, question.column),
        service,
        answer,
    }
}

fn workload<'l>(ledger: &'l Ledger, workload: &'l WorkloadEntry) -> Workload<'l> {
    let is_own = |question: &QuestionEntry| {
        question.blocks && question.id.split_once('#').is_some_and(|(object, _)| object == workload.object)
    };
    let questions = ledger.questions.iter().zip(1..).filter(|(question, _)| is_own(question));
    Workload {
        name: &workload.name,
        kind: &workload.kind,
        becomes: &workload.becomes,
        why: workload.why.as_deref(),
        host: workload.host.as_deref(),
        state: state_lines(workload, "→"),
        downtime: workload.services.first().and_then(|main| downtime(ledger, main)).unwrap_or_default(),
        questions: questions.map(|(_, number)| number).collect(),
    }
}

/// Returns the plan of a host: its steps under their headings, with who is down while each of them is carried out.
fn timeline(entry: &TimelineEntry) -> Timeline<'_> {
    let place = |id: &str| entry.steps.iter().position(|step| step.id == id);
    let mut phases: Vec<Phase<'_>> = Vec::new();
    for (at, step) in entry.steps.iter().enumerate() {
        let name = step.phase.as_deref().unwrap_or("");
        let is_down = |one: &&DowntimeEntry| {
            place(&one.from).is_some_and(|from| from <= at) && place(&one.to).is_some_and(|to| at <= to)
        };
        let down: Vec<&str> = entry.downtime.iter().filter(is_down).map(|one| one.service.as_str()).collect();
        let step = Step {
            number: at.saturating_add(1),
            title: &step.title,
            begins: TimeSpan::human(step.begins_seconds),
            takes: TimeSpan::human(step.expected_seconds),
            is_gate: step.is_gate,
            destroys: step.destroys,
            down: down.join(", "),
        };
        match phases.last_mut().filter(|phase| phase.name == name) {
            Some(phase) => phase.steps.push(step),
            None => phases.push(Phase { name, steps: vec![step] }),
        }
    }
    let begins = |id: &str| place(id).and_then(|at| entry.steps.get(at)).map_or(0, |step| step.begins_seconds);
    let first = entry.downtime.iter().map(|one| begins(&one.from)).min().unwrap_or(0);
    let last = entry.downtime.iter().map(|one| begins(&one.from).saturating_add(one.expected_seconds)).max();
    let all = last.unwrap_or(0).saturating_sub(first).max(1);
    let share = |seconds: u64| seconds.saturating_mul(100) / all;
    let downtime = entry.downtime.iter().map(|one| Downtime {
        service: &one.service,
        takes: TimeSpan::human(one.expected_seconds),
        left: share(begins(&one.from).saturating_sub(first)).min(99),
        width: share(one.expected_seconds).clamp(1, 100),
    });
    Timeline { host: &entry.host, about: timeline_about(entry), phases, downtime: downtime.collect() }
}

fn hosts(ledger: &Ledger) -> Vec<Host<'_>> {
    let Some(placement) = &ledger.placement else { return Vec::new() };
    let placed = |host: Option<&str>| -> Vec<Placed<'_>> {
        let own = placement.workloads.iter().filter(|one| one.host.as_deref() == host);
        own.map(|one| Placed { name: short(&one.object), reason: &one.reason }).collect()
    };
    let hosts = placement.hosts.iter().map(|host| Host {
        name: &host.host,
        room: host_room(host),
        pool: host.capacity.as_ref().filter(|capacity| capacity.requested > 0).map(pool_room),
        workloads: placed(Some(&host.host)),
    });
    let homeless = placed(None);
    let none = (!homeless.is_empty()).then(|| Host {
        name: "No host yet",
        room: "a person has to decide: see the questions".to_owned(),
        pool: None,
        workloads: homeless,
    });
    hosts.chain(none).collect()
}

fn claim(claim: &ClaimEntry) -> Claim<'_> {
    Claim {
        name: format!("{}/{}", claim.namespace, claim.name),
        requested: bytes(claim.requested),
        used: bytes(claim.used),
        access: claim.access.join(", "),
        reclaim: claim.reclaim.as_deref().unwrap_or("nobody says"),
        is_deleted: matches!(claim.reclaim.as_deref(), Some("Delete" | "Recycle")),
        lies: claim.lies.as_deref().unwrap_or("nobody says"),
        dataset: claim.dataset.as_deref(),
        to: claim.left.as_deref().or(claim.mount.as_deref()).unwrap_or(""),
        workloads: claim.workloads.iter().map(|id| short(id)).collect::<Vec<_>>().join(", "),
    }
}

fn lost(entry: &LostEntry) -> Lost<'_> {
    Lost {
        what: entry.what,
        count: if entry.objects.len() > 1 { format!("{} objects", entry.objects.len()) } else { String::new() },
        objects: entry.objects.iter().map(lost_object).collect(),
        instead: entry.instead,
    }
}

fn restored(restorer: &Restorer) -> Restored<'_> {
    Restored {
        by: &restorer.by,
        given: restorer.given,
        behaviour: restorer.behaviour,
        suspend: &restorer.suspend,
        under: restorer.under.join(", "),
        count: count(restorer.restores.len(), "object", "objects"),
        restores: restorer.restores.iter().map(|(object, how)| format!("{object}: {how}")).collect(),
    }
}

fn object(object: &crate::kubernetes::ledger::ObjectEntry) -> Object<'_> {
    let namespace = object.namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
    let fields = object.fields.iter().flatten().map(|field| {
        let said: Vec<&str> = [field.to.as_deref(), field.reason.as_deref()].into_iter().flatten().collect();
        Field { path: &field.path, disposition: field.disposition.as_str(), said: said.join("; ") }
    });
    Object {
        name: format!("{} {namespace}{}", object.kind, object.name),
        place: format!("{}:{}", object.file, object.line),
        fields: fields.collect(),
    }
}
