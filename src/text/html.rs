//! The quoting type of HTML: text and attribute values.

use std::fmt;

use super::is_hidden;

/// HTML in which everything from outside is text: it opens no tag, ends no quoted attribute value.
///
/// Written as a string by serde, so that a template prints it with `| safe`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Html(String);

impl Html {
    /// Escapes text for the place between tags or in a quoted attribute value. Control characters and those that change
    /// the direction of text show as `\u{…}`.
    pub fn text(text: &str) -> Self {
        let mut out = String::with_capacity(text.len() + text.len() / 8);
        for c in text.chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                '\n' | '\t' => out.push(c),
                _ if is_hidden(c) => out.extend(c.escape_unicode()),
                _ => out.push(c),
            }
        }
        Self(out)
    }

    /// Escapes a sentence; what stands in backticks becomes code.
    pub fn prose(text: &str) -> Self {
        let mut out = String::with_capacity(text.len() + text.len() / 4);
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('`') {
            let Some((code, behind)) = behind.split_once('`') else { break };
            out.push_str(Self::text(before).as_str());
            out.push_str("<code>");
            out.push_str(Self::text(code).as_str());
            out.push_str("</code>");
            rest = behind;
        }
        out.push_str(Self::text(rest).as_str());
        Self(out)
    }

    /// Returns an attribute with its value in double quotes: ` name="value"` with the space before it.
    pub fn attribute(name: &'static str, value: &str) -> Self {
        Self(format!(" {name}=\"{}\"", Self::text(value)))
    }

    /// Returns the HTML.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_opens_no_tag_and_ends_no_attribute() {
        assert_eq!(Html::text("<a b='\"&\u{1b}\">").as_str(), "&lt;a b=&#39;&quot;&amp;\\u{1b}&quot;&gt;");
        assert_eq!(Html::attribute("title", "a\"b").as_str(), " title=\"a&quot;b\"");
        assert_eq!(Html::prose("<b> `<i>` `").as_str(), "&lt;b&gt; <code>&lt;i&gt;</code> `");
        assert_eq!(Html::prose("`a``b`").as_str(), "<code>a</code><code>b</code>");
    }
}
