//! Public keys of ssh: one line of authorized_keys(5) taken apart.
//!
//! Nothing is verified but the form: that the blob is whole, is of the type that the line says, and how strong the key is.

use base64::prelude::BASE64_STANDARD as STANDARD;
use base64::{DecodeError, Engine as _};

use crate::resolve::ResolvedHost;
use crate::source::Spanned;

/// Types of keys that OpenSSH knows (`ssh -Q key`), with the number of fields after the type in the blob (RFC 4253 section 6.6,
/// RFC 5656 section 3.1, RFC 8709 section 4, OpenSSH's PROTOCOL.u2f). Certificates hold more and are not counted.
const TYPES: &[(&str, Option<usize>)] = &[
    ("ssh-ed25519", Some(1)),
    ("ssh-rsa", Some(2)),
    ("ssh-dss", Some(4)),
    ("ecdsa-sha2-nistp256", Some(2)),
    ("ecdsa-sha2-nistp384", Some(2)),
    ("ecdsa-sha2-nistp521", Some(2)),
    ("sk-ssh-ed25519@openssh.com", Some(2)),
    ("sk-ecdsa-sha2-nistp256@openssh.com", Some(3)),
    ("ssh-ed25519-cert-v01@openssh.com", None),
    ("ssh-rsa-cert-v01@openssh.com", None),
    ("ecdsa-sha2-nistp256-cert-v01@openssh.com", None),
    ("ecdsa-sha2-nistp384-cert-v01@openssh.com", None),
    ("ecdsa-sha2-nistp521-cert-v01@openssh.com", None),
    ("sk-ssh-ed25519-cert-v01@openssh.com", None),
    ("sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", None),
];

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicKey {
    /// Its type.
    pub(super) kind: &'static str,
    /// The length of an RSA modulus in bits.
    pub(super) rsa_bits: Option<usize>,
}

/// Why a line is no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyFault {
    /// It is the beginning of a private key.
    Private,
    /// No word of it is a known type of key.
    NoType,
    /// The type is not followed by anything.
    NoBlob,
    /// What follows the type is not Base64.
    NotBase64,
    /// The blob ends too early or is too long: the line was cut or joined.
    Broken,
    /// The blob holds a key of another type than the line says.
    OtherType,
}

impl KeyFault {
    /// Says what is wrong, as a phrase about the line.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Private => "is the beginning of a private key",
            Self::NoType => "names no type of key that OpenSSH knows",
            Self::NoBlob => "has nothing after the type",
            Self::NotBase64 => "has something after the type that is not Base64",
            Self::Broken => "is not whole: its Base64 part is cut off or has something joined to it",
            Self::OtherType => "says another type than the one inside its Base64 part",
        }
    }
}

/// Returns the keys that one may log in with, with whose they are, for messages.
pub(super) fn login_lines<'a>(host: &ResolvedHost<'a>) -> Vec<(String, &'a Spanned<String>)> {
    let Some(access) = &host.def.access else { return Vec::new() };
    let root = access.root_keys.iter().map(|key| ("a key of root".to_owned(), key));
    let users = access
        .users
        .iter()
        .flat_map(|(name, user)| user.keys.iter().map(move |key| (format!("a key of `{name}`"), key)));
    root.chain(users).collect()
}

/// Returns every key of a definition, those that the host must show included.
pub(super) fn lines<'a>(host: &ResolvedHost<'a>) -> Vec<(String, &'a Spanned<String>)> {
    let of_host = host.def.access.iter().flat_map(|access| &access.host_keys);
    login_lines(host).into_iter().chain(of_host.map(|key| ("a host key".to_owned(), key))).collect()
}

/// Reads a line of authorized_keys: options if there are any, type, Base64 blob, comment.
pub(super) fn parse(line: &str) -> Result<PublicKey, KeyFault> {
    if line.contains("-----BEGIN") {
        return Err(KeyFault::Private);
    }
    let words = words(line);
    // Options come before the type and may themselves hold spaces, within quotes.
    let known = |word: &&str| TYPES.iter().find(|(kind, _)| kind == word);
    let at = words.iter().take(2).position(|word| known(word).is_some()).ok_or(KeyFault::NoType)?;
    let (kind, fields) = words.get(at).and_then(known).ok_or(KeyFault::NoType)?;
    let blob = words.get(at + 1).ok_or(KeyFault::NoBlob)?;
    let blob = base64(blob)?;
    let mut rest = blob.as_slice();
    let inner = field(&mut rest).ok_or(KeyFault::Broken)?;
    if inner != kind.as_bytes() {
        return Err(if kind.as_bytes().starts_with(inner) { KeyFault::Broken } else { KeyFault::OtherType });
    }
    let mut values = Vec::new();
    while !rest.is_empty() && fields.is_some() {
        values.push(field(&mut rest).ok_or(KeyFault::Broken)?);
    }
    let whole = fields.is_none_or(|fields| values.len() == fields);
    let sized = match (*kind, values.as_slice()) {
        ("ssh-ed25519" | "sk-ssh-ed25519@openssh.com", [key, ..]) => key.len() == 32,
        (_, values) => values.iter().all(|value| !value.is_empty()),
    };
    if !whole || !sized {
        return Err(KeyFault::Broken);
    }
    let rsa_bits = match (*kind, values.as_slice()) {
        ("ssh-rsa", [_, modulus]) => Some(bits(modulus)),
        _ => None,
    };
    Ok(PublicKey { kind, rsa_bits })
}

