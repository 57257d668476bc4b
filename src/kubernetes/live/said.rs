//! What kubectl says beside its answer: errors, and warnings that are none.

use crate::source::printable;

/// What stood on standard error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Why the command failed, in its own words; empty where it said nothing.
    pub error: String,
    /// Warnings of the server.
    pub warnings: Vec<String>,
}

impl Said {
    /// Reads standard error. Lines of the client's own log count where there is nothing else.
    pub fn of(text: &str) -> Self {
        let (mut said, mut logged) = (Self::default(), "");
        let mut errors: Vec<&str> = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(warning) = line.strip_prefix("Warning: ").or_else(|| line.strip_prefix("WARNING: ")) {
                let warning = printable(warning);
                if !said.warnings.contains(&warning) {
                    said.warnings.push(warning);
                }
            } else if is_log(line) {
                logged = line.split_once("] ").map_or(line, |(_, rest)| rest);
            } else {
                errors.push(line);
            }
        }
        let error = errors.first().copied().unwrap_or(logged);
        let error = error.strip_prefix("error: ").unwrap_or(error);
        said.error = printable(error.strip_prefix("Error from server ").unwrap_or(error));
        said
    }

    /// Tells whether this user may not do it.
    pub fn is_forbidden(&self) -> bool {
        self.error.starts_with("(Forbidden)")
    }

    /// Tells whether a list in chunks outlived the state that it was of.
    pub fn is_expired(&self) -> bool {
        self.error.starts_with("(Expired)") || self.error.contains("continue parameter is too old")
    }

    /// Returns why something was not read.
    pub fn reason(&self) -> String {
        match self.error.split_once(": ").filter(|_| self.is_forbidden()) {
            Some((_, rest)) => format!("forbidden: {rest}"),
            None if self.error.is_empty() => "kubectl failed without a word".to_owned(),
            None => self.error.clone(),
        }
    }
}

/// Tells whether a line is one of the client's log: `E1122 08:00:00.000000   12 memcache.go:265] …`.
fn is_log(line: &str) -> bool {
    let mut letters = line.chars();
    letters.next().is_some_and(|letter| "EWIF".contains(letter))
        && letters.by_ref().take(4).filter(char::is_ascii_digit).count() == 4
        && letters.next() == Some(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_and_logs_do_not_hide_what_went_wrong() {
        let said = Said::of(
            "Warning: v1 ComponentStatus is deprecated\nE1122 08:00:00.000000   12 memcache.go:265] x\nWarning: v1 ComponentStatus is deprecated\n\
             Error from server (Forbidden): secrets is forbidden: User \"a\" cannot list resource \"secrets\"\n",
        );
        assert!(said.is_forbidden());
        assert_eq!(said.reason(), "forbidden: secrets is forbidden: User \"a\" cannot list resource \"secrets\"");
        assert_eq!(said.warnings, ["v1 ComponentStatus is deprecated"]);
    }

    #[test]
    fn a_log_counts_where_there_is_nothing_else() {
        let said = Said::of("E1122 08:00:00.000000   12 memcache.go:265] \"Unhandled Error\" err=refused\n");
        assert_eq!(said.reason(), "\"Unhandled Error\" err=refused");
        assert_eq!(Said::of("").reason(), "kubectl failed without a word");
        assert!(Said::of("Error from server (Expired): The provided continue parameter is too old").is_expired());
    }
}
