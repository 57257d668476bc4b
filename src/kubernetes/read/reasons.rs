//! What the YAML parser says of a mistake, in words, and without a letter of the file.

/// Returns the reason for a message of the parser.
pub(super) fn in_words(message: &str) -> String {
    let known = REASONS.iter().find(|(part, _)| message.contains(part)).map(|(_, reason)| *reason);
    known.unwrap_or("no YAML can stand here").to_owned()
}

/// Parts of messages, and what they mean. Some messages quote a character of the file: none is passed on.
const REASONS: &[(&str, &str)] = &[
    ("tab cannot", "a tab stands where only spaces may indent"),
    ("tabs disallowed", "a tab stands where only spaces may indent"),
    ("a tab", "a tab stands where only spaces may indent"),
    ("simple key expect", "a colon is expected behind this key"),
    ("simple key", "a colon is expected behind the key"),
    ("did not find expected key", "a key is expected here: the line may be indented too far or not far enough"),
    ("expected '-' indicator", "a dash is expected here: the line may be indented too far or not far enough"),
    ("invalid indentation in quoted scalar", "a string in quotes goes on in a line that is not indented far enough"),
    (
        "invalid indentation in flow construct",
        "a list or mapping in brackets goes on in a line that is not indented far enough",
    ),
    ("wrongly indented line in block scalar", "a line of a block of text is indented less than its first"),
    ("invalid indentation", "the line is not indented as those around it"),
    ("unexpected end of stream", "a string in quotes does not end"),
    ("unexpected document indicator", "a string in quotes does not end before the next document"),
    ("unexpected eof", "the document ends too early"),
    ("unknown escape character", "YAML has no such escape in a string in double quotes"),
    ("hexadecimal number", "an escape in a string is expected to hold hexadecimal digits"),
    ("escape code", "an escape in a string stands for no character"),
    ("trailing content after double-quoted", "something follows a string in quotes that does not belong there"),
    ("unknown anchor", "an alias has no anchor before it"),
    ("',' or '}'", "a comma or `}` is expected here"),
    ("',' or ']'", "a comma or `]` is expected here"),
    ("unexpected character", "no value can begin with this character: it needs quotes"),
    ("byte order mark", "a byte order mark stands within a document"),
    ("unprintable", "a control character is no text"),
    ("recursion limit", "lists and mappings in brackets are nested too deep"),
    ("illegal placement of ':'", "a second colon in the line: the value needs quotes"),
    ("'-' must be followed", "a blank is expected behind the dash"),
    ("':' must be followed", "a blank is expected behind the colon"),
    ("mapping values are not allowed", "a second colon in the line: the value needs quotes"),
    ("block sequence entries are not allowed", "a list cannot begin here: it belongs on a line of its own"),
    ("multiline", "a value over several lines cannot be a key"),
    ("comment", "a comment interrupts a value that goes on behind it"),
    ("block scalar", "the head of a block of text is `|` or `>`, with a sign or a number at most"),
    ("handle wasn't declared", "a tag's handle is not declared in this document"),
    ("tag", "a tag is not written as tags are"),
    ("anchor", "an anchor or alias needs a name"),
    ("directive", "a directive at the head of the document is not written as directives are"),
    ("document start", "a new document begins with `---`"),
    ("document end", "something follows the end of the document"),
    ("misplaced bracket", "a bracket closes that nothing opened"),
    ("bracket", "a bracket closes that nothing opened"),
    ("node content", "a value is expected here"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_quotes_nothing() {
        assert_eq!(in_words("unexpected character: `%'"), "no value can begin with this character: it needs quotes");
        assert_eq!(in_words("something new `secret'"), "no YAML can stand here");
    }
}
