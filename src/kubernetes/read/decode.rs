//! From bytes to text.

/// Returns the text of a file: UTF-8 or UTF-16, with or without a byte order mark, which is no part of the text; the reason in
/// words where it is neither.
pub fn decode(bytes: Vec<u8>) -> Result<String, String> {
    match bytes.as_slice() {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Err("it is UTF-32, which is not read".to_owned()),
        [0xef, 0xbb, 0xbf, ..] => utf8(bytes).map(|mut text| {
            text.drain(..'\u{feff}'.len_utf8());
            text
        }),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        // YAML and JSON begin with an ASCII character: a NUL beside it is the other half of a UTF-16 unit.
        [1..=0x7f, 0, ..] => utf16(&bytes, u16::from_le_bytes),
        [0, 1..=0x7f, ..] => utf16(&bytes, u16::from_be_bytes),
        _ => utf8(bytes),
    }
}

fn utf8(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().iter().take(valid);
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        format!("it is no UTF-8 text: line {line} holds bytes that are no character")
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("it is UTF-16 that ends within a character".to_owned());
    }
    let mut text = String::with_capacity(bytes.len() / 2);
    for character in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match character {
            Ok(character) => text.push(character),
            Err(_) => {
                let line = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
                return Err(format!("it is no UTF-16 text: line {line} holds half of a character"));
            }
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn every_encoding_gives_the_same_text() {
        let text = "kind: Ünicode 🦀\n";
        let marked = format!("\u{feff}{text}");
        for bytes in [
            text.as_bytes().to_vec(),
            marked.as_bytes().to_vec(),
            units(text, u16::to_le_bytes),
            units(text, u16::to_be_bytes),
            units(&marked, u16::to_le_bytes),
            units(&marked, u16::to_be_bytes),
        ] {
            assert_eq!(decode(bytes).as_deref(), Ok(text));
        }
        assert_eq!(decode(Vec::new()).as_deref(), Ok(""));
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_line() {
        assert!(decode(b"a: b\nc: \xff\xfe".to_vec()).unwrap_err().contains("line 2"));
        let mut odd = units("a: b", u16::to_le_bytes);
        odd.push(b'x');
        assert!(decode(odd).unwrap_err().contains("ends within"));
        assert!(decode(vec![b'a', 0, 0x00, 0xd8]).unwrap_err().contains("line 1"));
        assert!(decode(vec![0xff, 0xfe, 0, 0, b'a', 0, 0, 0]).unwrap_err().contains("UTF-32"));
    }
}
