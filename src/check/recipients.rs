//! For whom a file is encrypted: whether the key of a host's ssh server opens it.
//!
//! Only public keys are at hand, and nothing is decrypted. age names an ssh key in the head of a file by the first bytes of its digest
//! (the age-ssh stanzas). sops-nix turns an ssh key into one of age (as ssh-to-age does), which sops writes into the file.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};

use crate::source::sha256;

/// A host's public key of ed25519, as it may stand in an encrypted file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipient {
    /// The key as ssh writes it, without its type.
    blob: String,
    /// The key as one of age: `age1…`.
    pub(super) age: String,
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
        Some(Self { blob: blob.to_owned(), age: bech32("age", &montgomery(key)), tag })
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
        text.contains(&self.age) || text.contains(&self.blob)
    }
}

/// The letters of Bech32 (BIP 173).
const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// Returns bytes in Bech32 behind a word of lower-case letters.
fn bech32(word: &str, bytes: &[u8]) -> String {
    let (mut groups, mut held, mut bits) = (Vec::new(), 0u32, 0u32);
    for byte in bytes {
        held = (held << 8 | u32::from(*byte)) & 0xffff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            groups.push(held >> bits & 31);
        }
    }
    if bits > 0 {
        groups.push(held << (5 - bits) & 31);
    }
    let high = word.bytes().map(|b| u32::from(b) >> 5);
    let low = word.bytes().map(|b| u32::from(b) & 31);
    let sum = high.chain([0]).chain(low).chain(groups.iter().copied()).chain([0; 6]).fold(1, polymod) ^ 1;
    let check = (0..6).map(|at| sum >> (5 * (5 - at)) & 31);
    let letter = |group: u32| LETTERS.get(group as usize).copied().map_or('q', char::from);
    let letters: String = groups.iter().copied().chain(check).map(letter).collect();
    format!("{word}1{letters}")
}

