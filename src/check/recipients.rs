//! For whom a file is encrypted: whether the key of a host's ssh server opens it.
//!
//! Only public keys are at hand, and nothing is decrypted. age names an ssh key in the head of a file by the first bytes of its digest
//! (the age-ssh stanzas). sops-nix turns an ssh key into one of age (as ssh-to-age does), which sops writes into the file.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use bech32::{Bech32, Hrp};
use curve25519_dalek::edwards::CompressedEdwardsY;

use crate::source::sha256;

/// A host's public key of ed25519, as it may stand in an encrypted file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipient {
    /// The key as ssh writes it, without its type.
    blob: String,
    /// The key as one of age: `age1…`; none of bytes that are no key, which ssh does not look at.
    pub(super) age: Option<String>,
    /// How age tells it from others in the head of a file.
    tag: String,
}

/// The head of the blob of a key of ed25519: the length of its type, the type, the length of the key (RFC 8709, section 4).
const HEAD: &[u8] = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20";

impl Recipient {
    /// Returns the key of an ssh server by its type and Base64; none of another type.
    pub(super) fn of(kind: &str, blob: &str) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(blob).ok().filter(|_| kind == "ssh-ed25519")?;
        let key: [u8; 32] = bytes.strip_prefix(HEAD)?.try_into().ok()?;
        let digest = sha256(&bytes);
        // The first four bytes of the digest.
        let first = digest.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok())?;
        let tag = BASE64_STANDARD_NO_PAD.encode(first.to_be_bytes());
        Some(Self { blob: blob.to_owned(), age: age(key), tag })
    }

    /// Tells whether a file that age encrypted is encrypted for this key.
    pub(super) fn opens_age(&self, file: &[u8]) -> bool {
        let text = std::str::from_utf8(file).ok().filter(|text| text.starts_with("-----BEGIN "));
        let decoded = text.and_then(|text| {
            let letters: String = text.lines().filter(|line| !line.starts_with('-')).map(str::trim).collect();
            BASE64_STANDARD.decode(letters).ok()
        });
        let bytes = decoded.as_deref().unwrap_or(file);
        let stanza = format!("-> ssh-ed25519 {} ", self.tag);
        let head = bytes.split(|byte| *byte == b'\n').take_while(|line| !line.starts_with(b"---"));
        head.into_iter().any(|line| line.starts_with(stanza.as_bytes()))
    }

    /// Tells whether a file that sops encrypted names this key among those that open it.
    pub(super) fn opens_sops(&self, file: &[u8]) -> bool {
        let text = String::from_utf8_lossy(file);
        self.age.as_ref().is_some_and(|age| text.contains(age)) || text.contains(&self.blob)
    }
}

/// Returns a key of ed25519 as one of age: u of the Montgomery curve (RFC 7748, section 4.1) in Bech32; none of what is no point of the
/// curve.
fn age(key: [u8; 32]) -> Option<String> {
    let point = CompressedEdwardsY(key).decompress()?.to_montgomery();
    bech32("age", point.as_bytes())
}

/// Returns bytes in Bech32 (BIP 173) behind a word of lower-case letters.
fn bech32(word: &str, bytes: &[u8]) -> Option<String> {
    bech32::encode::<Bech32>(Hrp::parse(word).ok()?, bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of the host shop in tests/fleets/secrets.
    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAILjFhD5ZXwW26pipnwkYd4scLcg8Y0YTdO8IuHnRojS1";

    #[test]
    fn a_point_is_told_by_the_u_of_the_other_curve() {
        // The base points of RFC 8032 and RFC 7748: y = 4/5 is u = 9.
        let mut base = [0x66; 32];
        base[0] = 0x58;
        let mut nine = [0; 32];
        nine[0] = 9;
        assert_eq!(age(base), bech32("age", &nine));
        assert!(age(base).is_some());
        // No point has y = 2.
        let mut two = [0; 32];
        two[0] = 2;
        assert_eq!(age(two), None);
    }

    #[test]
    fn bech32_is_that_of_its_specification() {
        assert_eq!(bech32("a", &[]).unwrap(), "a12uel5l");
        // All values of five bits in their order: a valid string of BIP 173.
        let bytes: Vec<u8> =
            vec![0, 68, 50, 20, 199, 66, 84, 182, 53, 207, 132, 101, 58, 86, 215, 198, 117, 190, 119, 223];
        assert_eq!(bech32("abcdef", &bytes).unwrap(), "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw");
    }

    #[test]
    fn a_key_is_told_from_others_in_files_of_age_and_of_sops() {
        let shop = Recipient::of("ssh-ed25519", KEY).unwrap();
        let sops = include_bytes!("../../tests/fleets/secrets/secrets/shop.yaml");
        assert!(shop.opens_sops(sops) && !shop.opens_sops(b"sops:\n"), "{:?}", shop.age);
        let relay = "AAAAC3NzaC1lZDI1NTE5AAAAIPm4B9UsMr3wo87ClWNWRTvpChkCPySdwr1OgykjNj5r";
        let relay = Recipient::of("ssh-ed25519", relay).unwrap();
        for file in [
            &include_bytes!("../../tests/fleets/secrets/secrets/relay-vault.age")[..],
            &include_bytes!("../../tests/fleets/secrets/secrets/relay-feed.age")[..],
        ] {
            assert!(relay.opens_age(file) && !shop.opens_age(file));
        }
        assert_eq!(Recipient::of("ssh-rsa", KEY), None);
        assert_eq!(Recipient::of("ssh-ed25519", "AAAA"), None);
    }
}
