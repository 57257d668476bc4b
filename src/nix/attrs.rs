//! Attribute sets in the order in which they were made.

use indexmap::IndexMap;

use super::Value;

/// An attribute set that keeps the order in which its attributes were set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Attrs(IndexMap<String, Value>);

impl Attrs {
    /// Returns an empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value at a path of attribute names, each of any characters; sets on the way are made. A value that stands
    /// at the path is replaced and returned. Where something that is no set stands on the way, both become parts of a
    /// `lib.mkMerge`, so nothing is lost.
    pub fn set<T: AsRef<str>>(&mut self, path: &[T], value: impl Into<Value>) -> Option<Value> {
        let mut value = Some(value.into());
        let mut replaced = None;
        self.edit(path, &mut |attrs, name| {
            replaced = value.take().and_then(|value| attrs.0.insert(name.to_owned(), value));
        });
        replaced
    }

    /// Adds an element to the list at a path, which is made if need be. Another value that stands there is kept beside it
    /// by `lib.mkMerge`, as NixOS merges lists.
    pub fn push<T: AsRef<str>>(&mut self, path: &[T], element: impl Into<Value>) {
        let mut element = Some(element.into());
        self.edit(path, &mut |attrs, name| {
            let list = || Value::List(Vec::new());
            let parts = match attrs.0.entry(name.to_owned()).or_insert_with(list) {
                Value::List(list) => return list.extend(element.take()),
                Value::Merge(parts) => parts,
                other => {
                    let kept = std::mem::replace(other, Value::Null);
                    *other = Value::Merge(vec![kept, Value::List(element.take().into_iter().collect())]);
                    return;
                }
            };
            match parts.last_mut() {
                Some(Value::List(list)) => list.extend(element.take()),
                _ => parts.push(Value::List(element.take().into_iter().collect())),
            }
        });
    }

    /// Puts another set over this one: sets merge, lists follow one another, and of two other values both stay as parts of
    /// a `lib.mkMerge`, about which NixOS then decides (equal ones merge, priorities count, the rest is its error).
    pub fn merge(&mut self, other: Self) {
        for (name, value) in other.0 {
            match self.0.get_mut(&name) {
                None => {
                    self.0.insert(name, value);
                }
                Some(own) if *own == value && !matches!(own, Value::Attrs(_) | Value::List(_)) => {}
                Some(own) => match (&mut *own, value) {
                    (Value::Attrs(own), Value::Attrs(value)) => own.merge(value),
                    (Value::List(own), Value::List(value)) => own.extend(value),
                    (Value::Merge(parts), Value::Merge(more)) => parts.extend(more),
                    (Value::Merge(parts), value) => parts.push(value),
                    (_, value) => {
                        let kept = std::mem::replace(own, Value::Null);
                        *own = Value::Merge(vec![kept, value]);
                    }
                },
            }
        }
    }

    /// Returns the value at a path.
    pub fn get<T: AsRef<str>>(&self, path: &[T]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        let value = self.0.get(first.as_ref())?;
        match value {
            _ if rest.is_empty() => Some(value),
            Value::Attrs(attrs) => attrs.get(rest),
            _ => None,
        }
    }

    /// Returns the attributes in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns how many attributes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Runs `edit` on the innermost set of a path and the path's last name; sets on the way are made.
    fn edit<T: AsRef<str>>(&mut self, path: &[T], edit: &mut dyn FnMut(&mut Self, &str)) {
        let Some((first, rest)) = path.split_first() else { return };
        if rest.is_empty() {
            return edit(self, first.as_ref());
        }
        let slot = self.0.entry(first.as_ref().to_owned()).or_insert_with(|| Value::Attrs(Self::new()));
        match slot {
            Value::Attrs(attrs) => attrs.edit(rest, edit),
            Value::Merge(parts) => {
                if !matches!(parts.last(), Some(Value::Attrs(_))) {
                    parts.push(Value::Attrs(Self::new()));
                }
                if let Some(Value::Attrs(attrs)) = parts.last_mut() {
                    attrs.edit(rest, edit);
                }
            }
            other => {
                let kept = std::mem::replace(other, Value::Null);
                let mut attrs = Self::new();
                attrs.edit(rest, edit);
                *other = Value::Merge(vec![kept, Value::Attrs(attrs)]);
            }
        }
    }
}

impl<N: Into<String>, V: Into<Value>> FromIterator<(N, V)> for Attrs {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(items: I) -> Self {
        Self(items.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl<'a> IntoIterator for &'a Attrs {
    type Item = (&'a String, &'a Value);
    type IntoIter = indexmap::map::Iter<'a, String, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_was_set_is_lost_on_the_way_to_a_deeper_attribute() {
        let mut attrs = Attrs::new();
        attrs.set(&["a"], Value::from(1));
        attrs.set(&["a", "b"], 2);
        attrs.set(&["a", "c"], 3);
        let set: Attrs = [("b", 2), ("c", 3)].into_iter().collect();
        assert_eq!(attrs.get(&["a"]), Some(&Value::Merge(vec![Value::from(1), Value::Attrs(set)])));
        assert!(attrs.set(&["a"], 4).is_some());
    }

    #[test]
    fn merging_follows_nixos() {
        let mut one = Attrs::new();
        one.push(&["l"], 1);
        one.set(&["s", "a"], true);
        one.set(&["same"], "x");
        one.set(&["different"], "x");
        let mut two = Attrs::new();
        two.push(&["l"], 2);
        two.set(&["s", "b"], true);
        two.set(&["same"], "x");
        two.set(&["different"], "y");
        one.merge(two);
        assert_eq!(one.get(&["l"]), Some(&Value::from(vec![1, 2])));
        assert_eq!(one.get(&["s", "b"]), Some(&Value::Bool(true)));
        assert_eq!(one.get(&["same"]), Some(&Value::from("x")));
        assert_eq!(one.get(&["different"]), Some(&Value::Merge(vec!["x".into(), "y".into()])));
    }
}
