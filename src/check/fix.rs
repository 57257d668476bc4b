//! `check --fix`: old and misspelt names of options, where there is one certain answer.
//!
//! Here belong: what a finding would have changed, and the change of a text. Not here: reading and writing files (`cli`).
//!
//! Invariant: only the key changes, every other byte of the file stays; a text that would no longer be read, or in which the new name
//! is taken, stays as it is.

use crate::source::Place;

/// Another name for what stands at a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// The key of the name's last segment.
    pub place: Place,
    /// The option's name as it is written, from the first segment on.
    pub from: Vec<String>,
    /// The name to write.
    pub to: Vec<String>,
}

impl Rename {
    /// Returns the text with the name changed; `key` is where in the text the last segment stands. None where the name cannot be
    /// changed in its place: it is spread over a table's head and its keys, and the new name does not lie in that table.
    pub fn apply(&self, text: &str, key: std::ops::Range<usize>) -> Option<String> {
        let before = text.get(..key.start)?;
        // Keys of one statement stand on one line, behind its begin, a table's bracket or what opens an inline table.
        let line = before.rfind('\n').map_or(0, |at| at + 1);
        let begin = before.get(line..)?.rfind(['[', '{', ',']).map_or(line, |at| line + at + 1);
        let written = text.get(begin..key.end)?;
        let start = begin + (written.len() - written.trim_start().len());
        let keys: Vec<String> =
            toml_edit::Key::parse(text.get(start..key.end)?).ok()?.iter().map(|key| key.get().to_owned()).collect();
        let (front, target) = match keys.split_first() {
            // A table's head says the whole route.
            Some((first, rest)) if first == "nixos" && rest == self.from => (vec![first.clone()], self.to.as_slice()),
            _ => {
                let table = self.from.strip_suffix(keys.as_slice())?;
                (Vec::new(), self.to.strip_prefix(table)?)
            }
        };
        if target.is_empty() {
            return None;
        }
        let names = front.iter().chain(target);
        let new: Vec<String> =
            names.map(|name| toml_edit::Key::new(name.as_str()).display_repr().into_owned()).collect();
        let mut out = text.get(..start)?.to_owned();
        out.push_str(&new.join("."));
        out.push_str(text.get(key.end..)?);
        // A name that is taken, or a table that cannot be extended, makes the text unreadable.
        out.parse::<toml_edit::DocumentMut>().is_ok().then_some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    fn renamed(text: &str, key: &str, from: &str, to: &str) -> Option<String> {
        let mut sources = Sources::default();
        let file = sources.add("a.toml", text);
        let at = text.find(key).unwrap();
        let names = |name: &str| name.split('.').map(str::to_owned).collect();
        let rename = Rename { place: sources.start(file), from: names(from), to: names(to) };
        rename.apply(text, at..at + key.len())
    }

    #[test]
    fn a_name_changes_where_it_stands_and_nothing_else_does() {
        for (text, expected) in [
            ("[nixos]\na.old.x = 1 # kept\n", Some("[nixos]\na.new.y.x = 1 # kept\n")),
            ("[nixos]\r\n a . old = 1\r\n", Some("[nixos]\r\n a.new.y = 1\r\n")),
            ("[nixos.a]\nb = 1\nold = 2\n", Some("[nixos.a]\nb = 1\nnew.y = 2\n")),
            ("[nixos.a.old]\nx = 1\n", Some("[nixos.a.new.y]\nx = 1\n")),
            ("nixos = { a = { c = 1, old = 2 } }", Some("nixos = { a = { c = 1, new.y = 2 } }")),
            ("[nixos]\na.old = 1\na.new.y = 2\n", None),
            ("[nixos]\na.old = 1\na.new = 2\n", None),
            ("[services.it.options.a]\nold = 1\n", Some("[services.it.options.a]\nnew.y = 1\n")),
        ] {
            assert_eq!(renamed(text, "old", "a.old", "a.new.y").as_deref(), expected, "{text}");
        }
        assert_eq!(renamed("[nixos.a]\nold = 1\n", "old", "a.old", "b.new"), None, "another table");
        assert_eq!(
            renamed("[nixos]\na.old = 1\n", "old", "a.old", "b.x y").as_deref(),
            Some("[nixos]\nb.\"x y\" = 1\n")
        );
    }
}
