//! The reason of a step as paragraphs, lists and code: what stands between backticks is code, a line that begins with `- ` an item.

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Part<'t> {
    pub(super) is_code: bool,
    pub(super) text: &'t str,
}

/// A paragraph, or the items of a list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Block<'t> {
    pub(super) is_list: bool,
    pub(super) lines: Vec<Vec<Part<'t>>>,
}

/// Reads a reason.
pub(super) fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut all: Vec<Block<'_>> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (is_list, line) = line.strip_prefix("- ").map_or((false, line), |item| (true, item));
        match all.last_mut().filter(|block| block.is_list && is_list) {
            Some(block) => block.lines.push(parts(line)),
            None => all.push(Block { is_list, lines: vec![parts(line)] }),
        }
    }
    all
}

/// Splits a line at its backticks; one that lacks its partner is none.
fn parts(line: &str) -> Vec<Part<'_>> {
    let pieces: Vec<&str> = line.split('`').collect();
    if pieces.len().is_multiple_of(2) {
        return vec![Part { is_code: false, text: line }];
    }
    let parts = pieces.into_iter().enumerate().map(|(at, text)| Part { is_code: !at.is_multiple_of(2), text });
    parts.filter(|part| !part.text.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backticks_make_code_and_dashes_make_items() {
        let shown = |text: &str| -> Vec<String> {
            let of = |block: &Block<'_>| {
                let lines = block.lines.iter().map(|line| {
                    let parts = line
                        .iter()
                        .map(|part| if part.is_code { format!("<{}>", part.text) } else { part.text.to_owned() });
                    parts.collect::<String>()
                });
                format!("{}{}", if block.is_list { "* " } else { "" }, lines.collect::<Vec<_>>().join(" | "))
            };
            blocks(text).iter().map(of).collect()
        };
        assert_eq!(shown("say `a b`:\n- one\n- `two`\n\nand ` end"), ["say <a b>:", "* one | <two>", "and ` end"]);
        assert!(shown("").is_empty());
    }
}
