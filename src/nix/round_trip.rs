//! Property tests: whatever is printed is read back as the same value, by rnix.

use proptest::prelude::*;
use rnix::ast::InterpolPart;

use super::*;
use crate::text::nix_attribute;

/// Text that is made of what is special in Nix, more often than of anything else.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("${".to_owned()),
        Just("$".to_owned()),
        Just("''".to_owned()),
        Just("'".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("\n".to_owned()),
        Just("\n  ".to_owned()),
        Just("\r".to_owned()),
        Just("\t".to_owned()),
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just(" ".to_owned()),
        Just("#".to_owned()),
        Just("/*".to_owned()),
        Just("*/".to_owned()),
        Just("a".to_owned()),
        "[^\\x00]",
        "[a-z]{1,40}",
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Returns the text that a string literal means.
fn evaluated(string: &rnix::ast::Str) -> Option<String> {
    string
        .normalized_parts()
        .into_iter()
        .map(|part| match part {
            InterpolPart::Literal(text) => Some(text),
            InterpolPart::Interpolation(_) => None,
        })
        .collect()
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("no literal", |number| NixFloat::new(number).ok().map(Value::from)),
        nasty().prop_map(Value::from),
        Just(Value::from(Expr::parse("1 # a").unwrap())),
        Just(Value::from(Expr::parse("x: x").unwrap())),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            prop::collection::vec((nasty(), inner.clone()), 0..6)
                .prop_map(|pairs| Value::Attrs(pairs.into_iter().collect())),
            (inner.clone(), 0..2000_u32).prop_map(|(value, priority)| value.with_priority(priority)),
            (inner.clone(), 0..2000_u32).prop_map(|(value, order)| value.with_order(order)),
            prop::collection::vec(inner, 0..4).prop_map(Value::Merge),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_string_is_read_back_as_it_was(text in nasty()) {
        let string = NixString::new(text.clone()).unwrap();
        for literal in [string.one_line(), string.literal()] {
            // Alone, and formatted within a file that indents it.
            let file = format(&format!("{{\n  a.b = [ {literal} {literal} ];\n}}")).unwrap();
            for nix in [literal, file] {
                let root = parse(&nix).unwrap();
                let strings: Vec<String> = root.descendants().filter_map(cast::<rnix::ast::Str>).map(|string| evaluated(&string).unwrap()).collect();
                prop_assert!(!strings.is_empty());
                prop_assert!(strings.iter().all(|read| *read == text), "{:?} as {} read as {:?}", text, nix, strings);
            }
        }
    }

    #[test]
    fn any_attribute_name_is_read_back_as_it_was(name in nasty()) {
        let root = parse(&format!("{{ {} = 1; }}", nix_attribute(&name))).unwrap();
        let attr = root.descendants().find_map(cast::<rnix::ast::Attr>).unwrap();
        let read = match attr {
            rnix::ast::Attr::Ident(ident) => node(&ident).text().to_string(),
            rnix::ast::Attr::Str(string) => evaluated(&string).unwrap(),
            rnix::ast::Attr::Dynamic(_) => return Err(TestCaseError::fail("dynamic")),
        };
        prop_assert_eq!(read, name);
    }

    #[test]
    fn any_module_parses_and_is_formatted_once_and_for_all(
        comment in prop::collection::vec(any::<String>(), 0..3),
        imports in prop::collection::vec(nasty(), 0..3),
        settings in prop::collection::vec((prop::collection::vec(nasty(), 1..4), value()), 0..6),
    ) {
        let mut module = Module::new(comment);
        module.imports = imports.iter().filter_map(|name| Value::path(&format!("./{name}")).ok()).collect();
        for (path, value) in settings {
            module.settings.set(&path, value);
        }
        let file = module.to_file();
        prop_assert_eq!(syntax_errors(&file), vec![], "{}", file);
        prop_assert_eq!(format(&file), Ok(file.clone()));
    }

    #[test]
    fn an_expression_that_is_accepted_stays_one_element(text in nasty()) {
        if let Ok(expr) = Expr::parse(&text) {
            let mut out = String::new();
            print::expression(&Value::List(vec![expr.clone().into(), expr.into()]), &mut out);
            let Some(list) = parse(&out).unwrap().children().next().and_then(cast::<rnix::ast::List>) else { return Err(TestCaseError::fail(out)) };
            prop_assert_eq!(list.items().count(), 2, "{}", out);
        }
    }
}
