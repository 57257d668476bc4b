//! Reading a plan back: what was written is believed only as far as it is what the fleet's files make.
//!
//! Three looks, all of them told: the digest, then the gates, then the comparison with the plan that was made again.
//! What comes out is the plan that was made, so that nothing of the file itself is ever run.

use super::document::{Plan, VERSION, digest};
use super::gates;
use super::step::{RunsOn, Step, StepKind};
use crate::source::{Diagnostics, FileId, Kind, Node, Place, Sources, nearest, parse_json, printable, quoted};

/// The largest plan that is read, in bytes. One of a hundred steps has a tenth of it.
pub const MAX_BYTES: usize = 2 << 20;

/// The deepest nesting that is read; a plan has four levels.
const MAX_DEPTH: usize = 16;

/// The most steps that are read.
const MAX_STEPS: usize = 2000;

/// The name under which the file is shown.
const FILE: &str = "plan.json";

/// Where a refusal shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefusedAt {
    /// A line and a column of plan.json, both from 1; the column in characters.
    Place {
        /// The line.
        line: u32,
        /// The column.
        column: u32,
    },
    /// A step that is missing from the file.
    Step(String),
}

impl std::fmt::Display for RefusedAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Place { line, column } => write!(f, "{FILE}:{line}:{column}"),
            Self::Step(id) => write!(f, "step {}", quoted(id)),
        }
    }
}

/// A reason not to use a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Where it shows.
    pub place: RefusedAt,
    /// What is wrong, as a phrase.
    pub what: String,
    /// Why that stops the plan.
    pub why: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} ({})", self.place, self.what, self.why)
    }
}

/// Reads a plan and holds it against the one that was made again from the fleet.
///
/// Returns the plan that was made when the file says the same, else every reason against it; never neither.
pub fn load(text: &str, made: &Plan) -> Result<Plan, Vec<Refusal>> {
    let mut sources = Sources::default();
    let size = text.len();
    let too_large = size > MAX_BYTES;
    let file = sources.add(FILE, if too_large { "" } else { text });
    let mut reader = Reader { sources: &sources, steps_at: None, refusals: Vec::new() };
    let start = sources.start(file);
    if too_large {
        reader.refuse(start, format!("the file has {size} bytes"), format!("a plan has {MAX_BYTES} at most"));
        return Err(reader.refusals);
    }
    if let Some(at) = too_deep(text) {
        let place = sources.place(file, at, at + 1);
        reader.refuse(place, format!("more than {MAX_DEPTH} levels are nested"), "a plan has four".to_owned());
        return Err(reader.refusals);
    }
    reader.read(text, file, made);
    if reader.refusals.is_empty() { Ok(made.clone()) } else { Err(reader.refusals) }
}

/// Returns where brackets nest too deeply.
fn too_deep(text: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Some(at);
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// The fields of a plan, and of a step.
const FIELDS: &[&str] = &["version", "tool_version", "host", "scenario", "inputs_sha256", "plan_sha256", "steps"];

/// Those that a plan has where it says something by them.
const OPTIONAL: &[&str] = &["downtime"];

const STEP_FIELDS: &[&str] = &[
    "id",
    "kind",
    "title",
    "why",
    "needs",
    "runs_on",
    "run",
    "before",
    "after",
    "undo",
    "destroys",
    "expected_seconds",
];

struct Reader<'s> {
    sources: &'s Sources,
    /// Where the list of steps stands.
    steps_at: Option<Place>,
    refusals: Vec<Refusal>,
}

/// A step as it was read, with the places of its fields.
struct Read<'n> {
    step: Step,
    node: &'n Node,
}

