//! How deeply Nix text nests, counted before any parser recurses into it.
//!
//! rnix and nixfmt_rs both bound the nesting of whole expressions, but not that of lists, of prefix operators and of
//! chains of operators and arguments, whose trees are as deep as they are long: without this count some kilobytes of
//! text would end the program.
//!
//! And how far text goes on without a break: rnix looks from each token ahead to where a path would end, so that a megabyte of `1.1.1`
//! would take it half an hour.

use std::ops::Range;

use rnix::SyntaxKind::{
    self, TOKEN_ASSERT, TOKEN_COLON, TOKEN_COMMA, TOKEN_COMMENT, TOKEN_ELSE, TOKEN_IF, TOKEN_IN, TOKEN_INTERPOL_END,
    TOKEN_INTERPOL_START, TOKEN_L_BRACE, TOKEN_L_BRACK, TOKEN_L_PAREN, TOKEN_LET, TOKEN_R_BRACE, TOKEN_R_BRACK,
    TOKEN_R_PAREN, TOKEN_SEMICOLON, TOKEN_STRING_CONTENT, TOKEN_STRING_END, TOKEN_STRING_START, TOKEN_THEN, TOKEN_WITH,
};

/// How many bytes may follow a token that all could be parts of a path. Of what people write the longest is an attribute's route.
pub(super) const MAX_RUN: usize = 1024;

/// One bracket that is open, with the length of the chain that stands in it so far.
struct Open {
    kind: SyntaxKind,
    chain: usize,
    /// How many `with` and `assert` wait for their semicolon, which does not end what they stand in.
    waiting: usize,
}

/// Returns at least the depth of the tree that the text parses to, in levels of brackets and links of chains.
///
/// An element of a list and a binding of a set start anew, so that long ones count as one level. The error is the place of what goes on
/// for more than [`MAX_RUN`] bytes without a break.
pub(super) fn nesting(text: &str) -> Result<usize, Range<usize>> {
    let mut open = vec![Open { kind: TOKEN_L_PAREN, chain: 0, waiting: 0 }];
    let mut depth = 0;
    let mut deepest = 0;
    let mut after_operand = false;
    let (mut at, mut run) = (0, 0);
    for (kind, token) in rnix::tokenize(text) {
        let start = at;
        at += token.len();
        if !matches!(kind, TOKEN_COMMENT | TOKEN_STRING_CONTENT) {
            if run <= start {
                run =
                    start + text.get(start..).unwrap_or_default().bytes().take_while(|byte| is_of_path(*byte)).count();
            }
            if run.saturating_sub(at) > MAX_RUN {
                return Err(start..run);
            }
        }
        if kind.is_trivia() {
            continue;
        }
        let outermost = open.len() == 1;
        let Some(top) = open.last_mut() else { break };
        let operand = starts_operand(kind);
        match kind {
            TOKEN_R_PAREN | TOKEN_R_BRACK | TOKEN_R_BRACE | TOKEN_INTERPOL_END | TOKEN_STRING_END | TOKEN_IN => {
                depth -= top.chain;
                // What closes nothing is an error for the parser; the outermost level stays.
                if outermost {
                    top.chain = 0;
                } else {
                    open.pop();
                    depth -= 1;
                }
            }
            TOKEN_SEMICOLON if top.waiting > 0 => top.waiting -= 1,
            TOKEN_SEMICOLON | TOKEN_COMMA => {
                depth -= top.chain;
                top.chain = 0;
            }
            _ => {
                if top.kind == TOKEN_L_BRACK && operand && after_operand {
                    depth -= top.chain;
                    top.chain = 0;
                }
                // An operand after an operand is an argument; everything else but an operand links a chain.
                if !operand || after_operand || opens(kind) {
                    top.chain += 1;
                    depth += 1;
                }
                top.waiting += usize::from(matches!(kind, TOKEN_WITH | TOKEN_ASSERT));
                if opens(kind) {
                    open.push(Open { kind, chain: 0, waiting: 0 });
                    depth += 1;
                }
            }
        }
        deepest = deepest.max(depth);
        after_operand = ends_operand(kind);
    }
    Ok(deepest)
}

/// Tells whether rnix goes on looking for the end of a path.
fn is_of_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/_.+-<".contains(&byte)
}

fn opens(kind: SyntaxKind) -> bool {
    matches!(
        kind,
        TOKEN_L_PAREN | TOKEN_L_BRACK | TOKEN_L_BRACE | TOKEN_INTERPOL_START | TOKEN_STRING_START | TOKEN_LET
    )
}

fn starts_operand(kind: SyntaxKind) -> bool {
    kind.is_fn_arg()
}

fn ends_operand(kind: SyntaxKind) -> bool {
    let closes = matches!(kind, TOKEN_R_PAREN | TOKEN_R_BRACK | TOKEN_R_BRACE | TOKEN_STRING_END);
    let word = !matches!(kind, TOKEN_COLON | TOKEN_IF | TOKEN_THEN | TOKEN_ELSE);
    closes || (starts_operand(kind) && !opens(kind) && word)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "a test measures time")]

    use super::*;

    #[test]
    fn long_files_are_not_deep() {
        for (text, what) in [
            (format!("{{ {} }}", "a.b = \"x ${y} z\"; ".repeat(5000)), "bindings"),
            (format!("with pkgs; [ {} ]", "a.b (f x) [ ] \"s\" ".repeat(5000)), "elements"),
            (format!("{{ {} }}: 1", "a ? 1, ".repeat(5000)), "arguments"),
            (format!("let {} in 1", "a = with b; c; ".repeat(5000)), "names"),
            (format!("# {0}\n[ \"{0}\" ''{0}'' {1} ./{1} ]", "-a.".repeat(2000), "a".repeat(6000)), "words"),
        ] {
            assert!(nesting(&text).unwrap() < 10, "{what}");
        }
    }

    #[test]
    fn what_goes_on_without_a_break_takes_no_longer_than_to_read_it() {
        for unit in ["1.", "a.", "-", "+", "<", "a+", "1"] {
            let text = format!("[ {} ]", unit.repeat(2_000_000));
            let began = std::time::Instant::now();
            assert_eq!(nesting(&text).is_err(), unit != "1", "{unit}");
            // Where each token looks as far as the end these take hours.
            assert!(began.elapsed() < std::time::Duration::from_mins(2), "{unit}: {:?}", began.elapsed());
        }
    }

    #[test]
    fn every_way_to_nest_is_counted() {
        for unit in [
            "(",
            "[",
            "{a=",
            "!",
            "- ",
            "a + ",
            "[] ++ ",
            "a -> ",
            "f ",
            "x: ",
            "a.",
            "\"${",
            "with a; ",
            "assert a; ",
            "if a then b else ",
            "a ? b ",
            "a or ",
            "let a = ",
            "''${",
            "a { } ",
            "${",
        ] {
            let text = unit.repeat(1000);
            // What is too long is refused as what is too deep.
            let levels = nesting(&text).unwrap_or(usize::MAX);
            assert!(levels >= 999, "{unit}: {levels}");
        }
    }
}
