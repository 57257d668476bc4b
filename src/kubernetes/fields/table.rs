//! The table of fields: `facts/kubernetes/fields.toml` as a tree of patterns that an object's tree is walked along.
//!
//! Families of patterns are read once and shared by all that mount them: that of a container stands below each pod, that of a pod
//! below each workload. Not here: the walk itself (`super`).
//!
//! Invariant: a step of one family is never changed by another; what adds to it works on a copy.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use toml::de::{DeTable, DeValue};

use crate::kubernetes::ledger::Disposition;

/// The table that the program carries. Its test reads it; a text that cannot be read would leave every field to a person.
pub(super) static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table::read(include_str!("../../../facts/kubernetes/fields.toml")).unwrap_or_default());

/// The number of a [`Line`].
pub(super) type LineId = u32;
/// The number of a [`Step`].
pub(super) type StepId = u32;

/// What becomes of the fields that some patterns match.
#[derive(Debug)]
pub(super) struct Line {
    /// What becomes of them.
    pub(super) disposition: Disposition,
    /// The reason, what replaces them, or the question.
    pub(super) text: String,
    /// What tells its question apart from the others of an object.
    pub(super) key: String,
}

/// A place on the way to a field: what is known of it, and where it goes on.
#[derive(Debug, Default, Clone)]
pub(super) struct Step {
    /// By key, sorted.
    keys: Vec<(String, StepId)>,
    /// By how a key begins, the longest first.
    begins: Vec<(String, StepId)>,
    /// Below every other key.
    any: Option<StepId>,
    /// Below every element of a list.
    pub(super) item: Option<StepId>,
    /// Of a leaf that stands here: the value it has to have, if any, and the line.
    here: Vec<(Option<String>, LineId)>,
    /// Of all here and below that nothing else matches.
    pub(super) below: Option<LineId>,
}

impl Step {
    /// Returns where a key leads.
    pub(super) fn key(&self, key: &str) -> Option<StepId> {
        let found = self.keys.binary_search_by(|(known, _)| known.as_str().cmp(key)).ok();
        if let Some((_, step)) = found.and_then(|index| self.keys.get(index)) {
            return Some(*step);
        }
        self.begins.iter().find(|(start, _)| key.starts_with(start)).map(|(_, step)| *step).or(self.any)
    }

    /// Returns the line of a leaf that stands here.
    pub(super) fn leaf(&self, value: Option<&str>) -> Option<LineId> {
        let fits = |wanted: &Option<String>| wanted.as_deref().is_none_or(|wanted| value == Some(wanted));
        self.here.iter().find(|(wanted, _)| fits(wanted)).map(|(_, line)| *line)
    }

    /// Returns the step that a key of a pattern leads to; one that ends in `*` stands for all keys that begin so.
    fn named(&self, key: &str) -> Option<StepId> {
        let start = key.strip_suffix('*');
        let (steps, key) = if let Some(start) = start { (&self.begins, start) } else { (&self.keys, key) };
        steps.iter().find(|(known, _)| known == key).map(|(_, step)| *step)
    }

    /// Lets a key of a pattern lead to a step.
    fn lead(&mut self, key: &str, step: StepId) {
        let start = key.strip_suffix('*');
        let (steps, key) = if let Some(start) = start { (&mut self.begins, start) } else { (&mut self.keys, key) };
        steps.retain(|(known, _)| known != key);
        steps.push((key.to_owned(), step));
        match start {
            Some(_) => steps.sort_by_key(|(known, _)| std::cmp::Reverse(known.len())),
            None => steps.sort(),
        }
    }