impl Reader<'_> {
    fn refuse(&mut self, place: Place, what: impl Into<String>, why: impl Into<String>) {
        let place = self.position(place);
        self.refusals.push(Refusal { place, what: what.into(), why: why.into() });
    }

    fn position(&self, place: Place) -> RefusedAt {
        let position = self.sources.position(place);
        RefusedAt::Place { line: position.line, column: position.column }
    }

    fn read(&mut self, text: &str, file: FileId, made: &Plan) {
        let mut found: Diagnostics = Vec::new();
        let Some(root) = parse_json(self.sources, file, "input", &mut found) else {
            for finding in found {
                self.refuse(finding.primary.place, finding.message, "the file is not what `plan` has written");
            }
            if self.refusals.is_empty() {
                self.refuse(self.sources.start(file), "it cannot be read", "the file is not what `plan` has written");
            }
            return;
        };
        match root.at(&["version"]).map(|node| (&node.kind, node.place)) {
            Some((Kind::Int(version), _)) if *version == i64::from(VERSION) => {}
            Some((_, place)) => {
                let why = format!("this program reads version {VERSION}: make the plan again");
                self.refuse(place, "the plan is of another version", why);
                return;
            }
            None => {
                self.refuse(root.place, "there is no `version`", "the file is not what `plan` has written");
                return;
            }
        }
        self.known(&root, FIELDS, OPTIONAL);
        let steps = self.steps(&root);
        // A file of another form has no content that could be judged.
        let Some(steps) = steps.filter(|_| self.refusals.is_empty()) else {
            if self.refusals.is_empty() {
                self.refuse(root.place, "it cannot be read", "the file is not what `plan` has written");
            }
            return;
        };
        self.digest(text, &root);
        self.gates(&steps, made);
        self.compare(&root, &steps, made);
        self.downtime(text, &root, made);
    }

    /// Refuses unknown and missing fields of an object.
    fn known(&mut self, node: &Node, fields: &[&str], optional: &[&str]) {
        let Some(table) = node.as_table() else {
            let what = format!("{} stands where an object is expected", node.describe());
            self.refuse(node.place, what, "the file is not what `plan` has written");
            return;
        };
        for (name, entry) in table {
            if !fields.contains(&name.as_str()) && !optional.contains(&name.as_str()) {
                let near = nearest(name, fields.iter().copied());
                let near = near.first().map_or_else(String::new, |near| format!("; nearest: `{near}`"));
                let why = format!("what is not understood is not run{near}");
                self.refuse(entry.key, format!("there is no field {}", quoted(name)), why);
            }
        }
        for field in fields.iter().filter(|field| !table.contains_key(**field)) {
            self.refuse(node.place, format!("the field `{field}` is missing"), "every field of the form is written");
        }
    }

    fn wrong(&mut self, node: &Node, field: &str, wanted: &str) {
        let what = format!("`{field}` is {}", node.describe());
        self.refuse(node.place, what, format!("{wanted} is expected"));
    }

    fn text(&mut self, node: &Node, field: &str) -> Option<String> {
        let value = node.at(&[field])?;
        let text = value.as_str();
        if text.is_none() {
            self.wrong(value, field, "a string");
        }
        text.map(str::to_owned)
    }

    fn texts(&mut self, node: &Node, field: &str) -> Option<Vec<String>> {
        let value = node.at(&[field])?;
        let Some(items) = value.as_list() else {
            self.wrong(value, field, "a list of strings");
            return None;
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match item.node.as_str() {
                Some(text) => texts.push(text.to_owned()),
                None => self.wrong(&item.node, field, "a list of strings"),
            }
        }
        Some(texts)
    }

    fn word<T: Copy>(&mut self, node: &Node, field: &str, words: &[T], of: impl Fn(T) -> &'static str) -> Option<T> {
        let text = self.text(node, field)?;
        let found = words.iter().copied().find(|word| of(*word) == text);
        if found.is_none() {
            let listed: Vec<&str> = words.iter().map(|word| of(*word)).collect();
            let place = node.at(&[field]).map_or(node.place, |node| node.place);
            self.refuse(place, format!("`{field}` is {}", quoted(&text)), format!("one of: {}", listed.join(", ")));
        }
        found
    }

    fn steps<'n>(&mut self, root: &'n Node) -> Option<Vec<Read<'n>>> {
        let list = root.at(&["steps"])?;
        self.steps_at = Some(list.place);
        let Some(items) = list.as_list() else {
            self.wrong(list, "steps", "a list of objects");
            return None;
        };
        if items.len() > MAX_STEPS {
            self.refuse(
                list.place,
                format!("there are {} steps", items.len()),
                format!("a plan has {MAX_STEPS} at most"),
            );
            return None;
        }
        Some(items.iter().filter_map(|item| self.step(&item.node)).collect())
    }

    fn step<'n>(&mut self, node: &'n Node) -> Option<Read<'n>> {
        self.known(node, STEP_FIELDS, &[]);
        let id = self.text(node, "id");
        let kind = self.word(node, "kind", StepKind::ALL, StepKind::as_str);
        let title = self.text(node, "title");
        let why = self.text(node, "why");
        let needs = self.texts(node, "needs");
        let runs_on = self.word(node, "runs_on", RunsOn::ALL, RunsOn::as_str);
        let lists = ["run", "before", "after", "undo", "destroys"].map(|field| self.texts(node, field));
        let [run, before, after, undo, destroys] = lists;
        let seconds = node.at(&["expected_seconds"]).and_then(|value| match value.kind {
            Kind::Int(seconds) => u64::try_from(seconds).ok(),
            _ => None,
        });
        if let (None, Some(value)) = (seconds, node.at(&["expected_seconds"])) {
            self.wrong(value, "expected_seconds", "a number of seconds");
        }
        let step = Step {
            id: id?,
            kind: kind?,
            title: title?,
            why: why?,
            needs: needs?,
            runs_on: runs_on?,
            run: run?,
            before: before?,
            after: after?,
            undo: undo?,
            destroys: destroys?,
            expected_seconds: seconds?,
            may_take: 0,
            phase: None,
            parting: false,
            roles: std::collections::BTreeMap::new(),
        };
        Some(Read { step, node })
    }

    /// The plan is what it was when it was sealed.
    fn digest(&mut self, text: &str, root: &Node) {
        let found = serde_json::from_str(text).map(|plan| digest(&plan)).unwrap_or_default();
        let Some(value) = root.at(&["plan_sha256"]) else { return };
        if value.as_str() != Some(found.as_str()) {
            let what = "the plan was changed after it was made: its digest is another";
            self.refuse(value.place, what, "a plan is run as it was made; change the definition and make it again");
        }
    }

    fn gates(&mut self, read: &[Read<'_>], made: &Plan) {
        let steps: Vec<Step> = read.iter().map(|read| read.step.clone()).collect();
        for violation in gates::verify_steps(made.scenario(), &steps) {
            let place = violation.step.as_ref().and_then(|id| read.iter().find(|read| read.step.id == *id));
            if let Some(read) = place {
                self.refuse(field(read.node, "id"), violation.what, violation.why);
            } else {
                let place = self.steps_at.map_or_else(|| RefusedAt::Step("steps".to_owned()), |at| self.position(at));
                self.refusals.push(Refusal { place, what: violation.what, why: violation.why });
            }
        }
    }

    /// The plan is what the fleet makes; of steps, the first that differs is named.
    fn compare(&mut self, root: &Node, read: &[Read<'_>], made: &Plan) {
        let head = [
            ("host", made.host(), "the plan is another host's"),
            ("scenario", made.scenario().as_str(), "the plan is for another scenario"),
            ("tool_version", made.tool_version(), "another version of the program has made the plan"),
            ("inputs_sha256", made.inputs_sha256(), "the fleet's files have changed since the plan was made"),
        ];
        for (name, wanted, what) in head {
            let Some(value) = root.at(&[name]) else { continue };
            if value.as_str() != Some(wanted) {
                let found = value.as_str().map_or_else(|| value.describe().to_owned(), quoted);
                self.refuse(value.place, what, format!("it says {found}, the fleet makes {}", quoted(wanted)));
            }
        }
        let why = "the fleet's files make another plan: make it again";
        for (at, wanted) in made.steps().iter().enumerate() {
            let Some(found) = read.get(at) else {
                let what = format!("step {} is missing from the file", at + 1);
                self.refusals.push(Refusal { place: RefusedAt::Step(wanted.id.clone()), what, why: why.to_owned() });
                return;
            };
            if let Some((name, was, is)) = difference(wanted, &found.step) {
                let what = format!("step {} {} differs in `{name}`", at + 1, quoted(&found.step.id));
                let why = format!("it says {}, the fleet makes {}", quoted(&is), quoted(&was));
                self.refuse(field(found.node, name), what, why);
                return;
            }
        }
        if let Some(more) = read.get(made.steps().len()) {
            let what = format!("step {} {} is not in the plan", made.steps().len() + 1, quoted(&more.step.id));
            self.refuse(field(more.node, "id"), what, why);
        }
    }
}

impl Reader<'_> {
    /// What is said of downtime is what the fleet makes. Nothing of it is run, so that it is compared as a whole.
    fn downtime(&mut self, text: &str, root: &Node, made: &Plan) {
        let wanted = serde_json::to_value(made.downtime()).unwrap_or_default();
        let document: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let found = document.get("downtime").cloned().unwrap_or_else(|| serde_json::Value::Array(Vec::new()));
        if wanted != found {
            let place = root.at(&["downtime"]).map_or(root.place, |node| node.place);
            self.refuse(place, "`downtime` differs", "the fleet's files make another plan: make it again");
        }
    }
}

