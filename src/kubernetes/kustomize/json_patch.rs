//! JSON patches (RFC 6902): a list of changes, each at a path.

use crate::kubernetes::tree::{Node, Pair, Value};

/// Returns a tree with one change applied, and what is gone of it; fails with the reason where it does not fit.
pub(super) fn apply<'s>(tree: Node<'s>, change: &Node<'s>) -> Result<(Node<'s>, Option<Node<'s>>), &'static str> {
    let path = change.get("path").and_then(Node::text).ok_or("a change has no path")?;
    let route = parts(path).ok_or("a path of a change does not begin with `/`")?;
    let op = change.get("op").and_then(Node::text).ok_or("a change has no `op`")?;
    let value = change.get("value").cloned();
    let mut tree = tree;
    if op == "test" {
        return Ok((tree, None));
    }
    if !["add", "replace", "remove"].contains(&op) {
        return Err("a change is neither `add`, `replace` nor `remove`");
    }
    let Some((last, above)) = route.split_last() else {
        let value = value.ok_or("a change has no value")?;
        return Ok((value, Some(tree)));
    };
    let gone = at_mut(&mut tree, above, &mut |parent| change_in(parent, last, op, value.clone()))?;
    Ok((tree, gone))
}

/// Returns the parts of a JSON pointer.
fn parts(path: &str) -> Option<Vec<String>> {
    if path.is_empty() {
        return Some(Vec::new());
    }
    let parts = path.strip_prefix('/')?.split('/');
    Some(parts.map(|part| part.replace("~1", "/").replace("~0", "~")).collect())
}

type Change<'c, 's> = &'c mut dyn FnMut(&mut Node<'s>) -> Result<Option<Node<'s>>, &'static str>;

fn at_mut<'s>(node: &mut Node<'s>, route: &[String], change: Change<'_, 's>) -> Result<Option<Node<'s>>, &'static str> {
    let Some((first, rest)) = route.split_first() else { return change(node) };
    let below = match &mut node.value {
        Value::Mapping(pairs) => pairs.iter_mut().find(|pair| pair.key == *first).map(|pair| &mut pair.node),
        Value::Sequence(items) => first.parse::<usize>().ok().and_then(|at| items.get_mut(at)),
        _ => None,
    };
    at_mut(below.ok_or("a change leads to a field that is not there")?, rest, change)
}

fn change_in<'s>(
    parent: &mut Node<'s>,
    last: &str,
    op: &str,
    value: Option<Node<'s>>,
) -> Result<Option<Node<'s>>, &'static str> {
    const MISSING: &str = "a change leads to a field that is not there";
    match &mut parent.value {
        Value::Mapping(pairs) => {
            let at = pairs.iter().position(|pair| pair.key == last);
            if op == "remove" {
                return Ok(Some(pairs.remove(at.ok_or(MISSING)?).node));
            }
            let value = value.ok_or("a change has no value")?;
            match at.and_then(|at| pairs.get_mut(at)) {
                Some(pair) => Ok(Some(std::mem::replace(&mut pair.node, value))),
                None if op == "replace" => Err(MISSING),
                None => {
                    pairs.push(Pair { key: last.to_owned().into(), at: value.span, node: value });
                    Ok(None)
                }
            }
        }
        Value::Sequence(items) => {
            let at = match last {
                "-" => items.len(),
                digits => digits.parse::<usize>().map_err(|_| MISSING)?,
            };
            match (op, value) {
                ("remove", _) if at < items.len() => Ok(Some(items.remove(at))),
                ("replace", Some(value)) => Ok(Some(std::mem::replace(items.get_mut(at).ok_or(MISSING)?, value))),
                ("add", Some(value)) if at <= items.len() => {
                    items.insert(at, value);
                    Ok(None)
                }
                _ => Err(MISSING),
            }
        }
        _ => Err(MISSING),
    }
}
