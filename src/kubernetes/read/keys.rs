//! Keys: what they are called in JSON, and what counts when one stands twice.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::HashSet;

use crate::kubernetes::scalar::{Plain, resolve};
use crate::kubernetes::tree::{Pair, Span};

/// A key that stands twice in one mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Twice {
    /// The key.
    pub(super) key: String,
    /// Where it stands first.
    pub(super) first: Span,
    /// Where it stands again.
    pub(super) second: Span,
}

/// A document says this of so many keys, no more: a list of a million would help nobody.
const MOST: usize = 100;

/// Returns the JSON key of a key without quotes, as sigs.k8s.io/yaml makes it; the reason where there is none.
///
/// Source: convertToJSONableObject of sigs.k8s.io/yaml.
pub(super) fn json_key(text: Cow<'_, str>) -> Result<Cow<'_, str>, &'static str> {
    let written = match resolve(&text) {
        Plain::Text(_) => None,
        Plain::Bool(true) => Some("true".to_owned()),
        Plain::Bool(false) => Some("false".to_owned()),
        Plain::Int(int) if i64::try_from(int).is_ok() => Some(int.to_string()),
        Plain::Int(_) => return Err("a key that is a number has at most 64 bits"),
        Plain::Float(float) => Some(go_float(float)),
        Plain::Null => return Err("a key cannot be null"),
    };
    Ok(written.map_or(text, Cow::Owned))
}

/// Writes a number as Go's `strconv.FormatFloat(value, 'g', -1, 32)` does, and YAML's names for what is no number.
#[allow(clippy::cast_possible_truncation, reason = "the reference rounds to 32 bits as well")]
fn go_float(value: f64) -> String {
    let value = value as f32;
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..21).contains(&exponent) && exponent < 6 {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// Takes the pairs of a mapping off the stack, from a position on; of a key that stands twice the last counts.
pub(super) fn settle<'s>(pairs: &mut Vec<Pair<'s>>, from: usize, twice: &mut Vec<Twice>) -> Vec<Pair<'s>> {
    let all_differ = pairs.get(from..).is_none_or(differ);
    let mut taken: Vec<_> = pairs.drain(from.min(pairs.len())..).collect();
    if !all_differ {
        drop_earlier(&mut taken, twice);
    }
    taken
}

fn differ(pairs: &[Pair<'_>]) -> bool {
    if pairs.len() <= 12 {
        let mut rest = pairs;
        while let [first, others @ ..] = rest {
            if others.iter().any(|pair| pair.key == first.key) {
                return false;
            }
            rest = others;
        }
        return true;
    }
    let mut seen = HashSet::with_capacity(pairs.len());
    pairs.iter().all(|pair| seen.insert(pair.key.as_ref()))
}

fn drop_earlier(pairs: &mut Vec<Pair<'_>>, twice: &mut Vec<Twice>) {
    let mut keep = vec![true; pairs.len()];
    let mut latest: HashMap<&str, (usize, Span)> = HashMap::with_capacity(pairs.len());
    for (index, pair) in pairs.iter().enumerate() {
        let first = latest.get(pair.key.as_ref()).copied();
        if let Some((earlier, first)) = first {
            if let Some(keep) = keep.get_mut(earlier) {
                *keep = false;
            }
            if twice.len() < MOST {
                twice.push(Twice { key: pair.key.clone().into_owned(), first, second: pair.at });
            }
        }
        latest.insert(&pair.key, (index, first.map_or(pair.at, |(_, first)| first)));
    }
    let mut keep = keep.into_iter();
    pairs.retain(|_| keep.next().unwrap_or(true));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_called_what_kubernetes_calls_them() {
        let cases = [
            ("on", Ok("true")),
            ("No", Ok("false")),
            ("0644", Ok("420")),
            ("1_0", Ok("10")),
            ("1.50", Ok("1.5")),
            ("1e6", Ok("1e+06")),
            ("123456.0", Ok("123456")),
            ("0.00001", Ok("1e-05")),
            ("0.0001", Ok("0.0001")),
            (".inf", Ok(".inf")),
            ("0.1", Ok("0.1")),
            ("a", Ok("a")),
            ("~", Err("a key cannot be null")),
        ];
        for (text, key) in cases {
            assert_eq!(json_key(text.into()).as_deref(), key.as_ref().map(|key| *key), "{text}");
        }
    }
}
