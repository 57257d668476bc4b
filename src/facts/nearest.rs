//! Names near an unknown one.

use super::name::join_name;
use super::options::{OptionIndex, flag};
use crate::source;

/// How many names are suggested at most.
const MOST: usize = 3;

/// When more options than this end in the same words, none of them is the one that was meant.
const AMBIGUOUS: usize = 12;

/// How many segments a name may lack or have too many, to be one with a wrong parent.
const DEEPER: usize = 3;

/// Tells whether a name's segments all stand in another, in their order.
fn is_part(part: &[&str], whole: &[&str]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|segment| rest.any(|other| other.eq_ignore_ascii_case(segment)))
}

impl OptionIndex<'_> {
    /// Returns up to three names of declared options near an unknown one, nearest first: first what is spelt alike beside
    /// the unknown segment, then options that end in the same words elsewhere.
    pub fn nearest(self, loc: &[&str]) -> Vec<String> {
        let mut names: Vec<Vec<String>> = Vec::new();
        self.alike(0, &mut Vec::new(), loc, &mut names);
        if names.len() < MOST {
            self.elsewhere(loc, &mut names);
        }
        names.truncate(MOST);
        names.iter().map(|name| join_name(name)).collect()
    }

    /// Walks along `loc`, taking a near child where there is no equal one.
    fn alike(self, node: u32, above: &mut Vec<String>, loc: &[&str], names: &mut Vec<Vec<String>>) {
        let Some((segment, rest)) = loc.split_first() else {
            let visible =
                self.flags(node) & flag::OPTION != 0 && self.flags(node) & (flag::HIDDEN | flag::INTERNAL) == 0;
            if visible && !names.contains(above) {
                names.push(above.clone());
            }
            return;
        };
        if names.len() >= MOST {
            return;
        }
        let mut enter = |child: u32, name: &str| {
            above.push(name.to_owned());
            self.alike(child, above, rest, names);
            above.pop();
        };
        let mut literal = Vec::new();
        let mut instance = None;
        for child in self.children(node) {
            match self.segment(child) {
                Some(_) if self.flags(child) & flag::PLACEHOLDER != 0 => instance = instance.or(Some(child)),
                Some(name) if name == *segment => return enter(child, name),
                Some(name) => literal.push((child, name)),
                None => {}
            }
        }
        let word = segment.to_lowercase();
        // An edit distance is dear: only names of similar length or with the same beginning are measured.
        let start = word.get(..2).unwrap_or(&word);
        let similar = literal.iter().map(|(_, name)| *name).filter(|name| {
            name.len().abs_diff(word.len()) <= 2
                || name.get(..start.len()).is_some_and(|s| s.eq_ignore_ascii_case(start))
        });
        let mut near = source::nearest(segment, similar);
        if let Some((_, same)) = literal.iter().find(|(_, name)| name.eq_ignore_ascii_case(segment)) {
            near.retain(|name| name != same);
            near.insert(0, same);
        }
        for name in near {
            for (child, _) in literal.iter().filter(|(_, other)| *other == name) {
                enter(*child, name);
            }
        }
        if let Some(child) = instance {
            enter(child, segment);
        }
    }

    /// Finds options elsewhere that end in the same segments, or lie one segment deeper below the same ones.
    fn elsewhere(self, loc: &[&str], names: &mut Vec<Vec<String>>) {
        let Some((last, above)) = loc.split_last() else { return };
        let same = |a: Option<&str>, b: &str| a.is_some_and(|a| a.eq_ignore_ascii_case(b));
        let mut found: Vec<(usize, Vec<&str>)> = Vec::new();
        for node in self.ends_in(last) {
            let Some(parent) = self.parent(node) else { continue };
            // `enable` ends a thousand names: the segment before it has to be the same too, or the rest of one name be
            // part of the other's.
            let beside = above.last().is_some_and(|before| same(self.segment(parent), before));
            let mut front: Vec<&str> = self.path(parent);
            let deeper = !above.is_empty() && front.len() <= above.len() + DEEPER && is_part(above, &front);
            let shallower = front.len() > 1 && above.len() <= front.len() + DEEPER && is_part(&front, above);
            if beside || deeper || shallower {
                let shared = front.iter().filter(|segment| above.iter().any(|own| own.eq_ignore_ascii_case(segment)));
                let distance = front.len() + above.len() - 2 * shared.count().min(above.len());
                front.extend(self.segment(node));
                found.push((distance, front));
            }
        }
        if found.len() > AMBIGUOUS {
            return;
        }
        found.sort();
        for (_, name) in found {
            let name: Vec<String> = name.into_iter().map(str::to_owned).collect();
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
}
