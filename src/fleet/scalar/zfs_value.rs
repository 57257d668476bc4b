//! Values that only ZFS takes: of properties, mount points, places of keys.

use std::fmt;

use super::AbsPath;
use crate::fleet::decode::{Cx, Decode};
use crate::fleet::shape::{Scalar, Shape};
use crate::source::{Kind, Node};

/// A value of a ZFS property: text, a number, or a switch (`true` is `on`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyValue(String);

impl PropertyValue {
    /// Returns the value as `zfs set` takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decode for PropertyValue {
    fn shape() -> Shape {
        let scalar = |form, json| Shape::Scalar(Scalar { form, json, pattern: None, wanted: "a property's value" });
        Shape::OneOf(vec![scalar("str", "string"), scalar("int", "integer"), bool::shape()])
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Str(_) => String::decode(node, cx).map(Self),
            Kind::Int(value) => Some(Self(value.to_string())),
            Kind::Bool(value) => Some(Self(if *value { "on" } else { "off" }.to_owned())),
            _ => cx.invalid(node, "a property's value is text, a number or a switch"),
        }
    }
}

/// The value of the ZFS property `mountpoint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mountpoint {
    /// A path.
    Path(AbsPath),
    /// Mounted nowhere.
    None,
}

impl Mountpoint {
    /// Returns the path, where there is one.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Path(path) => Some(path.as_str()),
            Self::None => None,
        }
    }
}

impl Decode for Mountpoint {
    fn shape() -> Shape {
        let wanted = "an absolute path or `\"none\"`";
        Shape::Scalar(Scalar { form: "path | none", json: "string", pattern: Some("^(/|none$)"), wanted })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        if node.as_str() == Some("none") { Some(Self::None) } else { AbsPath::decode(node, cx).map(Self::Path) }
    }
}

/// Where the key of an encrypted dataset comes from: the value of the ZFS property `keylocation`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyLocation {
    /// Somebody types it.
    Prompt,
    /// A file of the host holds it.
    File(AbsPath),
}

impl KeyLocation {
    /// Returns the file, where there is one.
    pub fn file(&self) -> Option<&AbsPath> {
        match self {
            Self::File(path) => Some(path),
            Self::Prompt => None,
        }
    }
}

impl fmt::Display for KeyLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prompt => f.write_str("prompt"),
            Self::File(path) => write!(f, "file://{path}"),
        }
    }
}

impl crate::fleet::shape::Shown for KeyLocation {
    fn shown(self) -> serde_json::Value {
        serde_json::Value::from(self.to_string())
    }
}

impl Decode for KeyLocation {
    fn shape() -> Shape {
        let wanted = "`\"prompt\"` or `\"file:///PATH\"`";
        Shape::Scalar(Scalar {
            form: "prompt | file:///PATH",
            json: "string",
            pattern: Some("^(prompt$|file:///)"),
            wanted,
        })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let Some(text) = node.as_str() else {
            return cx.invalid(node, "`\"prompt\"`, or `\"file:///PATH\"` is wanted");
        };
        let path = text.strip_prefix("file://").and_then(|path| path.parse::<AbsPath>().ok());
        match (text, path) {
            ("prompt", _) => Some(Self::Prompt),
            (_, Some(path)) if path.as_str() != "/" => Some(Self::File(path)),
            // The value is not repeated: it may be the key itself.
            _ => {
                let message = format!("{} is no place that a key comes from", cx.route());
                let finding = crate::source::Diagnostic::error("value-invalid", node.place, message)
                    .why("a key never stands in a definition: what is compiled is readable for everybody")
                    .help("`\"prompt\"`: somebody types it")
                    .help("`\"file:///etc/zfs/NAME.key\"`: a file on the host holds it");
                cx.found.push(finding);
                None
            }
        }
    }
}
