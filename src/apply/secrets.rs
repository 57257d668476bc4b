//! Values that are never shown or stored: what lies in the folders of secrets, line by line.
#![allow(clippy::disallowed_methods, reason = "what is to be masked has to be known")]

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The shortest value that is masked, in bytes: shorter ones would blank half of every output.
const SHORTEST: usize = 6;

/// The shortest base64 that is masked, in bytes.
const SHORTEST_ENCODED: usize = 8;

/// Up to how many lines each of them is looked for as base64, too.
const FEW_LINES: usize = 32;

/// How many columns programs break base64 into: coreutils, and PEM.
const WRAPPED: [usize; 2] = [76, 64];

/// The largest file of secrets that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// What stands in the place of a secret.
const MASK: &[u8] = b"[secret]";

/// The longest line that is waited for before a part of it goes out, in bytes.
const LINE: usize = 64 << 10;

/// Known secret values, the longest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Secrets {
    values: Vec<Vec<u8>>,
}

impl Secrets {
    /// Reads every file below folders; what cannot be read holds nothing that could be printed by us.
    pub(super) fn below<'p>(folders: impl IntoIterator<Item = &'p Path>) -> Self {
        let mut secrets = Self::default();
        for folder in folders {
            for entry in walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().filter_map(Result::ok) {
                let small = entry.metadata().is_ok_and(|about| about.is_file() && about.len() <= LARGEST);
                if small && let Ok(bytes) = std::fs::read(entry.path()) {
                    secrets.add(&bytes);
                }
            }
        }
        secrets
    }

    /// Adds the lines of a file, and of lines `NAME=value` the value; and all of it as base64, which hides nothing.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        // Of a long file, such as a key, the whole is enough: each value costs time in all that is printed.
        let is_short = memchr::memchr_iter(b'\n', bytes).count() <= FEW_LINES;
        for line in bytes.split(|byte| *byte == b'\n') {
            let line = line.trim_ascii();
            let value = line.splitn(2, |byte| *byte == b'=').nth(1).map(unquoted);
            for value in [Some(line), value].into_iter().flatten().filter(|value| value.len() >= SHORTEST) {
                self.values.push(value.to_vec());
                self.values.extend(is_short.then(|| encoded(value)).into_iter().flatten());
            }
        }
        for columns in WRAPPED {
            let whole = STANDARD.encode(bytes);
            let lines = whole.as_bytes().chunks(columns).filter(|line| line.len() >= SHORTEST_ENCODED);
            self.values.extend(lines.map(<[u8]>::to_vec));
        }
        self.values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.values.dedup();
    }

    fn longest(&self) -> usize {
        self.values.first().map_or(0, Vec::len)
    }

    /// Returns bytes with every known secret masked.
    pub(super) fn mask(&self, bytes: &[u8]) -> Vec<u8> {
        let mut masked = bytes.to_vec();
        for value in &self.values {
            if memchr::memmem::find(&masked, value).is_none() {
                continue;
            }
            let mut out = Vec::with_capacity(masked.len());
            let mut rest = masked.as_slice();
            while let Some(at) = memchr::memmem::find(rest, value) {
                out.extend_from_slice(rest.get(..at).unwrap_or_default());
                out.extend_from_slice(MASK);
                rest = rest.get(at + value.len()..).unwrap_or_default();
            }
            out.extend_from_slice(rest);
            masked = out;
        }
        masked
    }

    /// Returns text with every known secret masked.
    pub(super) fn mask_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.mask(text.as_bytes())).into_owned()
    }
}

/// Returns what of a value's base64 is the same whatever stands before and after it in the text that is encoded.
fn encoded(value: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..3).filter_map(|before| {
        let text = STANDARD.encode([vec![0; before].as_slice(), value].concat());
        // Six bits a character: those that hold bits of what stands around are left out.
        let (from, until) = ((before * 8).div_ceil(6), (before + value.len()) * 8 / 6);
        let own = text.as_bytes().get(from..until)?;
        (own.len() >= SHORTEST_ENCODED).then(|| own.to_vec())
    })
}

fn unquoted(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii();
    match value {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => value,
    }
}

/// Masks output as it comes, whole lines at a time, so that no secret slips through where a piece ends.
#[derive(Debug, Default)]
pub(super) struct Masker {
    waiting: Vec<u8>,
}

