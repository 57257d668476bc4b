//! Secrets with the file that each lies in, and what uses them.
//!
//! Where a secret lies follows from who brings it: a file that the installation places, or one that sops-nix or agenix decrypt into
//! memory while the system is activated. Everything else asks for [`ResolvedSecret::path`].

use super::sealed::{self, Fault, Holds, SopsForm};
use super::{ResolvedHost, ResolvedService, reference};
use crate::fleet::Fleet;
use crate::fleet::decode::{Keyed, Word as _, inline};
use crate::fleet::scalar::FleetPath;
use crate::fleet::schema::host::HostFile;
use crate::fleet::schema::secrets::{Provider, SecretItem, Secrets};
use crate::fleet::schema::service_parts::{SecretAs, ServiceSecret};
use crate::fleet::schema::services::Work;
use crate::fleet::schema::web::Tls;
use crate::fleet::words::SecretName;
use crate::source::{Asset, Diagnostic, Diagnostics, Place, Spanned, nearest, quoted};

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
    /// A further path under which it is found, where it lies elsewhere.
    pub link: Option<&'f str>,
    /// The account that owns the file.
    pub owner: &'f str,
    /// The file's permissions, octal.
    pub mode: &'f str,
    /// The encrypted file of the fleet that it comes from; none of one that is placed by hand.
    pub sealed: Option<Sealed<'f>>,
    /// The places that use it.
    pub uses: Vec<Place>,
}

/// Where an encrypted secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed<'f> {
    /// The file, below the fleet's folder.
    pub file: &'f str,
    /// The form of a file of sops, and the key in it; none of age.
    pub sops: Option<(SopsForm, &'f str)>,
    /// Whether accounts are made with it, which is before any other secret is there.
    pub for_users: bool,
}

/// A secret that a service gets as a file of its own, with an owner and permissions of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile<'a> {
    /// The service.
    pub service: &'a str,
    /// The secret.
    pub secret: &'a ResolvedSecret<'a>,
    /// The name of the service's copy, among those of the host.
    pub name: String,
    /// Where that lies.
    pub at: String,
    /// Where the service finds it; in a container a path of the container.
    pub path: Option<&'a str>,
    /// Its owner.
    pub owner: &'a str,
    /// Its permissions, octal.
    pub mode: &'a str,
    /// Where it is asked for.
    pub place: Place,
}

impl ResolvedSecret<'_> {
    /// Tells whether the file is where systemd finds it by the secret's name.
    pub fn is_in_credential_store(&self) -> bool {
        self.path.strip_prefix(CREDENTIAL_STORE).and_then(|rest| rest.strip_prefix('/')) == Some(self.name)
    }
}

/// Returns where the secrets lie that somebody decrypts while the system is activated; nothing of those that are placed.
fn folder(provider: Provider) -> Option<&'static str> {
    match provider {
        Provider::Credentials => None,
        Provider::SopsNix => Some("/run/secrets"),
        Provider::Agenix => Some("/run/agenix"),
    }
}

/// Returns the folder of the copies that services get of secrets which are placed by hand.
pub const COPIES: &str = "/run/hostwright-secrets";

impl ResolvedHost<'_> {
    /// Returns who brings the secrets.
    pub fn secret_provider(&self) -> Provider {
        provider(self.def)
    }

    /// Returns the secrets that running services get as files of their own. A container without an owner and permissions takes the
    /// secret's file itself.
    pub fn secret_files(&self) -> Vec<SecretFile<'_>> {
        self.running()
            .flat_map(|service| service.def.secrets.iter().filter_map(|given| self.secret_file(service, given)))
            .collect()
    }

    /// Returns the file of its own that a service gets of a secret.
    pub fn secret_file<'a>(
        &'a self,
        service: &'a ResolvedService<'_>,
        given: &'a ServiceSecret,
    ) -> Option<SecretFile<'a>> {
        let is_file = given.how.value != SecretAs::Env
            && (given.how.value == SecretAs::File || service.def.container().is_some());
        let plain = service.def.container().is_some() && given.owner.is_none() && given.mode.is_none();
        let secret = self.secret(given.name.as_str()).filter(|_| is_file && !plain)?;
        let of_module = service.module.and_then(|module| module.file.user.as_ref()).map(|user| user.as_str());
        let own = match &service.def.work {
            Work::Command(command) => command.user.as_ref().map_or(service.name, |user| user.as_str()),
            Work::Native(_) => of_module.unwrap_or("root"),
            Work::Container(_) | Work::Site(_) => "root",
        };
        // Neither name holds a dot.
        let name = format!("{}.{}", service.name, secret.name);
        let at = match folder(self.secret_provider()) {
            Some(folder) => format!("{folder}/{name}"),
            None => format!("{COPIES}/{}/{}", service.name, secret.name),
        };
        Some(SecretFile {
            service: service.name,
            secret,
            name,
            at,
            path: given.path.as_ref().map(|path| path.as_str()),
            owner: given.owner.as_ref().map_or(own, |owner| owner.0.as_str()),
            mode: given.mode.as_ref().map_or("0400", |mode| mode.as_str()),
            place: given.name.place,
        })
    }
}

