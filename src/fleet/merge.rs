//! Definitions merge as NixOS modules do (`lib/modules.nix`).
//!
//! Of several definitions of one value those with the strongest priority count (`mkForce` 50, plain 100, `mkDefault` 1000); of
//! those, tables merge key by key, lists are joined in their order (`mkBefore` 500, plain 1000, `mkAfter` 1500), equal scalars
//! are one, and different scalars are a conflict that shows both places. A priority on a table of fixed keys belongs to
//! each of its keys (as NixOS pushes properties down); on a table of free names it decides about the table as a whole.

use super::shape::Shape;
use crate::source::secret::masked;
use crate::source::{Diagnostic, Diagnostics, Entry, Item, Kind, NORMAL, Node, ORDER, Place, Table};

/// Priority of `mkDefault` (`lib.mkDefault`).
const DEFAULT: u32 = 1000;
/// Priority of `mkForce` (`lib.mkForce`).
const FORCE: u32 = 50;
/// Order of `mkBefore` (`lib.mkBefore`).
const BEFORE: u32 = 500;
/// Order of `mkAfter` (`lib.mkAfter`).
const AFTER: u32 = 1500;

/// Tells whether the value at a route of keys is a prefix of options (priorities go down into it) and no option.
pub type IsPrefix<'a> = dyn Fn(&[&str]) -> bool + 'a;

/// Merges whole files, in the order in which their lists are joined. Conflicts and wrong wrappers are reported.
///
/// `shape` is the shape of the file; `is_prefix` answers for routes that the shape leaves open (below `nixos`).
pub fn merge(definitions: Vec<Node>, shape: &Shape, is_prefix: &IsPrefix<'_>, found: &mut Diagnostics) -> Merged {
    let mut merger = Merger { is_prefix, found, route: Vec::new(), shadowed: Vec::new() };
    let definitions = definitions.into_iter().map(|node| Definition { priority: NORMAL, order: ORDER, node }).collect();
    let node = merger.merge(definitions, Some(shape));
    Merged { node, shadowed: merger.shadowed }
}

/// What files give together.
#[derive(Debug)]
pub struct Merged {
    /// The merged definitions; none where there are none.
    pub node: Option<Node>,
    /// Those that count for nothing, though nobody wrote them as a default.
    pub shadowed: Vec<Shadowed>,
}

/// A definition that a stronger one with another value overrides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shadowed {
    /// Its keys.
    pub route: Vec<String>,
    /// Where it is written.
    pub place: Place,
    /// Where the one is written that counts.
    pub by: Place,
}

/// One definition of a value, its wrappers taken off.
struct Definition {
    priority: u32,
    order: u32,
    node: Node,
}

struct Merger<'a> {
    is_prefix: &'a IsPrefix<'a>,
    found: &'a mut Diagnostics,
    route: Vec<String>,
    shadowed: Vec<Shadowed>,
}

