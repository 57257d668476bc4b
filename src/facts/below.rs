//! What may stand below a value whose members nobody declares.
//!
//! Not here: declared members, which are nodes of the index (`options`).

use super::types::{Shape, Type};

/// Returns the type of an attribute that is not declared below a value of a type; none when there can be no such
/// attribute. `opaque`: nothing is known about the members of a submodule, so any may be declared.
pub(super) fn below<'a>(ty: Type<'a>, segment: &str, opaque: bool) -> Option<Type<'a>> {
    match ty.shape() {
        Shape::NullOr(element) | Shape::Unique(element) => below(element, segment, opaque),
        Shape::AttrsOf { element, .. } | Shape::Section { element, .. } | Shape::LoaOf(element) => Some(element),
        Shape::Submodule { free: Some(free) } => below(free, segment, opaque),
        Shape::Submodule { free: None } => opaque.then(Type::anything),
        Shape::Coerced { to, from } => {
            let accepted = || from.is_none_or(|from| below(from, segment, true).is_some()).then(Type::anything);
            below(to, segment, opaque).or_else(accepted)
        }
        Shape::Either(alternatives) => {
            let mut found = alternatives.into_iter().filter_map(|alternative| below(alternative, segment, true));
            match (found.next(), found.next()) {
                (Some(only), None) => Some(only),
                (Some(_), Some(_)) => Some(Type::anything()),
                _ => None,
            }
        }
        Shape::AttrTag(tags) => tags.into_iter().find(|(name, _)| *name == segment).map(|(_, ty)| ty),
        Shape::Attrs
        | Shape::Anything
        | Shape::Raw
        | Shape::Unspecified
        | Shape::Value { .. }
        | Shape::FunctionTo(_)
        | Shape::Other(_) => Some(Type::anything()),
        Shape::Bool
        | Shape::Int { .. }
        | Shape::Float
        | Shape::Number { .. }
        | Shape::Str { .. }
        | Shape::NonEmptyStr
        | Shape::SingleLineStr
        | Shape::Pattern(_)
        | Shape::Separated(_)
        | Shape::Path { .. }
        | Shape::Package
        | Shape::ListOf { .. }
        | Shape::Enum(_) => None,
    }
}
