//! POSIX extended regular expressions, as `types.strMatching` uses them: does the whole string match?
//!
//! Nix matches with the C++ library's `extended` grammar over bytes in the C locale. Here is the part of it that option
//! types use: literals, `.`, bracket expressions with classes and ranges, groups, alternation, `*`, `+`, `?`, `{m,n}`,
//! anchors and escaped punctuation. Anything else, and any string that is not ASCII, has no verdict.
//!
//! The matcher keeps the set of all positions it may be at, so its time is bounded by pattern and string alone.

use std::collections::BTreeSet;

/// The longest string and pattern that are matched, in bytes; longer ones have no verdict.
const LONGEST: usize = 2000;

/// The largest repetition count that is understood, as in POSIX's `RE_DUP_MAX`.
const MOST: u32 = 255;

/// The deepest nesting of groups that is understood.
const DEEPEST: usize = 40;

/// Tells whether a pattern matches a whole string; none where that cannot be told.
pub(super) fn matches(pattern: &str, text: &str) -> Option<bool> {
    if !text.is_ascii() || text.len() > LONGEST || pattern.len() > LONGEST {
        return None;
    }
    let mut parser = Parser { rest: pattern.as_bytes(), depth: 0 };
    let tree = parser.alternatives()?;
    if !parser.rest.is_empty() {
        return None;
    }
    let text = text.as_bytes();
    Some(tree.ends(text, &BTreeSet::from([0])).contains(&text.len()))
}

#[derive(Debug)]
enum Tree {
    /// One byte out of a set.
    One(Box<[bool; 256]>),
    Start,
    End,
    Sequence(Vec<Tree>),
    Either(Vec<Tree>),
    Repeat {
        of: Box<Tree>,
        min: u32,
        max: Option<u32>,
    },
}

impl Tree {
    /// Returns where a match may end that begins at one of these positions.
    fn ends(&self, text: &[u8], starts: &BTreeSet<usize>) -> BTreeSet<usize> {
        match self {
            Self::One(set) => {
                let fits =
                    |at: &&usize| text.get(**at).and_then(|byte| set.get(usize::from(*byte))).copied().unwrap_or(false);
                starts.iter().filter(fits).map(|at| at + 1).collect()
            }
            Self::Start => starts.iter().filter(|at| **at == 0).copied().collect(),
            Self::End => starts.iter().filter(|at| **at == text.len()).copied().collect(),
            Self::Sequence(parts) => parts.iter().fold(starts.clone(), |at, part| part.ends(text, &at)),
            Self::Either(parts) => parts.iter().flat_map(|part| part.ends(text, starts)).collect(),
            Self::Repeat { of, min, max } => {
                let mut at = starts.clone();
                for _ in 0..*min {
                    at = of.ends(text, &at);
                }
                let mut reached = at.clone();
                let mut rounds = *min;
                while !at.is_empty() && max.is_none_or(|max| rounds < max) {
                    at = of.ends(text, &at).difference(&reached).copied().collect();
                    reached.extend(&at);
                    rounds += 1;
                }
                reached
            }
        }
    }
}

