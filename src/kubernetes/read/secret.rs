//! What must not be shown.

/// Words that stand near secrets: too many hidden lines do no harm, one that is shown does.
const WORDS: &[&[u8]] =
    &[b"secret", b"passw", b"token", b"credential", b"dockerconfigjson", b"stringdata", b"private", b"key", b"auth"];

/// Tells whether a text may hold a secret's value: it is a Secret, or speaks of what is kept secret.
pub fn may_hold(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().any(|(at, first)| {
        let first = first.to_ascii_lowercase();
        WORDS.iter().any(|word| {
            word.first() == Some(&first)
                && bytes.get(at..at + word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_speaks_of_secrets_may_hold_one() {
        for text in
            ["kind: Secret", "DB_PASSWORD", "apiToken: x", "{\"kind\":\"SecretList\"}", "API_KEY", ".dockerconfigjson"]
        {
            assert!(may_hold(text), "{text}");
        }
        assert!(!may_hold("kind: Deployment\nimage: nginx\n"));
    }
}