    /// Tells whether it leads nowhere.
    pub(super) fn is_last(&self) -> bool {
        self.keys.is_empty() && self.begins.is_empty() && self.any.is_none() && self.item.is_none()
    }
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Table {
    lines: Vec<Line>,
    steps: Vec<Step>,
    /// By kind: API groups, and where the patterns of its objects begin.
    kinds: BTreeMap<String, Vec<(Vec<String>, StepId)>>,
    /// Where the patterns of objects of other kinds begin.
    unknown: StepId,
}

impl Table {
    /// Returns where the patterns of a kind begin, and whether the kind is known.
    pub(super) fn start(&self, group: &str, kind: &str) -> (StepId, bool) {
        let groups = self.kinds.get(kind).into_iter().flatten();
        let found = groups.into_iter().find(|(groups, _)| groups.iter().any(|known| known == group));
        found.map_or((self.unknown, false), |(_, step)| (*step, true))
    }

    /// Returns a step.
    pub(super) fn step(&self, id: StepId) -> Option<&Step> {
        self.steps.get(id as usize)
    }

    /// Returns a line.
    pub(super) fn line(&self, id: LineId) -> Option<&Line> {
        self.lines.get(id as usize)
    }

    /// Reads a table.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let root = DeTable::parse(text).map_err(|error| error.to_string())?;
        let mut reader = Reader { families: BTreeMap::new(), read: BTreeMap::new(), table: Self::default() };
        for (name, family) in entries(get(root.get_ref(), "families")) {
            reader.families.insert(name.to_owned(), family);
        }
        reader.table.unknown = reader.family("unknown", 0)?;
        for kind in items(get(root.get_ref(), "kinds")) {
            reader.kind(kind)?;
        }
        Ok(reader.table)
    }
}

struct Reader<'t> {
    families: BTreeMap<String, &'t DeTable<'t>>,
    /// Where families begin that were read.
    read: BTreeMap<String, StepId>,
    table: Table,
}

impl<'t> Reader<'t> {
    /// Reads a family, unless it is read, and returns where it begins.
    fn family(&mut self, name: &str, depth: usize) -> Result<StepId, String> {
        if let Some(known) = self.read.get(name) {
            return Ok(*known);
        }
        let family = *self.families.get(name).ok_or(format!("no family `{name}`"))?;
        if depth > 20 {
            return Err(format!("family `{name}` contains itself"));
        }
        let start = self.block(family, None, depth)?;
        self.read.insert(name.to_owned(), start);
        Ok(start)
    }

    /// Reads kinds that share their patterns.
    fn kind(&mut self, kind: &'t DeTable<'t>) -> Result<(), String> {
        let names: Vec<String> = strings(get(kind, "kinds"));
        let groups: Vec<String> = strings(get(kind, "groups"));
        if names.is_empty() || groups.is_empty() {
            return Err("kinds without `kinds` and `groups`".to_owned());
        }
        let whole = said(kind).is_some();
        let object = if whole { None } else { Some(self.family("object", 0)?) };
        let start = self.block(kind, object, 0)?;
        if whole {
            let line = self.line(kind, "kind")?;
            self.change(start, |step| step.below = Some(line));
        }
        for name in names {
            self.table.kinds.entry(name).or_default().push((groups.clone(), start));
        }
        Ok(())
    }

    /// Reads the mounts and lines of a family or kind and returns where they begin.
    fn block(&mut self, block: &'t DeTable<'t>, base: Option<StepId>, depth: usize) -> Result<StepId, String> {
        let mut mounts = Vec::new();
        for (route, family) in pairs(get(block, "mounts")) {
            mounts.push((route.to_owned(), self.family(family, depth + 1)?));
        }
        let own = self.table.steps.len();
        let start = self.new_step(base.and_then(|base| self.table.step(base).cloned()).unwrap_or_default());
        for (route, family) in mounts {
            let at = self.reach(start, &parts(&route)?, own)?;
            let mounted = self.table.step(family).cloned().unwrap_or_default();
            self.change(at, |step| *step = mounted);
        }
        for lines in items(get(block, "lines")) {
            let paths = strings(get(lines, "paths"));
            let first = paths.first().cloned().unwrap_or_default();
            let line = self.line(lines, first.split_once(" = ").map_or(first.as_str(), |(path, _)| path))?;
            for path in paths {
                let (path, value) = match path.split_once(" = ") {
                    Some((path, value)) => (path, Some(value.to_owned())),
                    None => (path.as_str(), None),
                };
                let mut route = parts(path)?;
                let below = route.last().is_some_and(|last| last == "**");
                if below {
                    route.pop();
                }
                let at = self.reach(start, &route, own)?;
                self.change(at, |step| match (below, value) {
                    (true, _) => step.below = Some(line),
                    // What asks for a value comes before what takes any.
                    (false, Some(value)) => step.here.insert(0, (Some(value), line)),
                    // What a kind adds comes before what its families say.
                    (false, None) => {
                        let any = step.here.iter().position(|(value, _)| value.is_none());
                        step.here.insert(any.unwrap_or(step.here.len()), (None, line));
                    }
                });
            }
        }
        Ok(start)
    }

