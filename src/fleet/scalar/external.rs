//! Configurations that hostwright does not compile: where Nix finds them.

use super::lock_node::is_path;
use super::word;

/// The attribute that a flake's hosts are found at when a name without dots is given, as `nixos-rebuild` does.
const CONFIGURATIONS: &str = "nixosConfigurations";

fn is_attribute(text: &str) -> bool {
    let start = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"_'-".contains(&b);
    let part = |part: &str| part.bytes().next().is_some_and(start) && part.bytes().all(fits);
    text.len() <= 200 && text.split('.').all(part)
}

word! {
    /// A flake and the NixOS configuration in it: `path-or-url#attribute`.
    FlakeOutput, |text| {
        let wanted = "a flake with a configuration is wanted, such as `.#lufta` or `github:me/machines#nixosConfigurations.lufta`";
        let Some((flake, attribute)) = text.split_once('#') else { return Err(wanted) };
        let plain = !flake.is_empty() && flake.len() <= 500 && !flake.starts_with('-') && flake.bytes().all(|b| (b'!'..=b'~').contains(&b));
        if plain && is_attribute(attribute) { Ok(()) } else { Err(wanted) }
    }
}

impl FlakeOutput {
    /// Returns the flake with the whole path of the configuration: a name alone is one of its `nixosConfigurations`.
    pub fn full(&self) -> String {
        match self.as_str().split_once('#') {
            Some((flake, name)) if !name.contains('.') => format!("{flake}#{CONFIGURATIONS}.{name}"),
            _ => self.as_str().to_owned(),
        }
    }
}

word! {
    /// The path of a Nix file below the fleet's folder.
    NixFile, |text| {
        let wanted = "a Nix file below the fleet's folder is wanted, such as `nixos/default.nix`";
        if is_path(text) { Ok(()) } else { Err(wanted) }
    }
}

word! {
    /// The path of a NixOS configuration within what a Nix file evaluates to.
    ConfigurationPath, |text| {
        let wanted = "the attribute of a NixOS configuration is wanted, such as `lufta` or `hosts.lufta`";
        if is_attribute(text) { Ok(()) } else { Err(wanted) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_is_one_of_the_flakes_configurations() {
        let full = |text: &str| text.parse::<FlakeOutput>().map(|flake| flake.full());
        assert_eq!(full(".#lufta").as_deref(), Ok(".#nixosConfigurations.lufta"));
        assert_eq!(full("github:me/x?dir=a#hosts.lufta").as_deref(), Ok("github:me/x?dir=a#hosts.lufta"));
        for bad in ["lufta", "#lufta", ".#", "--impure#a", ". x#a", ".#a;b", ".#a..b", ".#$(id)", "a#b#c"] {
            assert!(full(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_stays_in_the_fleet() {
        assert!("nixos/default.nix".parse::<NixFile>().is_ok());
        for bad in ["../x.nix", "/etc/nixos/x.nix", "-f", "a/-f", ""] {
            assert!(bad.parse::<NixFile>().is_err(), "{bad}");
        }
    }
}
