//! What a scalar without quotes means to Kubernetes.
//!
//! The API server and kubectl read YAML through sigs.k8s.io/yaml, whose parser is go-yaml v2: mostly YAML 1.1. `0644` is 420,
//! `yes` and `on` are truth values, `1_000` is a number, `12:30` is a string (go-yaml knows no sexagesimals).
//! Source: resolve.go of go-yaml v2, which sigs.k8s.io/yaml carries as goyaml.v2.

/// What a scalar means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Plain<'a> {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Another number.
    Float(f64),
    /// A string.
    Text(&'a str),
}

/// Returns what a scalar without quotes means.
pub fn resolve(text: &str) -> Plain<'_> {
    let Some(first) = text.bytes().next() else { return Plain::Null };
    // resolve.go decides by the first byte what is worth a look: most scalars are strings and end here.
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => word(text),
        b'0'..=b'9' | b'+' | b'-' | b'.' => number(text),
        _ => Plain::Text(text),
    }
}

fn word(text: &str) -> Plain<'_> {
    match text {
        "~" | "null" | "Null" | "NULL" => Plain::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Plain::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Plain::Bool(false),
        _ => Plain::Text(text),
    }
}

fn number(text: &str) -> Plain<'_> {
    match text {
        ".nan" | ".NaN" | ".NAN" => return Plain::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Plain::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Plain::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let digits: std::borrow::Cow<'_, str> = if text.contains('_') { text.replace('_', "").into() } else { text.into() };
    if let Some(int) = integer(&digits) {
        return Plain::Int(int);
    }
    if is_float(&digits) { digits.parse().map_or(Plain::Text(text), Plain::Float) } else { Plain::Text(text) }
}

/// Returns an integer as Go's `strconv.ParseInt` with base 0 reads it, where it fits 64 bits.
fn integer(text: &str) -> Option<i128> {
    let (negative, rest) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let prefixed = |prefixes: [&str; 2]| prefixes.iter().find_map(|prefix| rest.strip_prefix(prefix));
    let (radix, digits) = if let Some(digits) = prefixed(["0x", "0X"]) {
        (16, digits)
    } else if let Some(digits) = prefixed(["0b", "0B"]) {
        (2, digits)
    } else if let Some(digits) = prefixed(["0o", "0O"]) {
        (8, digits)
    } else if rest.len() > 1 && rest.starts_with('0') {
        (8, rest)
    } else {
        (10, rest)
    };
    if digits.is_empty() || digits.starts_with(['+', '-']) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    let value = if negative { -value } else { value };
    let fits = value >= i128::from(i64::MIN) && value <= i128::from(u64::MAX);
    fits.then_some(value)
}

/// Tells whether a text is a decimal number: `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`.
fn is_float(text: &str) -> bool {
    let rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (rest, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let whole = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    whole && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_mean_what_they_mean_to_kubernetes() {
        let cases = [
            ("0644", Plain::Int(420)),
            ("420", Plain::Int(420)),
            ("0o17", Plain::Int(15)),
            ("0x10", Plain::Int(16)),
            ("-0b11", Plain::Int(-3)),
            ("1_000", Plain::Int(1000)),
            ("+5", Plain::Int(5)),
            ("0", Plain::Int(0)),
            ("18446744073709551615", Plain::Int(18_446_744_073_709_551_615)),
            ("18446744073709551616", Plain::Float(18_446_744_073_709_551_616.0)),
            ("1e3", Plain::Float(1000.0)),
            ("1.", Plain::Float(1.0)),
            (".5", Plain::Float(0.5)),
            ("08", Plain::Float(8.0)),
            ("1.5Gi", Plain::Text("1.5Gi")),
            ("100m", Plain::Text("100m")),
            ("12:30", Plain::Text("12:30")),
            ("1.2.3", Plain::Text("1.2.3")),
            ("2001-01-01", Plain::Text("2001-01-01")),
            ("-", Plain::Text("-")),
            ("--x", Plain::Text("--x")),
            ("yes", Plain::Bool(true)),
            ("On", Plain::Bool(true)),
            ("n", Plain::Bool(false)),
            ("oN", Plain::Text("oN")),
            ("True", Plain::Bool(true)),
            ("", Plain::Null),
            ("~", Plain::Null),
            ("NULL", Plain::Null),
            ("nginx", Plain::Text("nginx")),
            ("-.inf", Plain::Float(f64::NEG_INFINITY)),
        ];
        for (text, meaning) in cases {
            assert_eq!(resolve(text), meaning, "{text}");
        }
        assert!(matches!(resolve(".nan"), Plain::Float(value) if value.is_nan()));
    }
}
