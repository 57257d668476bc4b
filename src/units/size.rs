//! Sizes in bytes.

use std::fmt;
use std::str::FromStr;

/// A number of bytes, written with an IEC or SI unit (`16GiB`, `2TB`, `1.5TiB`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    bytes: u64,
    text: String,
}

/// Unit and its bytes; longest names first within a prefix.
const UNITS: &[(&str, u64)] = &[
    ("PiB", 1 << 50),
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("PB", 1_000_000_000_000_000),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl Size {
    /// Returns a number of bytes as a size, written exactly and in the unit that gives the smallest number (`512MiB`, `1500MB`).
    pub fn of_bytes(bytes: u64) -> Self {
        let exact = UNITS.iter().filter(|(_, size)| bytes > 0 && bytes.is_multiple_of(*size));
        let (name, size) = exact.min_by_key(|(_, size)| bytes / size).copied().unwrap_or(("B", 1));
        Self { bytes, text: format!("{}{name}", bytes / size) }
    }

    /// Returns the bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns bytes as people read them: one decimal and an IEC unit (`3.5 TiB`).
    pub fn human(bytes: u64) -> String {
        let unit = UNITS.iter().take(5).find(|(_, size)| bytes >= *size);
        let Some((name, size)) = unit else { return format!("{bytes} B") };
        let tenths = (u128::from(bytes) * 10 + u128::from(*size) / 2) / u128::from(*size);
        if tenths % 10 == 0 {
            format!("{} {name}", tenths / 10)
        } else {
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || "a size is a number with a unit: `512MiB`, `16GiB`, `2TB`".to_owned();
        let (number, unit) = UNITS
            .iter()
            .find_map(|(name, size)| Some((text.strip_suffix(name)?.trim_end(), *size)))
            .ok_or_else(wanted)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || number.ends_with('.') || fraction.len() > 9 {
            return Err(wanted());
        }
        let too_large = || "the size is larger than any disk".to_owned();
        let whole: u128 = whole.parse().map_err(|_| too_large())?;
        let scale = 10u128.pow(u32::try_from(fraction.len()).unwrap_or(0));
        let fraction: u128 = if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| wanted())? };
        let bytes = whole
            .checked_mul(u128::from(unit))
            .and_then(|bytes| bytes.checked_add(fraction * u128::from(unit) / scale))
            .and_then(|bytes| u64::try_from(bytes).ok())
            .ok_or_else(too_large)?;
        Ok(Self { bytes, text: text.to_owned() })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iec_and_si_units_differ_and_decimals_are_exact() {
        let bytes = |text: &str| text.parse::<Size>().unwrap().bytes();
        assert_eq!(bytes("2TB"), 2_000_000_000_000);
        assert_eq!(bytes("16GiB"), 16 << 30);
        assert_eq!(bytes("1.5 TiB"), 3 << 39);
        assert_eq!(Size::human(3_848_290_697_216), "3.5 TiB");
        for bad in ["", "5", "GiB", "-1GiB", "1.GiB", "1e3GB", "5GIB", "99999999999999999999TB", "1.5.2GB"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }
}
