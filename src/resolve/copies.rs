//! Files and folders of the fleet that a host carries: encrypted secrets, files of services, sites.

use super::secrets;
use crate::fleet::decode::inline;
use crate::fleet::scalar::FleetPath;
use crate::fleet::schema::host::HostFile;
use crate::fleet::schema::service_parts::FileHolds;
use crate::fleet::schema::services::Work;
use crate::fleet::schema::workloads::{Site, SiteFiles};
use crate::source::{Asset, Diagnostic, Diagnostics, Sources, Spanned, quoted, secret};

/// A file or folder of the fleet that is copied as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetCopy {
    /// Its path below the fleet's folder.
    pub path: String,
    /// What it holds.
    pub asset: Asset,
}

/// Returns what a host carries, by path and each once; what is not there, or holds a secret in clear, is reported.
pub(super) fn copies(def: &HostFile, sources: &Sources, found: &mut Diagnostics) -> Vec<FleetCopy> {
    let mut all: Vec<FleetCopy> = Vec::new();
    let mut add = |path: &Spanned<FleetPath>, asset: Option<Asset>| {
        let Some(asset) = asset.filter(|_| !all.iter().any(|copy| copy.path == path.as_str())) else { return };
        all.push(FleetCopy { path: path.to_string(), asset });
    };
    for (_, service) in def.services.iter() {
        for file in &service.files {
            let FileHolds::Copy(path) = &file.holds else { continue };
            add(path, plain(path, file_of(path, sources, found), found));
        }
        let Work::Site(site) = &service.work else { continue };
        let SiteFiles::Source(path) = &site.files else { continue };
        add(path, plain(path, any(path, sources, found), found));
    }
    for path in secrets::sealed_files(def) {
        add(path, secrets::check_sealed(def, path, file_of(path, sources, found), found));
    }
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all
}

/// Returns the paths of the files and folders that a definition names.
pub fn named_files(def: &HostFile) -> Vec<&str> {
    let of_services = def.services.iter().flat_map(|(_, service)| {
        let files = service.files.iter().filter_map(|file| match &file.holds {
            FileHolds::Copy(path) => Some(path.as_str()),
            FileHolds::Text(_) => None,
        });
        let site = match &service.work {
            Work::Site(Site { files: SiteFiles::Source(path), .. }) => Some(path.as_str()),
            _ => None,
        };
        files.chain(site)
    });
    let sealed = secrets::sealed_files(def).into_iter().map(|file| file.as_str());
    of_services.chain(sealed).collect()
}

/// Returns what lies under a path; what is not there or was not taken is reported.
fn any(path: &Spanned<FleetPath>, sources: &Sources, found: &mut Diagnostics) -> Option<Asset> {
    let shown = quoted(path.as_str());
    let finding = match sources.asset(path.as_str()) {
        None => Diagnostic::error("reference-unknown", path.place, format!("there is no {shown} in the fleet"))
            .help("a path is written from the fleet's folder on, such as `secrets/web.yaml` or `hosts/web/page.html`"),
        Some(Asset::Refused { rule, message, help }) => {
            Diagnostic::error(rule, path.place, format!("{shown} {message}")).help(help)
        }
        Some(Asset::Folder(files)) if files.is_empty() => {
            Diagnostic::error("value-invalid", path.place, format!("{shown} is a folder without a file"))
                .help("put a file into it")
        }
        Some(asset) => return Some(asset),
    };
    found.push(finding);
    None
}

/// The same for a path that has to be that of a file.
fn file_of(path: &Spanned<FleetPath>, sources: &Sources, found: &mut Diagnostics) -> Option<Asset> {
    let asset = any(path, sources, found)?;
    if matches!(asset, Asset::File(_)) {
        return Some(asset);
    }
    let message = format!("{} is a folder, and a file is wanted", quoted(path.as_str()));
    found.push(Diagnostic::error("value-invalid", path.place, message).help("name a file in it"));
    None
}

/// Looks for secrets in what everybody on the host will be able to read.
fn plain(path: &Spanned<FleetPath>, asset: Option<Asset>, found: &mut Diagnostics) -> Option<Asset> {
    let asset = asset?;
    for (name, file) in asset.files(path.as_str()) {
        let Some(what) = std::str::from_utf8(&file.bytes).ok().and_then(secret::find) else { continue };
        found.push(inline::finding(&quoted(&name), what.as_str(), path.place));
        return None;
    }
    Some(asset)
}