/// Returns the place of a field's value, else that of the whole object.
fn field(node: &Node, name: &str) -> Place {
    node.at(&[name]).map_or(node.place, |value| value.place)
}

/// Returns the first field in which two steps differ: its name, what is wanted, what was found.
fn difference(wanted: &Step, found: &Step) -> Option<(&'static str, String, String)> {
    let lists = |wanted: &[String], found: &[String]| {
        let at = (0..wanted.len().max(found.len())).find(|at| wanted.get(*at) != found.get(*at))?;
        let shown = |list: &[String]| list.get(at).map_or_else(|| "nothing".to_owned(), |text| printable(text));
        Some((shown(wanted), shown(found)))
    };
    let texts = |wanted: &str, found: &str| (wanted != found).then(|| (wanted.to_owned(), found.to_owned()));
    let seconds = |step: &Step| step.expected_seconds.to_string();
    let (name, (wanted, found)) = [
        ("id", texts(&wanted.id, &found.id)),
        ("kind", texts(wanted.kind.as_str(), found.kind.as_str())),
        ("title", texts(&wanted.title, &found.title)),
        ("why", texts(&wanted.why, &found.why)),
        ("needs", lists(&wanted.needs, &found.needs)),
        ("runs_on", texts(wanted.runs_on.as_str(), found.runs_on.as_str())),
        ("run", lists(&wanted.run, &found.run)),
        ("before", lists(&wanted.before, &found.before)),
        ("after", lists(&wanted.after, &found.after)),
        ("undo", lists(&wanted.undo, &found.undo)),
        ("destroys", lists(&wanted.destroys, &found.destroys)),
        ("expected_seconds", texts(&seconds(wanted), &seconds(found))),
    ]
    .into_iter()
    .find_map(|(name, pair)| Some((name, pair?)))?;
    Some((name, wanted, found))
}