fn provider(def: &HostFile) -> Provider {
    def.secrets.as_ref().map_or(Provider::Credentials, |secrets| secrets.provider.value)
}

/// Returns the secrets that a host defines, in the order of the file; a name that nothing defines is reported, and so is what the
/// provider of the secrets cannot do.
pub(super) fn secrets<'f>(fleet: &Fleet, def: &'f HostFile, found: &mut Diagnostics) -> Vec<ResolvedSecret<'f>> {
    let items = || def.secrets.iter().flat_map(|secrets| secrets.items.iter());
    let used = used(def);
    for name in &used {
        reference("secret", name.as_str(), name.place, items().map(|(name, _)| name.as_str()), found);
    }
    if let Some(secrets) = &def.secrets {
        input(fleet, secrets, found);
        keys(secrets, found);
    }
    let provider = provider(def);
    let passwords: Vec<&str> = passwords(def).map(|name| name.as_str()).collect();
    items()
        .map(|(name, item)| {
            let is_password = passwords.contains(&name.as_str());
            // Accounts are made with it, before other secrets are there.
            let is_early = provider == Provider::SopsNix && is_password;
            let sealed = sealed_of(def, name, item, is_password);
            let own = item.path.as_ref().map(|path| path.0.as_str());
            let (path, link) = match folder(provider) {
                None => (own.map_or_else(|| format!("{CREDENTIAL_STORE}/{name}"), str::to_owned), None),
                Some(folder) if is_early => (format!("{folder}-for-users/{name}"), own),
                Some(folder) => (format!("{folder}/{name}"), own),
            };
            let secret = ResolvedSecret {
                name,
                place: item.key,
                link: link.filter(|link| *link != path),
                path,
                owner: item.owner.as_ref().map_or("root", |owner| owner.as_str()),
                mode: item.mode.as_ref().map_or("0400", |mode| mode.as_str()),
                sealed,
                uses: used.iter().filter(|used| used.as_str() == name).map(|used| used.place).collect(),
            };
            if let Some(owner) = item.owner.as_ref().filter(|owner| is_early && owner.as_str() != "root") {
                let message = format!("the secret `{name}` is a password of an account, and belongs to `{}`", owner.as_str());
                found.push(
                    Diagnostic::error("value-invalid", owner.place, message)
                        .why("sops-nix decrypts it before there are accounts, so that it can belong to root alone")
                        .help("leave `owner` out; a second secret with the same `file` and `key` may belong to somebody else"),
                );
            }
            secret
        })
        .collect()
}

/// Returns the encrypted file of a secret; what lacks one was reported.
fn sealed_of<'f>(def: &'f HostFile, name: &'f str, item: &'f Keyed<SecretItem>, for_users: bool) -> Option<Sealed<'f>> {
    let secrets = def.secrets.as_ref()?;
    let (file, sops) = match secrets.provider.value {
        Provider::Credentials => return None,
        Provider::Agenix => (item.file.as_ref()?, None),
        Provider::SopsNix => {
            let file = item.file.as_ref().or(secrets.file.as_ref())?;
            let form = SopsForm::of(file.as_str());
            let key = if form.has_keys() { item.value.key.as_ref().map_or(name, |key| key.value.as_str()) } else { "" };
            (file, Some((form, key)))
        }
    };
    Some(Sealed { file: file.as_str(), sops, for_users })
}

/// Reports an input that the provider of the secrets needs.
fn input(fleet: &Fleet, secrets: &Secrets, found: &mut Diagnostics) {
    let (url, module) = match secrets.provider.value {
        Provider::Credentials => return,
        Provider::SopsNix => ("github:Mic92/sops-nix", "nixosModules.sops"),
        Provider::Agenix => ("github:ryantm/agenix", "nixosModules.default"),
    };
    let name = secrets.provider.value.word();
    let finding = match fleet.file.inputs.get(name) {
        Some(input) if input.module.is_some() => return,
        Some(input) => {
            Diagnostic::error("key-missing", input.key, format!("the input `{name}` lacks the key `module`"))
                .related(secrets.provider.place, "brings the secrets of this host")
                .help(format!("add `module = \"{module}\"`: what its flake has for NixOS"))
        }
        None => {
            let message = format!("`secrets.provider` is `{name}`, and the fleet has no input of that name");
            Diagnostic::error("reference-unknown", secrets.provider.place, message).help(format!(
                "in fleet.toml: `inputs.{name} = {{ url = \"{url}\", module = \"{module}\" }}`, with its `rev` and `hash`"
            ))
        }
    };
    found.push(finding);
}

