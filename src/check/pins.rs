//! Commits and hashes that pin a source, as channels and further inputs state them.
//!
//! Here belongs what the rules on pins ask of one value. Not here: which sources must be pinned (the rules).

/// Hashes that stand for nothing: of an empty file, and of the archive of an empty folder.
const OF_NOTHING: [&str; 2] =
    ["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "pQpattmS9VmO3ZIQUFn66az8GSmB4IvYhTTCFn6SUmo="];

/// Returns what is wrong with a commit, and what is wanted.
pub(super) fn fault_of_rev(rev: &str) -> Option<(&'static str, &'static str)> {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if rev.len() != 40 || !rev.bytes().all(hex) {
        return Some(("no commit", "write the commit in full: 40 hexadecimal digits in lower case"));
    }
    is_pattern(rev.as_bytes()).then_some(("a placeholder", "write the commit that the channel points to"))
}

/// Returns what is wrong with a hash, and what is wanted.
pub(super) fn fault_of_hash(hash: &str) -> Option<(&'static str, &'static str)> {
    let wanted = "write it as `sha256-` and 32 bytes in base64: `narHash` in a flake.lock, or what `nix hash to-sri` makes of it";
    let Some(digest) = hash.strip_prefix("sha256-") else { return Some(("no SRI hash of sha256", wanted)) };
    // A placeholder is often no valid base64 in its last digit, and is worth its own word.
    let digits = digest.trim_end_matches('=');
    if digits.len() == 43 && is_pattern(digits.as_bytes()) || OF_NOTHING.contains(&digest) {
        return Some(("a placeholder", "write the hash that Nix names when it refuses this one"));
    }
    (!is_sha256(digest)).then_some(("not 32 bytes in base64", wanted))
}

/// Tells whether a text is the base64 of 32 bytes: 42 digits, one that holds four bits, and one `=`.
fn is_sha256(digest: &str) -> bool {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let value = |digit: &u8| DIGITS.iter().position(|known| known == digit);
    match digest.as_bytes() {
        [digits @ .., last, b'='] if digits.len() == 42 => {
            digits.iter().all(|digit| value(digit).is_some()) && value(last).is_some_and(|bits| bits % 4 == 0)
        }
        _ => false,
    }
}

/// Tells whether digits repeat with a period that no hash has: zeros, `deadbeef`, `0123456789`.
fn is_pattern(digits: &[u8]) -> bool {
    const LONGEST: usize = 16;
    (1..=LONGEST).any(|period| digits.iter().zip(digits.iter().skip(period)).all(|(a, b)| a == b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_forty_digits_that_do_not_repeat() {
        assert_eq!(fault_of_rev("a5cc6f2c37bf518436dc8d1c288ccd0c43c2f4c4"), None);
        for bad in [
            "",
            "a5cc6f2",
            "nixos-26.05",
            "A5CC6F2C37BF518436DC8D1C288CCD0C43C2F4C4",
            "g5cc6f2c37bf518436dc8d1c288ccd0c43c2f4c4",
        ] {
            assert_eq!(fault_of_rev(bad).map(|(label, _)| label), Some("no commit"), "{bad}");
        }
        for bad in ["0".repeat(40), "f".repeat(40), "deadbeef".repeat(5), "1234567890".repeat(4)] {
            assert_eq!(fault_of_rev(&bad).map(|(label, _)| label), Some("a placeholder"), "{bad}");
        }
    }

    #[test]
    fn a_hash_is_thirty_two_bytes_that_somebody_computed() {
        for good in [
            "sha256-r2f1oUwixlgq9zOdYLqJLfS/lWBT60/IITjhTKI59JU=",
            "sha256-9rlqZ5JwnA6nK04vKhV0s5ndepnWL5hpkaTV1b4ASvk=",
            "sha256-wR49KkuahcNq1xU3Tk+Mfbob3g2/B/fpbWPw8X+1wsg=",
        ] {
            assert_eq!(fault_of_hash(good), None, "{good}");
        }
        let placeholders = [
            format!("sha256-{}=", "A".repeat(43)),
            format!("sha256-{}=", "B".repeat(43)),
            "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned(),
        ];
        for bad in placeholders {
            assert_eq!(fault_of_hash(&bad).map(|(label, _)| label), Some("a placeholder"), "{bad}");
        }
        for bad in [
            "",
            "sha256-",
            "sha512-r2f1oUwixlgq9zOdYLqJLfS/lWBT60/IITjhTKI59JU=",
            "sha256:0rq5l4z1wgqyqm4cjfgp4v1b8nvzkwlcvx1bxyp0g9nxw0ylqxvg",
            "sha256-r2f1oUwixlgq9zOdYLqJLfS/lWBT60/IITjhTKI59JU",
            "sha256-r2f1oUwixlgq9zOdYLqJLfS/lWBT60/IITjhTKI59JV=",
            "sha256-r2f1oUwixlgq9zOdYLqJLfS-lWBT60_IITjhTKI59JU=",
            "sha256-r2f1oUwixlgq9zOdYLqJLfS/lWBT60/IITjhTKI59J==",
        ] {
            assert!(fault_of_hash(bad).is_some(), "{bad}");
        }
    }
}
