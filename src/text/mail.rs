//! The quoting types of what people get: headers of a mail, and code in a chat.

/// How long the value of a header may be, in characters: a line of a mail ends at 998 (RFC 5322, 2.1.1).
const LONGEST: usize = 300;

/// Returns a header of a mail with its line break. Whatever the value holds, it is one header: all but printable ASCII becomes `?`, and
/// what is too long is cut.
pub fn mail_header(name: &'static str, value: &str) -> String {
    let plain = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
    let value: String = value.chars().take(LONGEST).map(plain).collect();
    format!("{name}: {}\n", value.trim())
}

/// Returns text as code of a chat's Markdown, in which nobody is called by name and nothing is a link. What Slack takes for a call or a
/// link even within code (`<…>`) becomes another sign that looks like it.
pub fn chat_code(text: &str) -> String {
    let plain = |c: char| match c {
        '`' => '\'',
        '<' => '‹',
        '>' => '›',
        c if super::is_hidden(c) => ' ',
        c => c,
    };
    format!("`{}`", text.chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_one_line_whatever_stands_in_it() {
        proptest::proptest!(|(value in "(?s).{0,400}")| {
            let header = mail_header("Subject", &value);
            proptest::prop_assert!(header.ends_with('\n') && header.is_ascii() && header.len() < 400);
            proptest::prop_assert_eq!(header.matches(['\n', '\r']).count(), 1);
        });
        assert_eq!(mail_header("Subject", "a\r\nBcc: b@example.org\n\nx"), "Subject: a??Bcc: b@example.org??x\n");
    }

    #[test]
    fn code_of_a_chat_is_not_left_and_calls_nobody() {
        proptest::proptest!(|(text in "(?s).{0,80}")| {
            let code = chat_code(&text);
            proptest::prop_assert_eq!(code.matches('`').count(), 2);
            proptest::prop_assert!(!code.contains(['<', '>', '\n']));
        });
        assert_eq!(chat_code("`<!channel>`"), "`'‹!channel›'`");
    }
}
