//! The inventory as one page for a browser: no script, no other file, legible on a phone and on paper.

use std::sync::OnceLock;

use super::{by_kind, grouped, state};
use crate::kubernetes::ledger::{Ledger, Totals};
use crate::text::{TemplateError, Templates};

/// The values of the page; the template escapes every one of them.
#[derive(serde::Serialize)]
struct Page<'l> {
    files: String,
    objects: String,
    fields: String,
    totals: Bar,
    workloads: Vec<Workload<'l>>,
    refused: Vec<Refused<'l>>,
    questions: Vec<Question<'l>>,
    blocking: usize,
    kinds: Vec<Kind<'l>>,
    ledger: Vec<Object<'l>>,
    definitions: Option<&'l str>,
    host: Option<&'l str>,
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
struct Workload<'l> {
    name: &'l str,
    kind: &'l str,
    becomes: &'l str,
    state: String,
    blocking: usize,
}

#[derive(serde::Serialize)]
struct Refused<'l> {
    place: String,
    reason: &'l str,
    help: Option<&'l str>,
}

#[derive(serde::Serialize)]
struct Question<'l> {
    number: usize,
    text: &'l str,
    place: String,
    id: &'l str,
    blocks: bool,
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
    bar: Bar,
    fields: Vec<Field<'l>>,
}

#[derive(serde::Serialize)]
struct Field<'l> {
    path: &'l str,
    disposition: &'static str,
    said: String,
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
    static EMBEDDED: OnceLock<Result<Templates, TemplateError>> = OnceLock::new();
    let templates = EMBEDDED.get_or_init(|| Templates::new::<&str, &str>([]));
    let page = Page {
        files: grouped(ledger.files),
        objects: grouped(ledger.totals.objects),
        fields: grouped(ledger.totals.leaves),
        totals: bar(&ledger.totals),
        workloads: ledger.workloads.iter().map(workload).collect(),
        refused: ledger
            .refused
            .iter()
            .map(|refused| Refused {
                place: format!("{}:{}:{}", refused.file, refused.line, refused.column),
                reason: &refused.reason,
                help: refused.help.as_deref(),
            })
            .collect(),
        questions: ledger
            .questions
            .iter()
            .zip(1..)
            .map(|(question, number)| Question {
                number,
                text: &question.question,
                place: format!("{}:{}:{}", question.file, question.line, question.column),
                id: &question.id,
                blocks: question.blocks,
            })
            .collect(),
        blocking: ledger.questions.iter().filter(|question| question.blocks).count(),
        kinds: by_kind(ledger)
            .into_iter()
            .map(|(name, sums)| Kind { name, objects: sums.objects, bar: bar(&sums) })
            .collect(),
        ledger: ledger.objects.iter().map(object).collect(),
        definitions: ledger.definitions.as_ref().map(|definitions| definitions.toml.as_str()),
        host: ledger.definitions.as_ref().map(|definitions| definitions.host.as_str()),
    };
    templates.as_ref().map_err(Clone::clone)?.render("migrate.html.tera", &page)
}

fn workload(workload: &crate::kubernetes::ledger::WorkloadEntry) -> Workload<'_> {
    Workload {
        name: &workload.name,
        kind: &workload.kind,
        becomes: &workload.becomes,
        state: state(workload),
        blocking: workload.blocking,
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
        bar: bar(&object.totals),
        fields: fields.collect(),
    }
}