/// Reports keys that the provider of the secrets has no use for, and those that it lacks.
fn keys(secrets: &Secrets, found: &mut Diagnostics) {
    let provider = secrets.provider.value;
    let mut unused = |key: &str, place: Place, why: &str, help: &str| {
        let message = format!("`{key}` has no meaning here: {why}");
        found.push(Diagnostic::error("value-invalid", place, message).help(help.to_owned()));
    };
    let by_hand = "`provider = \"sops-nix\"` or `\"agenix\"` takes secrets from encrypted files";
    if let Some(file) = &secrets.file {
        match provider {
            Provider::Credentials => unused("file", file.place, "secrets are placed on the host by hand", by_hand),
            Provider::Agenix => {
                unused(
                    "file",
                    file.place,
                    "a file of agenix holds one secret",
                    "name the file of each in `secrets.items`",
                );
            }
            Provider::SopsNix => {}
        }
    }
    for (_, item) in secrets.items.iter() {
        let file = item.file.as_ref().or(secrets.file.as_ref());
        match (provider, &item.file, &item.value.key) {
            (Provider::Credentials, Some(file), _) => {
                unused("file", file.place, "secrets are placed on the host by hand", by_hand);
            }
            (Provider::Credentials, None, Some(key)) => {
                unused("key", key.place, "secrets are placed on the host by hand, a file each", by_hand);
            }
            (Provider::Agenix, _, Some(key)) => {
                unused(
                    "key",
                    key.place,
                    "a file of agenix holds one secret",
                    "leave it out, and name the secret's own `file`",
                );
            }
            (Provider::SopsNix, _, Some(key)) if file.is_some_and(|file| !SopsForm::of(file.as_str()).has_keys()) => {
                unused(
                    "key",
                    key.place,
                    "only files of YAML and JSON have keys",
                    "leave it out: the whole file is the secret",
                );
            }
            _ => {}
        }
    }
    for (name, item) in secrets.items.iter().filter(|(_, item)| item.file.is_none()) {
        let help = match provider {
            Provider::Agenix => format!("`{name} = {{ file = \"secrets/{name}.age\" }}`"),
            Provider::SopsNix if secrets.file.is_none() => {
                format!("`secrets.file = \"secrets/web.yaml\"` for all of them, or `{name} = {{ file = \"…\" }}`")
            }
            _ => continue,
        };
        let message = format!("the secret `{name}` has no `file`");
        found.push(Diagnostic::error("key-missing", item.key, message).help(help));
    }
}

/// Returns the encrypted files that a host's secrets come from, each where it is named first.
pub(super) fn sealed_files(def: &HostFile) -> Vec<&Spanned<FleetPath>> {
    let mut all: Vec<&Spanned<FleetPath>> = Vec::new();
    let named = def.secrets.iter().flat_map(|secrets| {
        let items = secrets.items.iter().filter_map(|(_, item)| item.file.as_ref());
        items.chain(&secrets.file)
    });
    for file in named {
        if !all.iter().any(|known| known.value == file.value) {
            all.push(file);
        }
    }
    all
}

/// Checks an encrypted file of the fleet as the provider of the secrets reads it, and hands it on if it is one.
pub(super) fn check_sealed(
    def: &HostFile,
    path: &Spanned<FleetPath>,
    asset: Option<Asset>,
    found: &mut Diagnostics,
) -> Option<Asset> {
    let secrets = def.secrets.as_ref()?;
    match secrets.provider.value {
        // What has no use for it has been reported.
        Provider::Credentials => None,
        Provider::Agenix => age(path, asset, found),
        Provider::SopsNix => sops(secrets, path, asset, found),
    }
}

fn age(path: &Spanned<FleetPath>, asset: Option<Asset>, found: &mut Diagnostics) -> Option<Asset> {
    let Some(Asset::File(file)) = &asset else { return None };
    if let Err(fault) = sealed::age(&file.bytes) {
        let path_shown = path.as_str();
        report(path, fault, &format!("`agenix -e {path_shown}` makes it anew"), found);
        return None;
    }
    asset
}

