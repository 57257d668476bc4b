//! The target languages as text: one quoting type for each, and templates in which every value is quoted by it.
//!
//! Here belong: what a string must look like to be one word of a shell, one string of Nix, plain words of Markdown or
//! HTML, and the template engine that applies this to every `{{ … }}`. Not here: Nix values and files (`nix`), what the
//! text says (`compile`, `report`).
//!
//! Invariant: whatever a string holds, in its quoted form the language reads exactly that string; what the language
//! cannot hold at all (a NUL) becomes an expression that stops with a message, never a different string.

mod curl;
mod html;
mod mail;
mod markdown;
mod nix;
mod position;
mod scan;
mod shell;
mod systemd;
mod template;
#[cfg(test)]
mod template_tests;

pub use curl::curl_setting;
pub use html::Html;
pub use mail::{chat_code, mail_header};
pub use markdown::Md;
pub(crate) use nix::NUL_THROW;
pub use nix::{NixFloat, NixFloatError, NixString, NulInNix, nix_attribute, nix_int};
pub use shell::{ShellCommand, ShellWord};
pub use systemd::{exec_line, specifier_free, tmpfiles_path};
pub use template::{EMBEDDED, Language, TemplateError, Templates};

/// Tells whether a character does not show, or changes how its neighbours show.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
