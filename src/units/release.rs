//! NixOS releases by name.

use std::fmt;
use std::str::FromStr;

/// A NixOS release, `26.05`, or the unstable channel before one, `26.11pre`. Ordered by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Release {
    year: u8,
    month: u8,
    // `false` sorts first: 26.11pre comes before 26.11.
    final_: bool,
}

impl Release {
    /// Tells whether it is the unstable channel before the release.
    pub fn is_pre(self) -> bool {
        !self.final_
    }

    /// Returns the release itself, without `pre`.
    #[must_use]
    pub fn base(self) -> Self {
        Self { final_: true, ..self }
    }

    /// Returns the year of its name.
    pub fn year(self) -> i16 {
        2000 + i16::from(self.year)
    }

    /// Returns the month of its name, from 1.
    pub fn month(self) -> i8 {
        // A month is 12 at most.
        self.month.cast_signed()
    }

    /// Returns the number of half-years between two releases (`25.11` to `26.05` is 1), negative when `other` is older.
    pub fn half_years_to(self, other: Self) -> i32 {
        let half = |release: Self| i32::from(release.year) * 2 + i32::from(release.month > 6);
        half(other) - half(self)
    }
}

impl FromStr for Release {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || "a release is written `YY.MM` or `YY.MMpre`, such as `26.05`".to_owned();
        let (number, final_) = text.strip_suffix("pre").map_or((text, true), |number| (number, false));
        let (year, month) = number.split_once('.').ok_or_else(wanted)?;
        let digits = |part: &str| {
            (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse().ok()).flatten()
        };
        match (digits(year), digits(month)) {
            (Some(year), Some(month)) if (1..=12).contains(&month) => Ok(Self { year, month, final_ }),
            _ => Err(wanted()),
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}.{:02}{}", self.year, self.month, if self.final_ { "" } else { "pre" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unstable_channel_lies_between_two_releases() {
        let release = |text: &str| text.parse::<Release>().unwrap();
        assert!(release("26.05") < release("26.11pre") && release("26.11pre") < release("26.11"));
        assert_eq!(release("20.09").half_years_to(release("26.05")), 11);
        for bad in ["", "26", "26.5", "26.13", "26.05 ", "26.05post", "+6.05"] {
            assert!(bad.parse::<Release>().is_err(), "{bad}");
        }
    }
}
