//! files/: what a host carries of the fleet as it is, byte for byte, and how Nix names it.

use std::collections::BTreeMap;

use super::OutFile;
use crate::nix::{Expr, Value};
use crate::resolve::ResolvedHost;
use crate::source::AssetFile;

/// The folder of copies in a host's folder.
const FOLDER: &str = "files";

/// Returns the copies of a host, for its folder in out/.
pub(super) fn files(host: &ResolvedHost<'_>) -> Vec<OutFile> {
    // A folder may hold a file that is named by itself, too.
    let members: BTreeMap<String, &AssetFile> =
        host.copies.iter().flat_map(|copy| copy.asset.files(&copy.path)).collect();
    let of = |(path, file): (String, &AssetFile)| OutFile {
        path: format!("{FOLDER}/{path}"),
        bytes: file.bytes.to_vec(),
        executable: file.executable,
    };
    members.into_iter().map(of).collect()
}

/// Returns a copy as a path of Nix, which its evaluation takes into the store; `path` is that below the fleet's folder.
pub(super) fn path(path: &str) -> Value {
    Value::path(&format!("./{FOLDER}/{path}")).unwrap_or(Value::Null)
}

/// Returns a copy as an expression, for text that holds its place in the store.
pub(super) fn expr(path: &str) -> Option<Expr> {
    Expr::parse(&format!("./{FOLDER}/{path}")).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fleet::scalar::FleetPath;

    proptest! {
        #[test]
        fn every_path_of_a_fleet_is_one_of_nix(text in "[A-Za-z0-9_][A-Za-z0-9._+-]{0,5}(/[A-Za-z0-9_][A-Za-z0-9._+-]{0,5}){0,3}") {
            prop_assume!(text.parse::<FleetPath>().is_ok());
            prop_assert_ne!(path(&text), Value::Null);
            prop_assert_eq!(expr(&text).map(|expr| expr.as_str().to_owned()), Some(format!("./files/{text}")));
        }
    }
}