impl Merger<'_> {
    fn merge(&mut self, definitions: Vec<Definition>, shape: Option<&Shape>) -> Option<Node> {
        let prefix = self.is_table_of_keys(shape);
        let mut plain: Vec<Definition> =
            definitions.into_iter().filter_map(|definition| self.unwrap(definition)).collect();
        if prefix && plain.iter().all(|definition| definition.node.as_table().is_some()) {
            return self.merge_tables(plain, shape, NORMAL);
        }
        let strongest = plain.iter().map(|definition| definition.priority).min()?;
        self.shadow(&plain, strongest);
        plain.retain(|definition| definition.priority == strongest);
        if plain.iter().all(|definition| definition.node.as_table().is_some()) {
            for definition in &mut plain {
                definition.priority = NORMAL;
            }
            return self.merge_tables(plain, shape, strongest);
        }
        if plain.iter().all(|definition| definition.node.as_list().is_some()) {
            return Self::merge_lists(plain, strongest);
        }
        self.merge_scalars(plain, strongest)
    }

    /// Notes what a stronger definition overrides; defaults are there to be.
    fn shadow(&mut self, definitions: &[Definition], strongest: u32) {
        let Some(winner) = definitions.iter().find(|definition| definition.priority == strongest) else { return };
        let is_lost = |definition: &&Definition| definition.priority > strongest && definition.priority <= NORMAL;
        let lost = definitions.iter().filter(is_lost).filter(|lost| !is_same(&lost.node, &winner.node));
        self.shadowed.extend(lost.map(|lost| Shadowed {
            route: self.route.clone(),
            place: lost.node.place,
            by: winner.node.place,
        }));
    }

    /// Tells whether the route at hand is a table of fixed keys, or a prefix of NixOS options.
    fn is_table_of_keys(&self, shape: Option<&Shape>) -> bool {
        match shape {
            Some(Shape::Table(_)) => true,
            Some(Shape::Any) => {
                let route: Vec<&str> = self.route.iter().map(String::as_str).collect();
                (self.is_prefix)(&route)
            }
            _ => false,
        }
    }

    fn merge_tables(&mut self, definitions: Vec<Definition>, shape: Option<&Shape>, priority: u32) -> Option<Node> {
        // The last definition is the host's own: what is missing is missing there.
        let place = definitions.last()?.node.place;
        let mut keys: indexmap::IndexMap<String, (Place, Vec<Definition>)> = indexmap::IndexMap::new();
        for Definition { priority: outer, node, .. } in definitions {
            let Kind::Table(table) = node.kind else { continue };
            for (key, entry) in table {
                let (_, below) = keys.entry(key).or_insert_with(|| (entry.key, Vec::new()));
                below.push(Definition { priority: outer, order: ORDER, node: entry.node });
            }
        }
        let mut merged = Table::with_capacity(keys.len());
        for (key, (place, below)) in keys {
            self.route.push(key);
            let shape = shape.and_then(|shape| shape.at(self.route.last().map_or("", String::as_str)));
            let node = self.merge(below, shape);
            let key = self.route.pop().unwrap_or_default();
            if let Some(node) = node {
                merged.insert(key, Entry { key: place, node });
            }
        }
        Some(Node { kind: Kind::Table(merged), place, priority })
    }

    fn merge_lists(definitions: Vec<Definition>, priority: u32) -> Option<Node> {
        let place = definitions.last()?.node.place;
        let mut items = Vec::new();
        for Definition { order, node, .. } in definitions {
            let Kind::List(list) = node.kind else { continue };
            items.extend(list.into_iter().map(|item| Item { order, ..item }));
        }
        items.sort_by_key(|item| item.order);
        Some(Node { kind: Kind::List(items), place, priority })
    }

    fn merge_scalars(&mut self, definitions: Vec<Definition>, priority: u32) -> Option<Node> {
        let mut definitions = definitions.into_iter();
        let first = definitions.next()?.node;
        for Definition { node, .. } in definitions {
            if node.kind == first.kind {
                continue;
            }
            let message = format!("`{}` has two different values of equal priority", self.route.join("."));
            self.found.push(
                Diagnostic::error("option-conflict", node.place, message)
                    .label(shown(&node))
                    .related(first.place, shown(&first))
                    .why("neither definition is stronger, and they do not merge")
                    .help("write the one that should win as `{ mkForce = … }`")
                    .help("write the other as `{ mkDefault = … }`")
                    .help("remove one"),
            );
        }
        // The first one stays, so that a conflict does not look like a missing key further on.
        Some(Node { priority, ..first })
    }

    /// Takes NixOS's wrappers off a definition; the outermost of each kind counts.
    fn unwrap(&mut self, mut definition: Definition) -> Option<Definition> {
        let (mut prioritised, mut ordered) = (false, false);
        loop {
            let Kind::Table(table) = &definition.node.kind else { return Some(self.finish(definition)) };
            let mut keys = table.iter();
            let (Some((key, entry)), None) = (keys.next(), keys.next()) else { return Some(self.finish(definition)) };
            // Copied in the arms that need it: most tables of one key are no wrappers.
            let inner = || entry.node.clone();
            match key.as_str() {
                "mkDefault" | "mkForce" | "mkOverride" => {
                    let (priority, value) = match key.as_str() {
                        "mkDefault" => (DEFAULT, inner()),
                        "mkForce" => (FORCE, inner()),
                        _ => self.override_of(&entry.node)?,
                    };
                    if !prioritised {
                        definition.priority = priority;
                    }
                    prioritised = true;
                    definition.node = value;
                }
                "mkBefore" | "mkAfter" => {
                    if entry.node.as_list().is_none() {
                        return self.wrong(&entry.node, &format!("`{key}` holds a list: `{{ {key} = [ … ] }}`"));
                    }
                    if !ordered {
                        definition.order = if key == "mkBefore" { BEFORE } else { AFTER };
                    }
                    ordered = true;
                    definition.node = inner();
                }
                "literalExpression" => {
                    let Some(text) = entry.node.as_str() else {
                        return self.wrong(&entry.node, "`literalExpression` holds Nix as a string");
                    };
                    if !self.may_be_nix() {
                        return self.wrong(
                            &entry.node,
                            "Nix expressions can stand below `nixos` and `services.*.options` only",
                        );
                    }
                    definition.node = Node::new(Kind::Nix(text.to_owned()), entry.node.place);
                    return Some(definition);
                }
                _ => return Some(self.finish(definition)),
            }
        }
    }

    /// Takes the wrappers off the elements of a list, where only `literalExpression` has a meaning.
    fn finish(&mut self, mut definition: Definition) -> Definition {
        if let Kind::List(items) = &mut definition.node.kind {
            for item in items {
                let plain = Node::new(Kind::Bool(false), item.node.place);
                let node = std::mem::replace(&mut item.node, plain);
                let whole = node.clone();
                // A lone element goes the way of a lone definition, so tables inside lists lose their wrappers too.
                item.node =
                    self.merge(vec![Definition { priority: NORMAL, order: ORDER, node }], None).unwrap_or(whole);
            }
        }
        definition
    }

    fn override_of(&mut self, node: &Node) -> Option<(u32, Node)> {
        let wanted = "`mkOverride` holds a priority and a value: `{ mkOverride = { priority = 60, value = … } }`";
        let priority = match node.at(&["priority"]).map(|priority| &priority.kind) {
            Some(Kind::Int(priority)) => u32::try_from(*priority).ok(),
            _ => None,
        };
        match (priority, node.at(&["value"]), node.as_table().map(indexmap::IndexMap::len)) {
            (Some(priority), Some(value), Some(2)) => Some((priority, value.clone())),
            _ => self.wrong(node, wanted),
        }
    }

    fn may_be_nix(&self) -> bool {
        let route: Vec<&str> = self.route.iter().map(String::as_str).collect();
        matches!(route.as_slice(), ["nixos", _, ..] | ["services", _, "options", ..])
    }

    fn wrong<T>(&mut self, node: &Node, wanted: &str) -> Option<T> {
        let message = format!("`{}` is {}, which cannot stand here", self.route.join("."), node.describe());
        self.found.push(Diagnostic::error("value-invalid", node.place, message).help(wanted));
        None
    }
}