/// Splits a line at blanks that are not within double quotes.
fn words(line: &str) -> Vec<&str> {
    let mut quoted = false;
    let mut escaped = false;
    line.split(|c: char| {
        let inside = quoted;
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = c == '\\' && !escaped;
        !inside && (c == ' ' || c == '\t')
    })
    .filter(|word| !word.is_empty())
    .collect()
}

/// Takes a field off: its length in four bytes, then its bytes.
fn field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, tail) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (value, tail) = tail.split_at_checked(length)?;
    *rest = tail;
    Some(value)
}

/// Returns the length of a number in bits; leading zero bytes do not count.
fn bits(number: &[u8]) -> usize {
    let significant = number.iter().skip_while(|byte| **byte == 0);
    let top = significant.clone().next().map_or(0, |byte| 8 - byte.leading_zeros() as usize);
    significant.count().saturating_sub(1) * 8 + top
}

/// Decodes base64 with its padding (RFC 4648 section 4). Digits without an end are what is left of a line that was cut.
fn base64(text: &str) -> Result<Vec<u8>, KeyFault> {
    STANDARD.decode(text).map_err(|fault| match fault {
        DecodeError::InvalidByte(..) => KeyFault::NotBase64,
        DecodeError::InvalidLength(_) | DecodeError::InvalidLastSymbol { .. } | DecodeError::InvalidPadding => {
            KeyFault::Broken
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ED25519: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIO6byUZOqzqEPeT01TBJmlinORUGjCIfa41h/5EfwDDA";

    /// Encodes a blob as a key's line holds it.
    fn line(kind: &str, values: &[&[u8]]) -> String {
        let mut blob = Vec::new();
        for value in [kind.as_bytes()].iter().chain(values) {
            blob.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
            blob.extend(*value);
        }
        format!("{kind} {}", STANDARD.encode(blob))
    }

    #[test]
    fn a_key_is_found_behind_options_that_hold_blanks_and_quotes() {
        let key = parse(&format!("from=\"10.0.0.*\",command=\"echo \\\"a b\\\"\" ssh-ed25519 {ED25519} cadey@shachi"))
            .unwrap();
        assert_eq!((key.kind, key.rsa_bits), ("ssh-ed25519", None));
        assert!(parse(&format!("  ssh-ed25519\t{ED25519}")).is_ok());
    }

    #[test]
    fn each_way_of_spoiling_a_key_has_its_own_name() {
        let cut = ED25519.strip_suffix("41h/5EfwDDA").unwrap();
        let table = [
            (String::new(), KeyFault::NoType),
            ("-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(), KeyFault::Private),
            (ED25519.to_owned(), KeyFault::NoType),
            ("ssh-ed25519".to_owned(), KeyFault::NoBlob),
            ("ssh-ed25519 AAAA...".to_owned(), KeyFault::NotBase64),
            (format!("ssh-ed25519 {cut}"), KeyFault::Broken),
            (format!("ssh-ed25519 {ED25519}{ED25519}"), KeyFault::Broken),
            (format!("ssh-rsa {ED25519}"), KeyFault::OtherType),
            ("ssh-ed25519 AAAAC3Nz".to_owned(), KeyFault::Broken),
            (line("ssh-rsa", &[&[1, 0, 1]]), KeyFault::Broken),
            (line("ssh-ed25519", &[&[7; 31]]), KeyFault::Broken),
            (line("ssh-rsa", &[&[1, 0, 1], &[]]), KeyFault::Broken),
        ];
        for (text, fault) in table {
            assert_eq!(parse(&text), Err(fault), "{text}");
        }
    }

    #[test]
    fn the_length_of_an_rsa_key_is_that_of_its_modulus_without_the_sign_byte() {
        for (bytes, wanted) in [(128, 1024), (256, 2048), (384, 3072), (512, 4096)] {
            let mut modulus = vec![0x80; bytes];
            modulus.insert(0, 0);
            let key = parse(&line("ssh-rsa", &[&[1, 0, 1], &modulus])).unwrap();
            assert_eq!(key.rsa_bits, Some(wanted));
        }
        assert_eq!(bits(&[0, 0x7f, 0xff]), 15);
        assert_eq!(bits(&[0, 0]), 0);
    }

    proptest! {
        #[test]
        fn base64_gives_back_what_was_encoded(values in proptest::collection::vec(proptest::collection::vec(1u8.., 1..40), 2..3)) {
            let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
            let key = parse(&line("ssh-rsa", &values));
            prop_assert!(key.is_ok(), "{:?}", key);
        }

        #[test]
        fn no_line_makes_it_panic(text in "\\PC*") {
            let _ = parse(&text);
            let _ = parse(&format!("ssh-rsa {text}"));
        }
    }
}
