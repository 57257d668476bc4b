//! Dotted version numbers, as OpenZFS and Linux use them.

use std::fmt;
use std::str::FromStr;

/// A version of one to four numbers, `2.3` or `2.1.11`. Compared number by number; a missing number counts as 0.
#[derive(Debug, Clone, Copy, Eq)]
pub struct Version {
    parts: [u32; 4],
    len: u8,
}

impl Version {
    /// Returns the first `n` numbers: the line of `2.1.11` is `2.1` (n = 2), that of `0.8.4` is `0.8`.
    #[must_use]
    pub fn truncate(self, n: u8) -> Self {
        let mut parts = self.parts;
        for part in parts.iter_mut().skip(usize::from(n)) {
            *part = 0;
        }
        Self { parts, len: self.len.min(n) }
    }

    /// Returns the first number.
    pub fn major(self) -> u32 {
        self.parts[0]
    }

    /// Returns how many numbers were written.
    pub fn len(self) -> u8 {
        self.len
    }

    /// Tells whether no number was written; never true for a parsed version.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

impl std::hash::Hash for Version {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.parts.hash(state);
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.parts.cmp(&other.parts)
    }
}

impl FromStr for Version {
    type Err = String;

    /// Reads a version; what follows a hyphen (`2.0.0-rc6`, `6.12.38-generic`) is not part of the order and is dropped.
    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || "a version is written as numbers and dots, such as `2.3` or `2.1.11`".to_owned();
        let number = text.split_once('-').map_or(text, |(number, _)| number);
        let mut parts = [0; 4];
        let mut len = 0;
        for part in number.split('.') {
            let place = parts.get_mut(usize::from(len)).ok_or_else(wanted)?;
            if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
                return Err(wanted());
            }
            *place = part.parse().map_err(|_| wanted())?;
            len += 1;
        }
        Ok(Self { parts, len })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.parts.iter().take(usize::from(self.len)).enumerate() {
            write!(f, "{}{part}", if at == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_and_not_by_text() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert!(version("2.10") > version("2.9.9"));
        assert_eq!(version("2.1"), version("2.1.0"));
        assert_eq!(version("2.0.0-rc6").to_string(), "2.0.0");
        assert_eq!(version("2.1.11").truncate(2).to_string(), "2.1");
        for bad in ["", "2.", "a", "2.1.1.1.1", "99999999999"] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }
}
