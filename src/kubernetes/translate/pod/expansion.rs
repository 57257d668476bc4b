//! How the kubelet expands `$(NAME)` in commands, arguments and variables.
//!
//! Source: `Expand` in third_party/forked/golang/expansion of Kubernetes, and "Define Dependent Environment Variables" of its
//! documentation: `$$` is one `$`, so `$$(NAME)` stays `$(NAME)`; what has no closing parenthesis stays as it is; so does a variable
//! that nobody defined.

/// Returns a text with each `$(NAME)` replaced by what `value` returns for it, or as it is where it returns nothing.
pub(super) fn expand(text: &str, value: &mut dyn FnMut(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = after.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            match value(name) {
                Some(value) => out.push_str(&value),
                None => {
                    out.push_str("$(");
                    out.push_str(name);
                    out.push(')');
                }
            }
            rest = after;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn texts_are_expanded_as_the_kubelet_does() {
        // The first rows are those of expansion_test.go of Kubernetes.
        let of = |name: &str| match name {
            "VAR_A" => Some("A".to_owned()),
            "VAR_B" => Some("B".to_owned()),
            "VAR_C" => Some("C".to_owned()),
            "VAR_REF" => Some("$(VAR_A)".to_owned()),
            "VAR_EMPTY" => Some(String::new()),
            _ => None,
        };
        for (text, wanted) in [
            ("$(VAR_A)", "A"),
            ("___$(VAR_B)___", "___B___"),
            ("___$(VAR_C)", "___C"),
            ("$(VAR_A)-$(VAR_A)", "A-A"),
            ("$(VAR_A)_$(VAR_B)_$(VAR_C)", "A_B_C"),
            ("$(VAR_B)_$$(VAR_A)", "B_$(VAR_A)"),
            ("$$(VAR_A)_$(VAR_B)", "$(VAR_A)_B"),
            ("f000-$$VAR_A", "f000-$VAR_A"),
            ("foo\\$(VAR_C)bar", "foo\\Cbar"),
            ("foo\\\\$(VAR_C)bar", "foo\\\\Cbar"),
            ("foo$(VAR_EMPTY)bar", "foobar"),
            ("$(VAR_REF)", "$(VAR_A)"),
            ("$$$(VAR_A)", "$A"),
            ("$$$$(VAR_A)", "$$(VAR_A)"),
            ("$$$$$(VAR_A)", "$$A"),
            ("$VAR_A)", "$VAR_A)"),
            ("${VAR_A}", "${VAR_A}"),
            ("$(VAR_B)_______$(A", "B_______$(A"),
            ("$(VAR_C)_______$(", "C_______$("),
            ("$(VAR_A)foobar$", "Afoobar$"),
            ("$?_boo_$!", "$?_boo_$!"),
            ("$(VAR_A$(VAR_B)", "$(VAR_A$(VAR_B)"),
            ("$$(VAR_A$(VAR_B)", "$(VAR_AB"),
            ("$(VAR_UNSET)x$", "$(VAR_UNSET)x$"),
            ("$", "$"),
            ("$$", "$"),
            ("äß$(VAR_A)ö", "äßAö"),
        ] {
            assert_eq!(expand(text, &mut { of }), wanted, "{text}");
        }
    }
}
