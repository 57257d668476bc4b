//! Secrets with the file that each lies in, and what uses them.

use super::reference;
use crate::fleet::schema::host::HostFile;
use crate::fleet::schema::web::Tls;
use crate::fleet::words::SecretName;
use crate::source::{Diagnostics, Place, Spanned};

/// The folder in which systemd looks for credentials by name (systemd.exec(5), `LoadCredential=`).
pub const CREDENTIAL_STORE: &str = "/etc/credstore";

/// A secret of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedSecret<'f> {
    /// Its name.
    pub name: &'f str,
    /// Where its name is written.
    pub place: Place,
    /// Its file on the host; never in the store.
    pub path: String,
    /// The account that owns the file.
    pub owner: &'f str,
    /// The file's permissions, octal.
    pub mode: &'f str,
    /// The places that use it.
    pub uses: Vec<Place>,
}

impl ResolvedSecret<'_> {
    /// Tells whether the file is where systemd finds it by the secret's name.
    pub fn is_in_credential_store(&self) -> bool {
        self.path.strip_prefix(CREDENTIAL_STORE).and_then(|rest| rest.strip_prefix('/')) == Some(self.name)
    }
}

/// Returns the secrets that a host defines, in the order of the file; a name that nothing defines is reported.
pub(super) fn secrets<'f>(def: &'f HostFile, found: &mut Diagnostics) -> Vec<ResolvedSecret<'f>> {
    let items = || def.secrets.iter().flat_map(|secrets| secrets.items.iter());
    let used = used(def);
    for name in &used {
        reference("secret", name.as_str(), name.place, items().map(|(name, _)| name.as_str()), found);
    }
    items()
        .map(|(name, item)| ResolvedSecret {
            name,
            place: item.key,
            path: item.path.as_ref().map_or_else(|| format!("{CREDENTIAL_STORE}/{name}"), |path| path.0.to_string()),
            owner: item.owner.as_ref().map_or("root", |owner| owner.as_str()),
            mode: item.mode.as_ref().map_or("0400", |mode| mode.as_str()),
            uses: used.iter().filter(|used| used.as_str() == name).map(|used| used.place).collect(),
        })
        .collect()
}

/// Returns every name of a secret that a definition uses.
fn used(def: &HostFile) -> Vec<&Spanned<SecretName>> {
    let tunnels = def.network.iter().flat_map(|network| network.interfaces.iter());
    let keys = tunnels.filter_map(|(_, interface)| interface.value.wireguard()).flat_map(|wireguard| {
        let shared = wireguard.peers.iter().filter_map(|peer| peer.preshared_key.as_ref());
        std::iter::once(&wireguard.private_key).chain(shared)
    });
    let services = def.services.iter().flat_map(|(_, service)| {
        let container = service.container().and_then(|container| container.registry_login.as_ref());
        let vhosts = service.vhost.0.iter().flat_map(|vhost| {
            let key = match &vhost.tls.value {
                Tls::Files(files) => Some(&files.key),
                _ => None,
            };
            vhost.auth.iter().chain(key)
        });
        service.secrets.iter().map(|secret| &secret.name).chain(container).chain(vhosts)
    });
    let web = def.web.iter().filter_map(|web| web.acme_dns.as_ref()).map(|dns| &dns.credentials);
    let backups = def
        .backup
        .iter()
        .flat_map(|(_, backup)| backup.password.iter().chain(&backup.ssh_key).chain(&backup.credentials));
    let users = def.access.iter().flat_map(|access| access.users.iter());
    keys.chain(services)
        .chain(web)
        .chain(backups)
        .chain(users.filter_map(|(_, user)| user.value.password.as_ref()))
        .collect()
}