impl Masker {
    /// Takes a piece of output and returns what can go out.
    pub(super) fn push(&mut self, secrets: &Secrets, bytes: &[u8]) -> Vec<u8> {
        self.waiting.extend_from_slice(bytes);
        let cut = match memchr::memrchr(b'\n', &self.waiting) {
            Some(at) => at + 1,
            None if self.waiting.len() > LINE.max(4 * secrets.longest()) => self.whole(secrets),
            None => 0,
        };
        let rest = self.waiting.split_off(cut);
        let ready = std::mem::replace(&mut self.waiting, rest);
        secrets.mask(&ready)
    }

    /// Returns the rest, at the end of the output.
    pub(super) fn finish(&mut self, secrets: &Secrets) -> Vec<u8> {
        secrets.mask(&std::mem::take(&mut self.waiting))
    }

    /// Returns how much of a very long line may go out: no secret begins before and ends behind that place.
    fn whole(&self, secrets: &Secrets) -> usize {
        let mut cut = self.waiting.len().saturating_sub(secrets.longest());
        loop {
            let over = secrets.values.iter().find_map(|value| {
                let from = cut.saturating_sub(value.len().saturating_sub(1));
                let near = self.waiting.get(from..)?;
                let at = from + memchr::memmem::find(near, value)?;
                (at < cut && at + value.len() > cut).then_some(at)
            });
            match over {
                Some(at) => cut = at,
                None => return cut,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secrets(text: &str) -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add(text.as_bytes());
        secrets
    }

    #[test]
    fn lines_and_values_of_assignments_are_masked_and_short_words_are_not() {
        let known = secrets("hunter2-long\nPASSWORD=\"swordfish\"\nabc\n");
        assert_eq!(known.mask_text("x hunter2-long y swordfish z abc"), "x [secret] y [secret] z abc");
    }

    proptest! {
        #[test]
        fn a_secret_is_masked_as_base64_wherever_it_stands_in_what_is_encoded(
            value in "[!-~]{12,60}", before in "[ -~]{0,7}", after in "[ -~]{0,7}"
        ) {
            prop_assume!(!value.contains('='));
            let known = secrets(&value);
            let masked = known.mask_text(&STANDARD.encode(format!("{before}{value}{after}")));
            prop_assert!(masked.contains("[secret]"), "{}", masked);
            // What is left belongs to what stands around, and to the characters that share bits with it.
            let left = masked.replace("[secret]", "").trim_end_matches('=').len();
            prop_assert!(left <= (before.len() + after.len()) * 8 / 6 + 5, "{}", masked);
        }

        #[test]
        fn no_secret_slips_through_where_pieces_end(
            before in "[a-c\n]{0,30}", after in "[a-c\n]{0,30}", size in 1_usize..9
        ) {
            let known = secrets("s3cr3t-value");
            let whole = format!("{before}s3cr3t-value{after}");
            let mut masker = Masker::default();
            let mut out = Vec::new();
            for piece in whole.as_bytes().chunks(size) {
                out.extend(masker.push(&known, piece));
            }
            out.extend(masker.finish(&known));
            prop_assert_eq!(String::from_utf8(out).unwrap(), format!("{before}[secret]{after}"));
        }
    }

    #[test]
    fn a_file_is_masked_in_lines_of_base64() {
        let file: String = (0..60).map(|at| format!("line {at} of a private key\n")).collect();
        for columns in WRAPPED {
            let text = STANDARD.encode(&file);
            let lines: Vec<String> =
                text.as_bytes().chunks(columns).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
            let masked = secrets(&file).mask_text(&lines.join("\n"));
            assert!(masked.lines().all(|line| line.len() < 16), "{masked}");
        }
    }

    #[test]
    fn a_line_without_end_goes_out_in_parts_that_cut_no_secret() {
        let known = secrets("s3cr3t-value");
        let mut masker = Masker::default();
        let piece = [vec![b'x'; LINE - 5], b"s3cr3t-value".to_vec(), vec![b'y'; 3]].concat();
        let mut out = masker.push(&known, &piece);
        assert!(!out.is_empty());
        out.extend(masker.finish(&known));
        assert_eq!(out.len(), piece.len() - 12 + MASK.len());
        assert!(memchr::memmem::find(&out, b"s3cr3t").is_none());
    }
}