    /// Returns the step at the end of a route, made or copied on the way where it is not of this block.
    fn reach(&mut self, start: StepId, route: &[String], own: usize) -> Result<StepId, String> {
        let mut at = start;
        for part in route {
            let step = self.table.step(at).ok_or("no such step")?;
            let known = match part.as_str() {
                "[]" => step.item,
                "*" => step.any,
                key => step.named(key),
            };
            let next = match known {
                Some(known) if known as usize >= own => known,
                Some(known) => self.new_step(self.table.step(known).cloned().unwrap_or_default()),
                None => self.new_step(Step::default()),
            };
            self.change(at, |step| match part.as_str() {
                "[]" => step.item = Some(next),
                "*" => step.any = Some(next),
                key => step.lead(key, next),
            });
            at = next;
        }
        Ok(at)
    }

    fn line(&mut self, block: &DeTable<'_>, key: &str) -> Result<LineId, String> {
        let (disposition, text) = said(block).ok_or(format!("a line without a disposition, at `{key}`"))?;
        let key = match get(block, "key") {
            Some(DeValue::String(key)) => key.to_string(),
            _ => key.to_owned(),
        };
        self.table.lines.push(Line { disposition, text, key });
        Ok(number(self.table.lines.len()) - 1)
    }

    fn new_step(&mut self, step: Step) -> StepId {
        self.table.steps.push(step);
        number(self.table.steps.len()) - 1
    }

    fn change(&mut self, id: StepId, change: impl FnOnce(&mut Step)) {
        if let Some(step) = self.table.steps.get_mut(id as usize) {
            change(step);
        }
    }
}

fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// Returns the parts of a pattern: keys, `[]` for the elements of a list, `*`, `**`. A key with dots stands in single quotes.
fn parts(path: &str) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("[]") {
            all.push("[]".to_owned());
            rest = after.strip_prefix('.').unwrap_or(after);
            continue;
        }
        let (key, after) = match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').ok_or(format!("an open quote in `{path}`"))?,
            None => {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                rest.split_at(end)
            }
        };
        if key.is_empty() {
            return Err(format!("an empty key in `{path}`"));
        }
        all.push(key.to_owned());
        rest = after.strip_prefix('.').unwrap_or(after);
    }
    Ok(all)
}

fn said(block: &DeTable<'_>) -> Option<(Disposition, String)> {
    let all =
        [("dropped", Disposition::Dropped), ("replaced", Disposition::Replaced), ("needs-you", Disposition::NeedsYou)];
    all.into_iter().find_map(|(key, disposition)| match get(block, key) {
        Some(DeValue::String(text)) => Some((disposition, text.to_string())),
        _ => None,
    })
}

fn get<'t>(table: &'t DeTable<'t>, key: &str) -> Option<&'t DeValue<'t>> {
    table.iter().find(|(known, _)| known.get_ref() == key).map(|(_, value)| value.get_ref())
}

fn entries<'t>(value: Option<&'t DeValue<'t>>) -> Vec<(&'t str, &'t DeTable<'t>)> {
    let Some(DeValue::Table(table)) = value else { return Vec::new() };
    let entry = |value: &'t DeValue<'t>| if let DeValue::Table(table) = value { Some(table) } else { None };
    table.iter().filter_map(|(key, value)| Some((key.get_ref().as_ref(), entry(value.get_ref())?))).collect()
}