fn sops(secrets: &Secrets, path: &Spanned<FleetPath>, asset: Option<Asset>, found: &mut Diagnostics) -> Option<Asset> {
    let Some(Asset::File(file)) = &asset else { return None };
    let form = SopsForm::of(path.as_str());
    let leaves = match sealed::sops(form, &file.bytes) {
        Ok(leaves) => leaves,
        Err(fault) => {
            report(path, fault, &format!("`sops encrypt --in-place {}` encrypts it", path.as_str()), found);
            return None;
        }
    };
    let of_file =
        |item: &SecretItem| item.file.as_ref().or(secrets.file.as_ref()).is_some_and(|own| own.value == path.value);
    for (name, item) in secrets.items.iter().filter(|(_, item)| form.has_keys() && of_file(&item.value)) {
        let (key, place) =
            item.value.key.as_ref().map_or((name.as_str(), item.key), |key| (key.value.as_str(), key.place));
        if key.is_empty() {
            continue;
        }
        let shown = quoted(path.as_str());
        if form == SopsForm::Json && key.contains('/') {
            let message = format!("the key {} lies below another one in {shown}", quoted(key));
            found.push(
                Diagnostic::error("value-invalid", place, message)
                    .why("sops-nix finds keys within others in YAML alone")
                    .help("put it at the top of the file, or keep the secrets in YAML"),
            );
            continue;
        }
        match leaves.iter().find(|leaf| leaf.route == key).map(|leaf| leaf.holds) {
            Some(Holds::SealedNumber) => {
                let message = format!("the key {} of {shown} is no text", quoted(key));
                found.push(
                    Diagnostic::error("value-invalid", place, message)
                        .why(
                            "sops-nix takes text alone, and puts none of its secrets onto the host when one is no text",
                        )
                        .help(format!("`sops edit {}`, and write it in quotes", path.as_str())),
                );
            }
            Some(Holds::Sealed) => {}
            Some(Holds::Clear) => {
                found.push(inline::finding(&format!("the key {} of {shown}", quoted(key)), "a secret in clear", place));
            }
            Some(Holds::Nothing) => {
                let message = format!("the key {} of {shown} is empty", quoted(key));
                found.push(
                    Diagnostic::error("value-invalid", place, message).help(format!("`sops edit {}`", path.as_str())),
                );
            }
            None => {
                let below = format!("{key}/");
                let is_table = leaves.iter().any(|leaf| leaf.route.starts_with(&below));
                let message = match is_table {
                    true => format!("the key {} of {shown} holds further keys and no secret", quoted(key)),
                    false => format!("{shown} has no key {}", quoted(key)),
                };
                let finding = Diagnostic::error("reference-unknown", place, message);
                let routes = || leaves.iter().map(|leaf| leaf.route.as_str()).filter(|route| !route.is_empty());
                found.push(match nearest(key, routes()).first() {
                    Some(near) => finding.help(format!("nearest: {}", quoted(near))),
                    None => finding.help(format!(
                        "`sops edit {}` adds it; `key` names another one, levels with `/` between them",
                        path.as_str()
                    )),
                });
            }
        }
    }
    asset
}

fn report(path: &Spanned<FleetPath>, fault: Fault, help: &str, found: &mut Diagnostics) {
    let shown = quoted(path.as_str());
    found.push(match fault {
        Fault::Clear(what) => Diagnostic::error("secret-inline", path.place, format!("{shown} is not encrypted: {what}"))
            .label("would be copied into out/ as it is")
            .why("what is in clear lands in the store of every machine that builds or runs the host, where every account and program reads it")
            .help(help.to_owned())
            .help("make new secrets if it was ever in version control like this"),
        Fault::Strange(what) => Diagnostic::error("file-unreadable", path.place, format!("{shown} cannot be read: {what}"))
            .help(help.to_owned()),
    });
}

/// Returns the secrets that are passwords of accounts.
fn passwords(def: &HostFile) -> impl Iterator<Item = &Spanned<SecretName>> {
    let users = def.access.iter().flat_map(|access| access.users.iter());
    users.filter_map(|(_, user)| user.value.password.as_ref())
}

/// Reports a webhook of the deployer's timer that is no secret of the host that the deployer is. Of a deployer that is no host of the
/// fleet nothing is known.
pub(super) fn webhook(fleet: &Fleet, found: &mut Diagnostics) {
    let Some(deployer) = &fleet.file.deployer else { return };
    let webhook = deployer.timer.as_ref().and_then(|timer| timer.webhook.as_ref());
    let (Some(name), Some(host)) = (webhook, fleet.hosts.get(deployer.name.as_str())) else { return };
    let items = host.def.secrets.iter().flat_map(|secrets| secrets.items.iter());
    reference("secret", name.as_str(), name.place, items.map(|(name, _)| name.as_str()), found);
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
    keys.chain(services).chain(web).chain(backups).chain(passwords(def)).collect()
}
