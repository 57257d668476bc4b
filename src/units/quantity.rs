//! Quantities of Kubernetes: memory, processors and storage, as manifests write them.
//!
//! Read as `k8s.io/apimachinery/pkg/api/resource` reads them (`ParseQuantity` in quantity.go, the suffixes in suffix.go):
//! exactly, in billionths, never through floating point. Finer values are rounded away from zero; a quantity with a
//! binary suffix ends at 2^63-1. Not here: what a quantity is for, and what a host makes of it.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use super::Size;

/// A quantity, such as `100m`, `1.5`, `512Mi`, `10G` or `1e3`.
///
/// Two quantities are equal when their values are, however they are written: `1Gi` is `1024Mi`.
#[derive(Debug, Clone, Copy)]
pub struct Quantity {
    /// The value in billionths.
    nanos: i128,
    form: Form,
}

/// The kind of suffix that a quantity had, and is printed with again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Powers of 1024: `Mi`.
    Binary,
    /// Powers of 1000: `M`.
    Decimal,
    /// An exponent: `e6`.
    Exponent,
}

/// Billionths of a unit.
const NANOS: u128 = 1_000_000_000;

/// The largest number that Kubernetes gives out.
const CAP: u128 = i64::MAX.unsigned_abs() as u128;

const BINARY: &[&str] = &["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

const DECIMAL: &[(&str, i32)] =
    &[("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];

const WANTED: &str = "a quantity of Kubernetes is a number and a suffix without a space between, such as `100m`, `1.5`, \
                      `512Mi`, `10G` or `1e3`; the suffixes are `n u m k M G T P E` and `Ki Mi Gi Ti Pi Ei`";

const TOO_LARGE: &str = "the quantity is larger than anything that a machine has";

impl Quantity {
    /// Returns whole units, so bytes of memory or storage, rounded up as Kubernetes' `Value()` does and 2^63-1 at most;
    /// none when the quantity is negative.
    pub fn bytes(&self) -> Option<u64> {
        self.in_units_of(NANOS)
    }

    /// Returns thousandths, so a processor's, rounded up as Kubernetes' `MilliValue()` does and 2^63-1 at most; none when
    /// the quantity is negative.
    pub fn milli(&self) -> Option<u64> {
        self.in_units_of(NANOS / 1000)
    }

    fn in_units_of(&self, nanos: u128) -> Option<u64> {
        u64::try_from(u128::try_from(self.nanos).ok()?.div_ceil(nanos).min(CAP)).ok()
    }

    /// Tells whether the quantity is nothing; as a limit that is none to Kubernetes.
    pub fn is_zero(&self) -> bool {
        self.nanos == 0
    }

    /// Returns processors as a decimal number (`1.5`, `0.25`), which `limits.cpu` takes; none when there are none or fewer.
    ///
    /// Kubernetes counts thousandths of a processor and systemd hundredths, so what is less than `10m` is given as `0.01`.
    pub fn cpu(&self) -> Option<String> {
        let milli = self.milli().filter(|milli| *milli > 0)?.max(10);
        let text = format!("{}.{:03}", milli / 1000, milli % 1000);
        Some(text.trim_end_matches('0').trim_end_matches('.').to_owned())
    }

    /// Returns the bytes as a size in the unit that reads best (`512MiB`, `1500MB`), exactly; none when negative.
    pub fn size(&self) -> Option<Size> {
        self.bytes().map(Size::of_bytes)
    }
}

impl FromStr for Quantity {
    type Err = String;

    /// Reads a quantity; spaces around it are no part of it, as where Kubernetes reads it from JSON or YAML.
    ///
    /// A number has a digit, as the grammar says; Kubernetes' own reader lets `Ki`, `-` and `.` pass as nothing.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + fraction.len() == 0 || fraction.contains('.') {
            return Err(WANTED.to_owned());
        }
        let (magnitude, form) = if let Some(power) = BINARY.iter().position(|name| *name == suffix) {
            (binary_nanos(whole, fraction, power + 1), Form::Binary)
        } else {
            let (exponent, form) = decimal_exponent(suffix).ok_or(WANTED)?;
            (decimal_nanos(whole, fraction, exponent).ok_or(TOO_LARGE)?, form)
        };
        let magnitude = i128::try_from(magnitude).map_err(|_| TOO_LARGE)?;
        Ok(Self { nanos: if negative { -magnitude } else { magnitude }, form })
    }
}

/// Returns the power of ten that a suffix stands for: `M`, `e6`, `E-3`.
fn decimal_exponent(suffix: &str) -> Option<(i32, Form)> {
    if let Some((_, exponent)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some((*exponent, Form::Decimal));
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?;
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let fits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    Some((exponent.parse().ok().filter(|_| fits)?, Form::Exponent))
}

/// Returns `whole.fraction` times a power of ten in billionths, rounded up; none when it is too large.
fn decimal_nanos(whole: &str, fraction: &str, exponent: i32) -> Option<u128> {
    let digits = format!("{whole}{fraction}");
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    // Where the point stands once the number is counted in billionths.
    let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()? + i64::from(exponent) + 9;
    let Ok(point) = usize::try_from(point) else { return Some(1) };
    match digits.split_at_checked(point) {
        Some(("", _)) => Some(1),
        Some((counted, finer)) => {
            let rounded = u128::from(finer.bytes().any(|b| b != b'0'));
            counted.parse::<u128>().ok()?.checked_add(rounded)
        }
        None => {
            let zeros = u32::try_from(point - digits.len()).ok()?;
            digits.parse::<u128>().ok()?.checked_mul(10u128.checked_pow(zeros)?)
        }
    }
}

/// Returns `whole.fraction` times a power of 1024 in billionths, rounded up, 2^63-1 units at most.
fn binary_nanos(whole: &str, fraction: &str, power: usize) -> u128 {
    let unit = NANOS << (10 * power);
    // From the last digit to the first: what is left of the division by ten counts only for being there.
    let (below, is_finer) = fraction.bytes().rev().fold((0, false), |(below, is_finer), digit| {
        let sum = u128::from(digit - b'0') * unit + below;
        (sum / 10, is_finer || !sum.is_multiple_of(10))
    });
    let whole = if whole.is_empty() { Some(0) } else { whole.parse::<u128>().ok() };
    whole
        .and_then(|whole| whole.checked_mul(unit))
        .and_then(|nanos| nanos.checked_add(below + u128::from(is_finer)))
        .map_or(CAP * NANOS, |nanos| nanos.min(CAP * NANOS))
}

impl fmt::Display for Quantity {
    /// Writes Kubernetes' canonical form: a whole number and the largest suffix of its kind that loses nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.nanos.unsigned_abs();
        if magnitude == 0 {
            return f.write_str("0");
        }
        if self.nanos < 0 {
            f.write_str("-")?;
        }
        if self.form == Form::Binary && magnitude >= 1024 * NANOS && magnitude.is_multiple_of(NANOS) {
            let (mut number, mut suffix) = (magnitude / NANOS, "");
            for larger in BINARY {
                if !number.is_multiple_of(1024) {
                    break;
                }
                (number, suffix) = (number / 1024, larger);
            }
            return write!(f, "{number}{suffix}");
        }
        let (mut number, mut exponent) = (magnitude, -9);
        while number.is_multiple_of(1000) {
            (number, exponent) = (number / 1000, exponent + 3);
        }
        match DECIMAL.iter().find(|(_, power)| *power == exponent) {
            Some((suffix, _)) if self.form != Form::Exponent || exponent == 0 => write!(f, "{number}{suffix}"),
            _ => write!(f, "{number}e{exponent}"),
        }
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quantity(text: &str) -> Quantity {
        text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
    }

    /// Text, value in billionths, canonical form; worked out by hand from the grammar and rules in the head of
    /// `Quantity` (k8s.io/apimachinery/pkg/api/resource) and from "Resource units in Kubernetes" and "Meaning of memory"
    /// of the page "Resource Management for Pods and Containers".
    const VALUES: &[(&str, i128, &str)] = &[
        // No suffix; a sign; a point at either end.
        ("0", 0, "0"),
        ("1", 1_000_000_000, "1"),
        ("+1", 1_000_000_000, "1"),
        ("-1", -1_000_000_000, "-1"),
        ("007", 7_000_000_000, "7"),
        ("0.1", 100_000_000, "100m"),
        (".5", 500_000_000, "500m"),
        ("-.5", -500_000_000, "-500m"),
        ("5.", 5_000_000_000, "5"),
        ("1.500", 1_500_000_000, "1500m"),
        ("128974848", 128_974_848_000_000_000, "128974848"),
        // Powers of 1000, down and up.
        ("1n", 1, "1n"),
        ("250u", 250_000, "250u"),
        ("100m", 100_000_000, "100m"),
        ("1000m", 1_000_000_000, "1"),
        ("1.5m", 1_500_000, "1500u"),
        ("129k", 129_000_000_000_000, "129k"),
        ("129M", 129_000_000_000_000_000, "129M"),
        ("1.5G", 1_500_000_000_000_000_000, "1500M"),
        ("2T", 2_000_000_000_000_000_000_000, "2T"),
        ("3P", 3_000_000_000_000_000_000_000_000, "3P"),
        ("1E", 1_000_000_000_000_000_000_000_000_000, "1E"),
        ("5.G", 5_000_000_000_000_000_000, "5G"),
        // Not capped, and beyond the last suffix.
        ("12E", 12_000_000_000_000_000_000_000_000_000, "12E"),
        ("1000E", 1_000_000_000_000_000_000_000_000_000_000, "1e21"),
        ("18446744073709551616", 18_446_744_073_709_551_616_000_000_000, "18446744073709551616"),
        // Thousandths of a byte: what a `400m` of memory means.
        ("400m", 400_000_000, "400m"),
        ("128974848000m", 128_974_848_000_000_000, "128974848"),
        // Powers of 1024.
        ("1Ki", 1_024_000_000_000, "1Ki"),
        ("123Mi", 128_974_848_000_000_000, "123Mi"),
        ("1Gi", 1_073_741_824_000_000_000, "1Gi"),
        ("1.5Gi", 1_610_612_736_000_000_000, "1536Mi"),
        ("1024Mi", 1_073_741_824_000_000_000, "1Gi"),
        ("1Ti", 1_099_511_627_776_000_000_000, "1Ti"),
        ("1Pi", 1_125_899_906_842_624_000_000_000, "1Pi"),
        ("1Ei", 1_152_921_504_606_846_976_000_000_000, "1Ei"),
        ("-2Gi", -2_147_483_648_000_000_000, "-2Gi"),
        ("0Gi", 0, "0"),
        // Less than 1024, or with a fraction: the suffixes of powers of 1000.
        ("0.5Ki", 512_000_000_000, "512"),
        ("0.1Mi", 104_857_600_000_000, "104857600m"),
        ("100.035Ki", 102_435_840_000_000, "102435840m"),
        // Capped at 2^63-1, whatever is written.
        ("8Ei", 9_223_372_036_854_775_807_000_000_000, "9223372036854775807"),
        ("-9Ei", -9_223_372_036_854_775_807_000_000_000, "-9223372036854775807"),
        ("99999999999999999999999999999999999999999Ki", 9_223_372_036_854_775_807_000_000_000, "9223372036854775807"),
        // Exponents.
        ("1e3", 1_000_000_000_000, "1e3"),
        ("1E3", 1_000_000_000_000, "1e3"),
        ("129e6", 129_000_000_000_000_000, "129e6"),
        ("1.3E+6", 1_300_000_000_000_000, "1300e3"),
        ("1e-3", 1_000_000, "1e-3"),
        ("12e4", 120_000_000_000_000, "120e3"),
        ("5e0", 5_000_000_000, "5"),
        ("0e99", 0, "0"),
        // Finer than a billionth: away from zero.
        ("0.9n", 1, "1n"),
        ("-0.9n", -1, "-1n"),
        ("3.001n", 4, "4n"),
        ("0.00000012345", 124, "124n"),
        ("1e-99", 1, "1e-9"),
        ("0.000000000001Ki", 2, "2n"),
        ("1.0000000000000000000000000000000000000000001", 1_000_000_001, "1000000001n"),
    ];

    #[test]
    fn a_quantity_has_the_value_that_the_documentation_of_kubernetes_gives_it() {
        for (text, nanos, canonical) in VALUES {
            let read = quantity(text);
            assert_eq!(read.nanos, *nanos, "{text:?}");
            assert_eq!(read.to_string(), *canonical, "{text:?}");
            assert_eq!(quantity(&format!(" {text}\n")), read, "{text:?}");
        }
        assert!(VALUES.len() >= 40);
    }

    #[test]
    fn what_is_no_quantity_is_refused_with_what_is_wanted() {
        for bad in [
            "",
            " ",
            "-",
            "+",
            ".",
            "-.",
            "Ki",
            "m",
            "e3",
            "0x10",
            "1 Gi",
            "1KiB",
            "1GB",
            "1B",
            "1K",
            "1ki",
            "1mi",
            "1g",
            "1i",
            "1e",
            "1e-",
            "1e+",
            "1e1.5",
            "1ee3",
            "1e3k",
            "1Mi5",
            "1-3",
            "--1",
            "+-1",
            "1.2.3",
            "1..2",
            "1,5",
            "1_000",
            "½",
            "١",
            "1µ",
            "Infinity",
            "NaN",
            "1e99999999999",
            "1Gi2",
            "$1",
            "1e++3",
        ] {
            assert_eq!(bad.parse::<Quantity>().unwrap_err(), WANTED, "{bad:?}");
        }
        for large in ["1e30", "1e2147483647", "999999999999999999999999999999999999999999"] {
            assert_eq!(large.parse::<Quantity>().unwrap_err(), TOO_LARGE, "{large:?}");
        }
    }

    #[test]
    fn bytes_and_thousandths_are_rounded_up_and_never_negative() {
        let cases = [
            ("0", Some(0), Some(0)),
            ("1n", Some(1), Some(1)),
            ("100m", Some(1), Some(100)),
            ("1.5", Some(2), Some(1500)),
            ("2", Some(2), Some(2000)),
            ("0.1m", Some(1), Some(1)),
            ("1001m", Some(2), Some(1001)),
            ("0.1Ki", Some(103), Some(102_400)),
            ("64Mi", Some(67_108_864), Some(67_108_864_000)),
            ("-1", None, None),
            ("-1n", None, None),
            ("-0", Some(0), Some(0)),
            ("16Ei", Some(9_223_372_036_854_775_807), Some(9_223_372_036_854_775_807)),
            ("99E", Some(9_223_372_036_854_775_807), Some(9_223_372_036_854_775_807)),
        ];
        for (text, bytes, milli) in cases {
            assert_eq!((quantity(text).bytes(), quantity(text).milli()), (bytes, milli), "{text:?}");
        }
    }

    #[test]
    fn processors_are_a_decimal_number_and_a_size_is_exact_and_short() {
        let cpu = |text| quantity(text).cpu();
        for (text, wanted) in [
            ("1500m", "1.5"),
            ("250m", "0.25"),
            ("125m", "0.125"),
            ("2", "2"),
            ("20", "20"),
            ("1m", "0.01"),
            ("1e1", "10"),
            ("0.1", "0.1"),
            ("100u", "0.01"),
        ] {
            assert_eq!(cpu(text).as_deref(), Some(wanted), "{text:?}");
        }
        assert_eq!((cpu("0"), cpu("-1")), (None, None));
        for (text, wanted) in [
            ("512Mi", "512MiB"),
            ("1Gi", "1GiB"),
            ("1024Mi", "1GiB"),
            ("1.5Gi", "1536MiB"),
            ("1500M", "1500MB"),
            ("10G", "10GB"),
            ("1e3", "1kB"),
            ("1000Ki", "1000KiB"),
            ("128974848", "123MiB"),
            ("1000001", "1000001B"),
            ("100m", "1B"),
            ("0", "0B"),
        ] {
            let size = quantity(text).size().unwrap();
            assert_eq!(size.to_string(), wanted, "{text:?}");
            assert_eq!(Some(size.bytes()), quantity(text).bytes(), "{text:?}");
        }
        assert_eq!(quantity("-1Gi").size(), None);
    }

    /// A number with at most three decimal places, and a suffix with what it multiplies by: a numerator and a
    /// denominator. Nothing of it is finer than a billionth or near the cap.
    fn written() -> impl Strategy<Value = (String, i128, i128)> {
        let suffix = prop::sample::select(vec![
            ("u", 1, 1_000_000),
            ("m", 1, 1000),
            ("", 1, 1),
            ("k", 1000, 1),
            ("M", 1_000_000, 1),
            ("G", 1_000_000_000, 1),
            ("Ki", 1 << 10, 1),
            ("Mi", 1 << 20, 1),
            ("Gi", 1 << 30, 1),
            ("e2", 100, 1),
            ("E-2", 1, 100),
        ]);
        (any::<bool>(), 0..3000i128, 0..1000i128, suffix).prop_map(|(minus, whole, thousandths, (suffix, up, down))| {
            let sign = if minus { "-" } else { "" };
            let number = (whole * 1000 + thousandths) * if minus { -1 } else { 1 };
            (format!("{sign}{whole}.{thousandths:03}{suffix}"), number * up, 1000 * down)
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_as_the_same_value_and_printed_the_same((text, ..) in written()) {
            let read = quantity(&text);
            let printed = read.to_string();
            prop_assert_eq!(quantity(&printed), read);
            prop_assert_eq!(quantity(&printed).to_string(), printed);
        }

        #[test]
        fn quantities_are_ordered_as_the_fractions_that_they_stand_for(
            (left, left_up, left_down) in written(),
            (right, right_up, right_down) in written(),
        ) {
            let fractions = (left_up * right_down).cmp(&(right_up * left_down));
            prop_assert_eq!(quantity(&left).cmp(&quantity(&right)), fractions, "{} {}", left, right);
        }

        #[test]
        fn a_size_of_a_quantity_reads_back_as_its_bytes((text, ..) in written()) {
            let read = quantity(&text);
            let size = read.size().map(|size| size.to_string().parse::<Size>().unwrap().bytes());
            prop_assert_eq!(size, read.bytes());
        }

        #[test]
        fn no_text_makes_the_reader_fail_in_another_way_than_by_refusing(text in "[-+0-9.eEinumkKMGTP ]{0,30}|\\PC{0,9}") {
            if let Ok(read) = text.parse::<Quantity>() {
                prop_assert_eq!(quantity(&read.to_string()), read);
                let _ = (read.bytes(), read.milli(), read.cpu(), read.size());
            }
        }
    }
}