fn polymod(sum: u32, value: u32) -> u32 {
    let generators = [0x3b6a_57b2u32, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let top = sum >> 25;
    let next = (sum & 0x01ff_ffff) << 5 ^ value;
    generators
        .iter()
        .enumerate()
        .fold(next, |sum, (bit, generator)| if top >> bit & 1 == 1 { sum ^ generator } else { sum })
}

/// A number modulo 2^255 - 19, in five limbs of 51 bits.
type Field = [u64; 5];

const LOW: u64 = (1 << 51) - 1;

const ONE: Field = [1, 0, 0, 0, 0];

/// Returns a point of the Edwards curve, by its y, as u of the Montgomery curve: (1 + y) / (1 - y) (RFC 7748, section 4.1).
fn montgomery(key: [u8; 32]) -> [u8; 32] {
    let y = read(key);
    to_bytes(multiply(add(ONE, y), invert(subtract(ONE, y))))
}

fn read(bytes: [u8; 32]) -> Field {
    let word = |at: usize| {
        let word = bytes.get(at..at + 8).and_then(|word| word.try_into().ok());
        word.map_or(0, u64::from_le_bytes)
    };
    let [a, b, c, d] = [word(0), word(8), word(16), word(24)];
    // The highest bit is the sign of x.
    [a & LOW, (a >> 51 | b << 13) & LOW, (b >> 38 | c << 26) & LOW, (c >> 25 | d << 39) & LOW, d >> 12 & LOW]
}

fn add([a0, a1, a2, a3, a4]: Field, [b0, b1, b2, b3, b4]: Field) -> Field {
    carry([a0 + b0, a1 + b1, a2 + b2, a3 + b3, a4 + b4].map(u128::from))
}

/// Twice the modulus is added, so that no limb falls below zero.
fn subtract([a0, a1, a2, a3, a4]: Field, [b0, b1, b2, b3, b4]: Field) -> Field {
    let (first, other) = (2 * (LOW - 18), 2 * LOW);
    carry([a0 + first - b0, a1 + other - b1, a2 + other - b2, a3 + other - b3, a4 + other - b4].map(u128::from))
}

fn multiply(a: Field, b: Field) -> Field {
    let [a0, a1, a2, a3, a4] = a.map(u128::from);
    let [b0, b1, b2, b3, b4] = b.map(u128::from);
    // What goes beyond 2^255 comes back 19 times.
    carry([
        a0 * b0 + 19 * (a1 * b4 + a2 * b3 + a3 * b2 + a4 * b1),
        a0 * b1 + a1 * b0 + 19 * (a2 * b4 + a3 * b3 + a4 * b2),
        a0 * b2 + a1 * b1 + a2 * b0 + 19 * (a3 * b4 + a4 * b3),
        a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0 + 19 * (a4 * b4),
        a0 * b4 + a1 * b3 + a2 * b2 + a3 * b1 + a4 * b0,
    ])
}

/// Brings limbs below 2^51, but for a little in the second.
fn carry(limbs: [u128; 5]) -> Field {
    let mut held = 0;
    let mut low = limbs.map(|limb| {
        let sum = limb + held;
        held = sum >> 51;
        low_bits(sum)
    });
    let [first, second, ..] = &mut low;
    let sum = u128::from(*first) + held * 19;
    *first = low_bits(sum);
    *second += low_bits(sum >> 51);
    low
}

fn low_bits(sum: u128) -> u64 {
    u64::try_from(sum & u128::from(LOW)).unwrap_or(0)
}

/// Returns 1/a as a^(p - 2). Of p - 2 all 255 bits are set but the third and the fifth from below.
fn invert(a: Field) -> Field {
    (0..255).rev().fold(ONE, |power, bit| {
        let square = multiply(power, power);
        if bit == 2 || bit == 4 { square } else { multiply(square, a) }
    })
}

fn to_bytes(field: Field) -> [u8; 32] {
    let [a0, a1, a2, a3, a4] = carry(carry(field.map(u128::from)).map(u128::from));
    // 1 if the number is the modulus or more.
    let over = [a1, a2, a3, a4].iter().fold((a0 + 19) >> 51, |over, limb| (limb + over) >> 51);
    let mut held = 19 * over;
    let [a0, a1, a2, a3, a4] = [a0, a1, a2, a3, a4].map(|limb| {
        let sum = limb + held;
        held = sum >> 51;
        sum & LOW
    });
    let words = [a0 | a1 << 51, a1 >> 13 | a2 << 38, a2 >> 26 | a3 << 25, a3 >> 39 | a4 << 12];
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(words.iter().flat_map(|word| word.to_le_bytes())) {
        *to = from;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of the host shop in tests/fleets/secrets.
    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAILjFhD5ZXwW26pipnwkYd4scLcg8Y0YTdO8IuHnRojS1";

    #[test]
    fn numbers_are_divided_as_they_are_multiplied() {
        for seed in 1..50u8 {
            let mut next = seed;
            let bytes = std::array::from_fn(|_| {
                next = next.wrapping_mul(73).wrapping_add(seed);
                next & 0x7f
            });
            let number = read(bytes);
            assert_eq!(to_bytes(number), bytes);
            assert_eq!(to_bytes(multiply(number, invert(number))), to_bytes(ONE), "{seed}");
        }
        let modulus = [LOW - 18, LOW, LOW, LOW, LOW];
        assert_eq!(to_bytes(modulus), [0; 32]);
        // The base points of RFC 7748 and RFC 8032: y = 4/5 is u = 9.
        let base = multiply([4, 0, 0, 0, 0], invert([5, 0, 0, 0, 0]));
        assert_eq!(to_bytes([9, 0, 0, 0, 0]), montgomery(to_bytes(base)));
    }

    #[test]
    fn bech32_is_that_of_its_specification() {
        assert_eq!(bech32("a", &[]), "a12uel5l");
        // All values of five bits in their order: a valid string of BIP 173.
        let bytes: Vec<u8> =
            vec![0, 68, 50, 20, 199, 66, 84, 182, 53, 207, 132, 101, 58, 86, 215, 198, 117, 190, 119, 223];
        assert_eq!(bech32("abcdef", &bytes), "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw");
    }

    #[test]
    fn a_key_is_told_from_others_in_files_of_age_and_of_sops() {
        let shop = Recipient::of("ssh-ed25519", KEY).unwrap();
        let sops = include_bytes!("../../tests/fleets/secrets/secrets/shop.yaml");
        assert!(shop.opens_sops(sops) && !shop.opens_sops(b"sops:\n"), "{}", shop.age);
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