/// Tells whether two values are one, wherever they are written.
fn is_same(one: &Node, other: &Node) -> bool {
    match (&one.kind, &other.kind) {
        (Kind::List(one), Kind::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(&one.node, &other.node))
        }
        (Kind::Table(one), Kind::Table(other)) => {
            let same =
                |(key, entry): (&String, &Entry)| other.get(key).is_some_and(|other| is_same(&entry.node, &other.node));
            one.len() == other.len() && one.iter().all(same)
        }
        (one, other) => one == other,
    }
}

fn shown(node: &Node) -> String {
    match &node.kind {
        Kind::Str(text) => masked(&format!("{text:?}")).into_owned(),
        Kind::Int(value) => value.to_string(),
        Kind::Float(value) => value.to_string(),
        Kind::Bool(value) => value.to_string(),
        Kind::Date(text) | Kind::Nix(text) => masked(text).into_owned(),
        Kind::Null | Kind::List(_) | Kind::Table(_) => node.describe().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fleet::decode::Decode as _;
    use crate::fleet::schema::host::HostFile;
    use crate::source::{Sources, parse_toml};

    fn merged(texts: &[&str]) -> (Option<Node>, Diagnostics) {
        let mut sources = Sources::default();
        let mut found = Vec::new();
        let nodes = texts
            .iter()
            .map(|text| {
                let file = sources.add("a.toml", *text);
                parse_toml(&sources, file, &mut found)
            })
            .collect();
        assert!(found.is_empty(), "{found:?}");
        let merged = merge(nodes, &HostFile::shape(), &|route| route.len() < 3, &mut found);
        (merged.node, found)
    }

    /// Writes a tree without its places, so that two can be compared.
    fn plain(node: &Node) -> String {
        match &node.kind {
            Kind::Table(table) => {
                let mut keys: Vec<_> =
                    table.iter().map(|(key, entry)| format!("{key}={}", plain(&entry.node))).collect();
                keys.sort();
                format!("{{{}}}", keys.join(","))
            }
            Kind::List(items) => {
                format!("[{}]", items.iter().map(|item| plain(&item.node)).collect::<Vec<_>>().join(","))
            }
            _ => shown(node),
        }
    }

    #[test]
    fn tables_merge_lists_join_and_equal_scalars_are_one() {
        let (node, found) = merged(&[
            "channel = \"a\"\nnetwork.nameservers = [\"1.1.1.1\"]\n",
            "channel = \"a\"\nnetwork.nameservers = [\"2.2.2.2\"]\nnetwork.search = [\"x\"]\n",
        ]);
        assert!(found.is_empty());
        assert_eq!(
            plain(&node.unwrap()),
            "{channel=\"a\",network={nameservers=[\"1.1.1.1\",\"2.2.2.2\"],search=[\"x\"]}}"
        );
    }

    #[test]
    fn the_strongest_priority_wins_and_a_tie_is_a_conflict_at_both_places() {
        let (node, found) = merged(&["channel = { mkDefault = \"a\" }", "channel = \"b\""]);
        assert_eq!(plain(&node.unwrap()), "{channel=\"b\"}");
        assert!(found.is_empty());
        let (node, _) = merged(&["channel = { mkForce = \"a\" }", "channel = \"b\""]);
        assert_eq!(plain(&node.unwrap()), "{channel=\"a\"}");
        let (_, found) = merged(&["channel = \"a\"", "channel = \"b\""]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].rule, found[0].related.len()), ("option-conflict", 1));
    }

    #[test]
    fn a_priority_on_fixed_keys_goes_down_and_on_free_names_it_decides_the_whole() {
        let (node, found) =
            merged(&["boot = { mkForce = { loader = \"grub\" } }", "boot = { loader = \"other\", generations = 3 }"]);
        assert_eq!(plain(&node.unwrap()), "{boot={generations=3,loader=\"grub\"}}");
        assert!(found.is_empty());
        let (node, _) = merged(&["disks = { mkForce = { a = { id = \"x\" } } }", "disks.b.id = \"y\""]);
        assert_eq!(plain(&node.unwrap()), "{disks={a={id=\"x\"}}}");
    }

    #[test]
    fn list_orders_are_those_of_mk_before_and_mk_after() {
        let (node, _) = merged(&[
            "boot.kernel-params = { mkAfter = [\"c\"] }",
            "boot.kernel-params = [\"b\"]",
            "boot.kernel-params = { mkBefore = [\"a\"] }",
        ]);
        assert_eq!(plain(&node.unwrap()), "{boot={kernel-params=[\"a\",\"b\",\"c\"]}}");
    }

    #[test]
    fn nix_expressions_stand_below_nixos_and_service_options_only() {
        let (node, found) = merged(&["nixos.a.b = { literalExpression = \"pkgs.vim\" }"]);
        assert_eq!(plain(&node.unwrap()), "{nixos={a={b=pkgs.vim}}}");
        assert!(found.is_empty());
        let (_, found) = merged(&["channel = { literalExpression = \"x\" }"]);
        assert_eq!(found[0].rule, "value-invalid");
    }

    /// Returns definitions of a few options with random priorities, values unequal so that conflicts show.
    fn definition() -> impl Strategy<Value = String> {
        let value = (0..3u8, 0..3usize).prop_map(|(value, wrapper)| match wrapper {
            0 => format!("{{ mkDefault = {value} }}"),
            1 => format!("{value}"),
            _ => format!("{{ mkForce = {value} }}"),
        });
        proptest::collection::btree_map("[ab]", value, 0..3)
            .prop_map(|keys| keys.iter().map(|(key, value)| format!("nixos.x.{key}.v = {value}\n")).collect())
    }

    proptest! {
        #[test]
        fn merging_does_not_depend_on_the_order_of_modules(a in definition(), b in definition(), c in definition()) {
            let all = [a.as_str(), b.as_str(), c.as_str()];
            let (one, conflicts) = merged(&all);
            let (other, other_conflicts) = merged(&[all[2], all[0], all[1]]);
            prop_assert_eq!(conflicts.is_empty(), other_conflicts.is_empty());
            if conflicts.is_empty() {
                prop_assert_eq!(one.map(|node| plain(&node)), other.map(|node| plain(&node)));
            }
        }
    }
}
