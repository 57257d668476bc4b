//! A value that conditions of modules compare options with.

use crate::fleet::decode::{Cx, Decode};
use crate::fleet::shape::Shape;
use crate::source::{Kind, Node};

/// A value that an option may be compared with: text, a number, a truth value.
#[derive(Debug, Clone, PartialEq)]
pub struct Literal(pub Node);

impl Decode for Literal {
    fn shape() -> Shape {
        Shape::OneOf(vec![String::shape(), i64::shape(), bool::shape()])
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.kind {
            Kind::Str(_) | Kind::Int(_) | Kind::Bool(_) => Some(Self(node.clone())),
            _ => cx.invalid(node, "text, a whole number, `true` or `false` is wanted"),
        }
    }
}