struct Parser<'a> {
    rest: &'a [u8],
    depth: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.rest.first() == Some(&byte);
        if found {
            self.next();
        }
        found
    }

    fn alternatives(&mut self) -> Option<Tree> {
        let mut parts = vec![self.sequence()?];
        while self.eat(b'|') {
            parts.push(self.sequence()?);
        }
        Some(Tree::Either(parts))
    }

    fn sequence(&mut self) -> Option<Tree> {
        let mut parts = Vec::new();
        while !matches!(self.rest.first(), None | Some(b'|' | b')')) {
            let atom = self.atom()?;
            parts.push(self.repeated(atom)?);
        }
        Some(Tree::Sequence(parts))
    }

    fn repeated(&mut self, mut atom: Tree) -> Option<Tree> {
        loop {
            let (min, max) = match self.rest.first() {
                Some(b'*') => (0, None),
                Some(b'+') => (1, None),
                Some(b'?') => (0, Some(1)),
                Some(b'{') => {
                    self.next();
                    let min = self.number()?;
                    let max = if self.eat(b',') { self.number() } else { Some(min) };
                    if self.rest.first() != Some(&b'}') {
                        return None;
                    }
                    (min, max)
                }
                _ => return Some(atom),
            };
            self.next();
            // A repeated anchor means something else to every implementation.
            if matches!(atom, Tree::Start | Tree::End) || max.is_some_and(|max| max < min) {
                return None;
            }
            atom = Tree::Repeat { of: Box::new(atom), min, max };
        }
    }

    fn number(&mut self) -> Option<u32> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.rest.split_at_checked(digits)?;
        let number = std::str::from_utf8(number).ok()?.parse().ok()?;
        self.rest = rest;
        (number <= MOST).then_some(number)
    }

    fn atom(&mut self) -> Option<Tree> {
        match self.next()? {
            b'(' => {
                self.depth += 1;
                if self.depth > DEEPEST {
                    return None;
                }
                let inner = self.alternatives()?;
                self.depth -= 1;
                self.eat(b')').then_some(inner)
            }
            b'[' => self.bracket(),
            b'.' => Some(one(|_| true)),
            b'^' => Some(Tree::Start),
            b'$' => Some(Tree::End),
            b'\\' => self.next().filter(u8::is_ascii_punctuation).map(|byte| one(|other| other == byte)),
            b'*' | b'+' | b'?' | b'{' => None,
            byte => Some(one(|other| other == byte)),
        }
    }

    /// Reads a bracket expression behind its `[`; a backslash in it is a plain character, as POSIX has it.
    fn bracket(&mut self) -> Option<Tree> {
        let negated = self.eat(b'^');
        let mut set = [false; 256];
        let mut first = true;
        loop {
            let low = match self.next()? {
                b']' if !first => break,
                b'[' if self.rest.first() == Some(&b':') => {
                    let class = self.class()?;
                    add(&mut set, |byte| class(&byte));
                    first = false;
                    continue;
                }
                b'[' if matches!(self.rest.first(), Some(b'.' | b'=')) => return None,
                byte => byte,
            };
            first = false;
            if let [b'-', high, ..] = self.rest
                && *high != b']'
            {
                let high = *high;
                if high == b'[' || high < low {
                    return None;
                }
                add(&mut set, |byte| (low..=high).contains(&byte));
                self.next();
                self.next();
            } else {
                add(&mut set, |byte| byte == low);
            }
        }
        Some(if negated {
            one(|byte| !set.get(usize::from(byte)).copied().unwrap_or(false))
        } else {
            Tree::One(Box::new(set))
        })
    }

    fn class(&mut self) -> Option<fn(&u8) -> bool> {
        let end = self.rest.windows(2).position(|pair| pair == b":]")?;
        let (name, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.get(2..)?;
        Some(match name {
            b":alnum" => u8::is_ascii_alphanumeric,
            b":alpha" => u8::is_ascii_alphabetic,
            b":blank" => |byte| matches!(byte, b' ' | b'\t'),
            b":cntrl" => u8::is_ascii_control,
            b":digit" => u8::is_ascii_digit,
            b":graph" => u8::is_ascii_graphic,
            b":lower" => u8::is_ascii_lowercase,
            b":print" => |byte| matches!(byte, b' '..=b'~'),
            b":punct" => u8::is_ascii_punctuation,
            b":space" => |byte| matches!(byte, b' ' | b'\t'..=b'\r'),
            b":upper" => u8::is_ascii_uppercase,
            b":xdigit" => u8::is_ascii_hexdigit,
            _ => return None,
        })
    }
}

fn one(fits: impl Fn(u8) -> bool) -> Tree {
    let mut set = [false; 256];
    add(&mut set, fits);
    Tree::One(Box::new(set))
}

fn add(set: &mut [bool; 256], fits: impl Fn(u8) -> bool) {
    for (byte, member) in (0..=u8::MAX).zip(set) {
        *member |= fits(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_of_option_types_match_as_nix_does() {
        let unit = "[a-zA-Z0-9@%:_.\\-]+[.](service|socket|device|mount|automount|swap|target|path|timer|scope|slice)";
        for (pattern, text, wanted) in [
            (unit, "network-online.target", Some(true)),
            (unit, "network-online", Some(false)),
            (unit, "a b.service", Some(false)),
            ("([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}", "a8:a1:59:0f:2d:69", Some(true)),
            ("([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}", "a8:a1:59:0f:2d", Some(false)),
            ("^$|^[[:alnum:]]([[:alnum:]_-]{0,61}[[:alnum:]])?$", "", Some(true)),
            ("^$|^[[:alnum:]]([[:alnum:]_-]{0,61}[[:alnum:]])?$", "host-1", Some(true)),
            ("^$|^[[:alnum:]]([[:alnum:]_-]{0,61}[[:alnum:]])?$", "-host", Some(false)),
            ("[^\r\n]*", "one line", Some(true)),
            ("[^\r\n]*", "two\nlines", Some(false)),
            ("[0-9]+(K|M|G)iB", "12GiB", Some(true)),
            ("^\\$CREDENTIALS_DIRECTORY/.+", "$CREDENTIALS_DIRECTORY/x", Some(true)),
            ("[A-Za-z0-9+-_]+", "a/b:c", Some(true)),
            ("[a-zA-Z0-9:_\\.-]*", "a\\b", Some(true)),
            (
                "(([ugoa]*([-+=]([rwxXst]*|[ugo]))+|[-+=][0-7]+)(,[ugoa]*([-+=]([rwxXst]*|[ugo]))+|[-+=][0-7]+)*)|([-+=]?[0-7]{0,4})",
                "u=rw,g+r",
                Some(true),
            ),
            ("[^:]+", "é", None),
            ("(a*)*b", &"a".repeat(1999), Some(false)),
            ("a{1000}", "a", None),
            ("(?:a)", "a", None),
            ("\\w+", "a", None),
            ("[z-a]", "a", None),
            ("(a", "a", None),
            ("a)", "a", None),
            ("[]a]+", "]a", Some(true)),
        ] {
            assert_eq!(matches(pattern, text), wanted, "{pattern} on {text:?}");
        }
    }
}
