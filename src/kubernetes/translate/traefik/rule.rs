//! The rules of Traefik's routes, a small language: what of it names hosts and paths is read, everything else is a question.

use crate::kubernetes::reach::{no_public_name, path_below};

/// Returns the names and paths that a rule is about: ``Host(`a`) && PathPrefix(`/b`)`` with `||` and parentheses.
///
/// An error is a question: the rule looks at something else than names and paths.
pub(super) fn places(rule: &str) -> Result<Vec<(String, String)>, String> {
    let mut parser = Rule { rest: rule.trim() };
    let all = parser.either(0)?;
    if !parser.rest.is_empty() {
        return Err(unreadable());
    }
    let mut found = Vec::new();
    for (name, path) in all {
        let Some(name) = name else {
            return Err(
                "it answers at every name that leads to the cluster: which name should it have here?".to_owned()
            );
        };
        if let Some(question) = no_public_name(&name) {
            return Err(question);
        }
        let path = path.unwrap_or_else(|| "/".to_owned());
        let Some(path) = path_below(&path) else {
            return Err(
                "this path is a pattern, and a virtual host knows paths: below which path should it answer?".to_owned()
            );
        };
        if !found.contains(&(name.clone(), path.clone())) {
            found.push((name, path));
        }
    }
    Ok(found)
}

/// Returns the question about a rule that is about more.
fn unreadable() -> String {
    "this rule is about more than names and paths, which is all that a virtual host can tell apart: which name and path should lead there?"
        .to_owned()
}

/// A name and a path, each where the rule is about one.
type Place = (Option<String>, Option<String>);

/// A rule that is being read.
struct Rule<'a> {
    rest: &'a str,
}

impl Rule<'_> {
    /// How deep parentheses may be, and how many places a rule may be about.
    const DEPTH: usize = 16;
    const PLACES: usize = 256;

    fn either(&mut self, depth: usize) -> Result<Vec<Place>, String> {
        let mut all = self.both(depth)?;
        while self.eat("||") {
            all.extend(self.both(depth)?);
        }
        if all.len() > Self::PLACES { Err(unreadable()) } else { Ok(all) }
    }

    fn both(&mut self, depth: usize) -> Result<Vec<Place>, String> {
        let mut all = self.one(depth)?;
        while self.eat("&&") {
            let other = self.one(depth)?;
            let mut joined = Vec::new();
            for (name, path) in &all {
                for (more_name, more_path) in &other {
                    if name.is_some() && more_name.is_some() || path.is_some() && more_path.is_some() {
                        return Err(unreadable());
                    }
                    joined
                        .push((name.clone().or_else(|| more_name.clone()), path.clone().or_else(|| more_path.clone())));
                }
            }
            all = joined;
            if all.len() > Self::PLACES {
                return Err(unreadable());
            }
        }
        Ok(all)
    }

    fn one(&mut self, depth: usize) -> Result<Vec<Place>, String> {
        if depth > Self::DEPTH {
            return Err(unreadable());
        }
        if self.eat("(") {
            let inner = self.either(depth + 1)?;
            return if self.eat(")") { Ok(inner) } else { Err(unreadable()) };
        }
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).ok_or_else(unreadable)?;
        self.rest = rest;
        let is_name = match word {
            "Host" | "HostHeader" | "HostSNI" => true,
            "PathPrefix" | "Path" => false,
            _ => return Err(unreadable()),
        };
        if !self.eat("(") {
            return Err(unreadable());
        }
        let mut all = Vec::new();
        loop {
            let text = self.text().ok_or_else(unreadable)?;
            all.push(if is_name { (Some(text), None) } else { (None, Some(text)) });
            if self.eat(")") {
                return Ok(all);
            }
            if !self.eat(",") {
                return Err(unreadable());
            }
        }
    }

    /// Reads a string in one of the three quotes.
    fn text(&mut self) -> Option<String> {
        self.rest = self.rest.trim_start();
        let quote = self.rest.chars().next().filter(|c| "`\"'".contains(*c))?;
        let (text, rest) = self.rest.get(1..)?.split_once(quote)?;
        self.rest = rest.trim_start();
        Some(text.to_owned())
    }

    fn eat(&mut self, word: &str) -> bool {
        let rest = self.rest.trim_start();
        match rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::places;

    #[test]
    fn rules_of_names_and_paths_are_read_and_others_are_questions() {
        let read = |rule: &str| {
            places(rule)
                .map(|all| all.into_iter().map(|(name, path)| format!("{name}{path}")).collect::<Vec<_>>().join(" "))
        };
        for (rule, meaning) in [
            ("Host(`a.example.org`)", "a.example.org/"),
            ("Host(\"a.example.org\")", "a.example.org/"),
            ("Host(`a.example.org`, `b.example.org`)", "a.example.org/ b.example.org/"),
            ("Host(`a.example.org`) && PathPrefix(`/b`)", "a.example.org/b"),
            (
                "(Host(`a.example.org`)||Host(`b.example.org`)) && PathPrefix(`/c/`, `/d`)",
                "a.example.org/c a.example.org/d b.example.org/c b.example.org/d",
            ),
            ("Host(`a.example.org`) || Host(`a.example.org`)", "a.example.org/"),
        ] {
            assert_eq!(read(rule).as_deref(), Ok(meaning), "{rule}");
        }
        for rule in [
            "",
            "Host()",
            "Host(`a`",
            "Host(`a`) &&",
            "Host(`a`) Host(`b`)",
            "HostRegexp(`.+`)",
            "!Host(`a`)",
            "PathPrefix(`/a`)",
            "Host(`a.example.org`) && Headers(`X`, `y`)",
            "Host(`a`) && Host(`b`)",
            "Host(`${DOMAIN}`)",
            "Host(`a.example.org`) && Method(`GET`)",
        ] {
            assert!(places(rule).is_err(), "{rule}");
        }
        assert!(places(&"(".repeat(10_000)).is_err());
        let wide = vec!["(Host(`a.example.org`)||Host(`b.example.org`))"; 40].join("||");
        assert_eq!(read(&wide).as_deref(), Ok("a.example.org/ b.example.org/"));
    }
}