fn pairs<'t>(value: Option<&'t DeValue<'t>>) -> Vec<(&'t str, &'t str)> {
    let Some(DeValue::Table(table)) = value else { return Vec::new() };
    let text = |value: &'t DeValue<'t>| if let DeValue::String(text) = value { Some(text.as_ref()) } else { None };
    table.iter().filter_map(|(key, value)| Some((key.get_ref().as_ref(), text(value.get_ref())?))).collect()
}

fn items<'t>(value: Option<&'t DeValue<'t>>) -> Vec<&'t DeTable<'t>> {
    let Some(DeValue::Array(items)) = value else { return Vec::new() };
    items
        .iter()
        .filter_map(|item| if let DeValue::Table(table) = item.get_ref() { Some(table) } else { None })
        .collect()
}

fn strings(value: Option<&DeValue<'_>>) -> Vec<String> {
    let Some(DeValue::Array(items)) = value else { return Vec::new() };
    let text = |value: &DeValue<'_>| if let DeValue::String(text) = value { Some(text.to_string()) } else { None };
    items.iter().filter_map(|item| text(item.get_ref())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_that_the_program_carries_can_be_read() {
        let table = Table::read(include_str!("../../../facts/kubernetes/fields.toml")).unwrap();
        assert!(table.kinds.len() > 100, "{}", table.kinds.len());
        for line in &table.lines {
            assert!(!line.text.ends_with('.') && !line.text.is_empty(), "{}", line.text);
        }
    }

    #[test]
    fn no_kind_of_a_group_stands_in_the_table_twice_and_paths_are_sorted() {
        let table = Table::read(include_str!("../../../facts/kubernetes/fields.toml")).unwrap();
        for (kind, blocks) in &table.kinds {
            let mut groups: Vec<&String> = blocks.iter().flat_map(|(groups, _)| groups).collect();
            let all = groups.len();
            groups.sort();
            groups.dedup();
            assert_eq!(groups.len(), all, "{kind}");
        }
        let text = include_str!("../../../facts/kubernetes/fields.toml");
        let root = DeTable::parse(text).unwrap();
        let blocks = entries(get(root.get_ref(), "families")).into_iter().map(|(_, block)| block);
        for block in blocks.chain(items(get(root.get_ref(), "kinds"))) {
            for lines in items(get(block, "lines")) {
                let paths = strings(get(lines, "paths"));
                let mut sorted = paths.clone();
                sorted.sort();
                assert_eq!(paths, sorted);
            }
        }
    }

    #[test]
    fn a_pattern_is_made_of_keys_elements_and_wildcards() {
        assert_eq!(parts("spec.ports[].port").unwrap(), ["spec", "ports", "[]", "port"]);
        assert_eq!(parts("nodeSelector.'kubernetes.io/arch'").unwrap(), ["nodeSelector", "kubernetes.io/arch"]);
        assert_eq!(parts("args[][].**").unwrap(), ["args", "[]", "[]", "**"]);
        assert!(parts("spec..ports").is_err());
    }

    #[test]
    fn what_a_kind_adds_to_a_family_stays_with_the_kind() {
        let text = r#"
            [families.unknown]
            [families.object]
            [[families.object.lines]]
            dropped = "a name"
            paths = ["metadata.name"]
            [[kinds]]
            kinds = ["A"]
            groups = [""]
            [[kinds.lines]]
            dropped = "more"
            paths = ["metadata.more"]
            [[kinds]]
            kinds = ["B"]
            groups = [""]
        "#;
        let table = Table::read(text).unwrap();
        let more = |kind: &str| {
            let step = table.step(table.start("", kind).0).unwrap().key("metadata").unwrap();
            table.step(step).unwrap().key("more").is_some()
        };
        assert!(more("A"));
        assert!(!more("B"));
    }
}
