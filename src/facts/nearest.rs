//! Names near an unknown one.

use super::name::join_name;
use super::options::{OptionIndex, flag};
use crate::source;

/// How many names are suggested at most.
const MOST: usize = 3;

/// When more options than this end in the same words, none of them is the one that was meant.
const AMBIGUOUS: usize = 12;

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

    /// Finds options elsewhere that end in the same segment and share most of the others.
    fn elsewhere(self, loc: &[&str], names: &mut Vec<Vec<String>>) {
        let Some((last, above)) = loc.split_last() else { return };
        let mut found: Vec<(usize, usize, Vec<String>)> = Vec::new();
        self.each(&mut |name, option| {
            let Some((end, front)) = name.split_last() else { return };
            if option.hidden() || option.internal() || !end.eq_ignore_ascii_case(last) {
                return;
            }
            // `enable` ends a thousand names: the segment before it has to be the same too, or all but one of the others.
            let same = |(a, b): &(&&str, &&str)| a.eq_ignore_ascii_case(b);
            let run = front.iter().rev().zip(above.iter().rev()).take_while(same).count();
            let shared =
                front.iter().filter(|segment| above.iter().any(|own| own.eq_ignore_ascii_case(segment))).count();
            if run > 0 || (shared > 0 && shared == above.len() && shared + 1 == front.len()) {
                let name = name.iter().map(|segment| (*segment).to_owned()).collect();
                found.push((front.len() + above.len() - 2 * shared, front.len(), name));
            }
        });
        if found.len() > AMBIGUOUS {
            return;
        }
        found.sort();
        for (_, _, name) in found.into_iter().take(MOST) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
}
