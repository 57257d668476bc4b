//! What is declared below a name of an option index, one level or all of them.
//!
//! Not here: how a name is found (`options`), and what may stand where nothing is declared (`below`).

use super::options::{OptionIndex, OptionRef, flag};

impl<'a> OptionIndex<'a> {
    /// Returns the names declared directly below a name, sorted; placeholders as they are.
    pub fn members(self, loc: &[&str]) -> Vec<&'a str> {
        let node = self.spot(loc).and_then(|spot| spot.node);
        node.into_iter().flat_map(|node| self.children(node)).filter_map(|child| self.segment(child)).collect()
    }

    /// Returns the members of a submodule instance (`["boot", "initrd", "luks", "devices", "x"]`) that are visible, have no
    /// default and no empty value of their type. NixOS fails on a missing one only when it asks for it, and it asks for
    /// some in certain settings only (nginx's `sslCertificate`): no error follows from this alone.
    pub fn required_members(self, loc: &[&str]) -> Vec<(&'a str, OptionRef<'a>)> {
        self.spot(loc).and_then(|spot| spot.node).map(|node| self.required_below(node)).unwrap_or_default()
    }

    /// Returns the required members of a submodule's instance.
    pub(super) fn required_below(self, node: u32) -> Vec<(&'a str, OptionRef<'a>)> {
        let hidden = flag::HIDDEN | flag::INTERNAL | flag::READ_ONLY | flag::ALIAS | flag::PLACEHOLDER;
        self.children(node)
            .filter(|child| self.flags(*child) & (hidden | flag::REQUIRED) == flag::REQUIRED)
            .filter_map(|node| Some((self.segment(node)?, OptionRef { index: self, node })))
            .filter(|(_, option)| !option.ty().has_empty_value())
            .collect()
    }

    /// Visits every declared option with its name, in the order of the names (placeholders first).
    pub fn each(self, visit: &mut dyn FnMut(&[&'a str], OptionRef<'a>)) {
        self.each_below(&[], visit);
    }

    /// Visits the declared options below a name, which may be an option itself; nothing where there is no such name.
    pub fn each_below<'n>(self, loc: &[&'n str], visit: &mut dyn FnMut(&[&'n str], OptionRef<'a>))
    where
        'a: 'n,
    {
        if let Some(node) = self.spot(loc).and_then(|spot| spot.node) {
            self.walk(node, &mut loc.to_vec(), visit);
        }
    }

    fn walk<'n>(self, node: u32, name: &mut Vec<&'n str>, visit: &mut dyn FnMut(&[&'n str], OptionRef<'a>))
    where
        'a: 'n,
    {
        if self.flags(node) & flag::OPTION != 0 {
            visit(name, OptionRef { index: self, node });
        }
        for child in self.children(node) {
            name.push(self.segment(child).unwrap_or_default());
            self.walk(child, name, visit);
            name.pop();
        }
    }
}
