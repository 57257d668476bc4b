//! A key that is not there when it is needed: of a store of secrets, of the initrd's ssh server, a secret itself.

use std::collections::BTreeMap;

use crate::check::nixos;
use crate::check::recipients::Recipient;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::machine::Method;
use crate::fleet::schema::secrets::Provider;
use crate::resolve::{BootFileKind, Mount, MountSource, ResolvedHost, boot_files, persistent_path};
use crate::source::{Asset, Level, Node, Place, quoted};
use crate::units::lies_in;

pub(super) static RULE: Rule = Rule {
    id: "secret-key-absent-at-boot",
    group: Group::Access,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "a key is not there when the boot needs it",
    doc: include_str!("secret_key_absent_at_boot.md"),
    check: Check::Host(check),
};

/// The key that sops-nix and agenix decrypt with where nothing else is written: that of the ssh server.
const HOST_KEY: &str = "/etc/ssh/ssh_host_ed25519_key";

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for store in stores(cx.host) {
        judge(cx, &store, found);
    }
    if nixos::setting(cx.host, &["sops"]).is_none() && nixos::setting(cx.host, &["age"]).is_none() {
        let words = ["sops.age", "sops.defaultSopsFile", "sops.secrets", "age.secrets", "age.identityPaths"];
        if let Some(file) = nixos::file_with(cx, &words) {
            found.unchecked(format!("{} sets up a store of secrets", quoted(file)));
        }
    }
    for_others(cx, found);
    placed(cx.host, found);
}

/// Options that give a store another key than the ssh server's.
const OTHER_KEYS: [&[&str]; 3] = [&["sops", "age"], &["sops", "gnupg"], &["age", "identityPaths"]];

/// Encrypted files that the host's ssh key does not open, where the definition says which key that is.
fn for_others(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    let keys: Vec<Recipient> =
        host.host_keys().into_iter().filter_map(|(kind, blob)| Recipient::of(kind, blob)).collect();
    let sealed = || host.secrets.iter().filter_map(|secret| Some((secret, secret.sealed.as_ref()?)));
    if keys.is_empty() || sealed().next().is_none() {
        return;
    }
    let of_age = keys.iter().find_map(|key| key.age.as_deref());
    if OTHER_KEYS.iter().any(|route| nixos::setting(host, route).is_some()) {
        return;
    }
    if let Some(file) = nixos::file_with(cx, &["sops.age", "sops.gnupg", "identityPaths"]) {
        found.unchecked(format!("{} may say with which key secrets are decrypted", quoted(file)));
        return;
    }
    let mut known: Vec<&str> = Vec::new();
    for (secret, sealed) in sealed() {
        let copy = host.copies.iter().find(|copy| copy.path == sealed.file);
        let Some(Asset::File(file)) = copy.map(|copy| &copy.asset) else { continue };
        let opens = |key: &Recipient| match sealed.sops {
            Some(_) => key.opens_sops(&file.bytes),
            None => key.opens_age(&file.bytes),
        };
        if known.contains(&sealed.file) || keys.iter().any(opens) {
            continue;
        }
        known.push(sealed.file);
        let shown = quoted(sealed.file);
        let finding = Finding::at(secret.place, format!("{shown} is not encrypted for the key of this host"))
            .label("cannot be decrypted on the host")
            .why(
                "the system boots and its secrets are missing: with sops-nix all of them, since it stops at the first",
            );
        found.report(match (sealed.sops, of_age) {
            (Some(_), Some(of_age)) => finding.help(format!(
                "`{of_age}` among the keys of {shown} in .sops.yaml, then `sops updatekeys {}`",
                sealed.file
            )),
            (Some(_), None) => finding
                .help("`access.host-keys` as `ssh-keyscan` prints it: what is written there is no key of ed25519"),
            (None, _) => finding.help(format!(
                "the host's key among the `publicKeys` of {shown} in secrets.nix, then `agenix --rekey`"
            )),
        });
    }
}

/// A store of secrets that is decrypted while the system is activated: before systemd runs, and so before it mounts anything.
struct Store {
    name: &'static str,
    /// Its keys, of which any one is enough, each with the place that names it.
    keys: Vec<(String, Place)>,
    /// Whether a key that is not there is made, which decrypts nothing.
    makes_keys: bool,
    /// Whether a unit decrypts, once the file systems are mounted.
    by_unit: bool,
}

fn stores(host: &ResolvedHost<'_>) -> Vec<Store> {
    let set = |route: &[&str]| nixos::setting(host, route);
    let on = |route: &[&str]| nixos::switch(host, route).is_some_and(|(on, _)| on);
    let paths = |route: &[&str]| -> Vec<(String, Place)> {
        let items = set(route).and_then(Node::as_list).unwrap_or_default();
        items.iter().filter_map(|item| Some((item.node.as_str()?.to_owned(), item.node.place))).collect()
    };
    let mut stores = Vec::new();
    // What the definition names in `[secrets]`.
    let provided = host.secrets.iter().find(|secret| secret.sealed.is_some()).map(|secret| secret.place);
    let by = |provider| provided.filter(|_| host.secret_provider() == provider);
    if let Some(place) = set(&["sops"]).map(|sops| sops.place).or(by(Provider::SopsNix)) {
        let mut keys = paths(&["sops", "age", "sshKeyPaths"]);
        keys.extend(paths(&["sops", "gnupg", "sshKeyPaths"]));
        keys.extend(set(&["sops", "age", "keyFile"]).and_then(|file| Some((file.as_str()?.to_owned(), file.place))));
        let is_open = ["age", "gnupg"].iter().any(|kind| {
            let written = ["sshKeyPaths", "keyFile", "home"].iter().any(|key| set(&["sops", kind, key]).is_some());
            written && keys.is_empty()
        });
        if keys.is_empty() && !is_open {
            keys.push((host_key(host, by(Provider::SopsNix).is_some()), place));
        }
        let by_unit = on(&["sops", "useSystemdActivation"]);
        stores.push(Store { name: "sops-nix", keys, makes_keys: on(&["sops", "age", "generateKey"]), by_unit });
    }
    if let Some(place) = set(&["age"]).map(|age| age.place).or(by(Provider::Agenix)) {
        let mut keys = paths(&["age", "identityPaths"]);
        if keys.is_empty() && set(&["age", "identityPaths"]).is_none() {
            keys.push((host_key(host, by(Provider::Agenix).is_some()), place));
        }
        stores.push(Store { name: "agenix", keys, makes_keys: false, by_unit: false });
    }
    stores
}

/// Returns the ssh server's key, which a store decrypts with: where it is kept, for secrets of the definition.
fn host_key(host: &ResolvedHost<'_>, is_provided: bool) -> String {
    if is_provided { persistent_path(host, HOST_KEY) } else { HOST_KEY.to_owned() }
}

/// Why a file is not there when it is needed.
enum Absence<'a> {
    /// It lies on a root that forgets.
    Forgotten(&'a Mount<'a>),
    /// Its file system is mounted by then only in the running system.
    MountedLater(&'a Mount<'a>),
    /// It is a link that is made while the system is activated, among other things.
    LinkedLater(Place),
    /// Nobody brings it to a machine that is to be installed.
    NotBrought,
}

fn judge(cx: &HostCx<'_>, store: &Store, found: &mut Findings) {
    let absent = |(path, place): &(String, Place)| Some((absence(cx.host, store, path)?, path.clone(), *place));
    let mut missing: Vec<(Absence<'_>, String, Place)> = store.keys.iter().filter_map(absent).collect();
    if missing.is_empty() || missing.len() < store.keys.len() {
        return;
    }
    let (why, path, place) = missing.swap_remove(0);
    // The ssh server's own key on a root in memory is what `ephemeral-root-loses` speaks of.
    if matches!(why, Absence::Forgotten(root) if is_memory(root)) && path == HOST_KEY {
        return;
    }
    let shown = quoted(&path);
    let finding = Finding::at(place, format!("{} cannot decrypt at boot: {shown} is not there", store.name));
    let finding = match why {
        Absence::Forgotten(root) => finding
            .label("lies on a root that forgets")
            .related(root.place, "emptied at every boot")
            .help(kept(cx.host, &path)),
        Absence::MountedLater(mount) => finding
            .label("needed while the system is activated")
            .related(mount.place, format!("`{}` is mounted after that", mount.path))
            .help(format!("`nixos.fileSystems.\"{}\".neededForBoot = true`", mount.path))
            .help("a key on a file system that the initrd mounts"),
        Absence::LinkedLater(link) => finding
            .label("needed while the system is activated")
            .related(link, "a link that the activation makes, too late")
            .help(kept(cx.host, &path)),
        Absence::NotBrought => finding
            .label("on a machine that is to be installed")
            .help(format!("a secret of the definition: `[secrets.items.store-key] path = \"{path}\"`; the installation then places it"))
            .help("the ssh host key as the store's key: the installation places that"),
    };
    found.report(finding.why(
        "the system boots and every secret is missing: services do not start, accounts have no password, and nobody may be able to log in",
    ));
}

fn kept(host: &ResolvedHost<'_>, path: &str) -> String {
    let root = host.def.persistence.as_ref().map_or("/persist", |persistence| persistence.root.as_str());
    format!("the place where it is kept, written out: `{}{path}`", root.trim_end_matches('/'))
}

fn absence<'a>(host: &'a ResolvedHost<'_>, store: &Store, path: &str) -> Option<Absence<'a>> {
    let linked = host.def.persistence.iter().flat_map(|persistence| &persistence.files);
    if let Some(link) = linked.into_iter().find(|file| file.as_str() == path) {
        return (!store.by_unit).then_some(Absence::LinkedLater(link.place));
    }
    let mount = host.mount_of(path)?;
    if forgets(mount) {
        return Some(Absence::Forgotten(mount));
    }
    let said_early = nixos::switch(host, &["fileSystems", mount.path, "neededForBoot"]).is_some_and(|(early, _)| early);
    if mount.path != "/" && !host.is_early(mount) && !said_early && !store.by_unit {
        return Some(Absence::MountedLater(mount));
    }
    let brought =
        lies_in(path, "/etc/ssh") || boot_files(host).iter().any(|file| file.path == persistent_path(host, path));
    let in_ssh = path.contains("ssh_host_");
    (is_to_be_installed(host) && !brought && !in_ssh && !store.makes_keys).then_some(Absence::NotBrought)
}

/// Tells whether nothing of the host runs yet: an installer is to put it on the disks, and the facts show no NixOS of its own.
fn is_to_be_installed(host: &ResolvedHost<'_>) -> bool {
    let runs = host.source.facts.as_ref().and_then(|facts| facts.system.as_ref());
    let runs = runs.is_some_and(|system| system.generations.as_ref().is_none_or(|all| !all.is_empty()));
    host.def.installer.as_ref().is_some_and(|installer| installer.method.value != Method::Existing) && !runs
}

fn forgets(mount: &Mount<'_>) -> bool {
    is_memory(mount) || matches!(&mount.source, MountSource::Dataset { def, .. } if def.rollback.is_some())
}

fn is_memory(mount: &Mount<'_>) -> bool {
    matches!(&mount.source, MountSource::Foreign(def) if matches!(def.kind.as_str(), "tmpfs" | "ramfs"))
}

/// Files that the installation places and that the first boot forgets: keys of the initrd, which are read each time the boot loader is
/// installed, and secrets.
fn placed(host: &ResolvedHost<'_>, found: &mut Findings) {
    let mut by_folder: BTreeMap<String, Vec<(String, Place, bool)>> = BTreeMap::new();
    let is_lost = |path: &str| host.mount_of(path).is_some_and(forgets);
    for file in boot_files(host).into_iter().filter(|file| is_lost(&file.path)) {
        let folder = file.path.rsplit_once('/').map_or("/", |(folder, _)| folder).to_owned();
        let is_key = file.kind == BootFileKind::HostKey;
        by_folder.entry(folder).or_default().push((file.path, file.place, is_key));
    }
    for (folder, files) in by_folder {
        let Some((path, place, is_key)) = files.first() else { continue };
        let Some(root) = host.mount_of(path) else { continue };
        let mut finding = Finding::at(*place, format!("{} is gone after the first boot", quoted(path)))
            .label("placed by the installation")
            .related(root.place, format!("`{}` forgets at every boot", root.path));
        for (path, place, _) in files.iter().skip(1).take(3) {
            finding = finding.related(*place, format!("and {}", quoted(path)));
        }
        let lost = if *is_key {
            "the initrd gets its ssh host key when the boot loader is installed: the next deployment ends there"
        } else {
            "what uses it does not work from the second boot on"
        };
        found.report(
            finding
                .why(lost)
                .help(format!("`\"{folder}\"` in `persistence.directories`"))
                .help("a path on a file system that stays as it is"),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    const TMPFS: &str = "filesystems.'/' = { type = 'tmpfs', size = '2GiB' }\n";
    const DISK: &str = "disks.main = { id = 'ata-M', size = '512GB', partitions = [{ name = 'bios', role = 'bios-boot', size = '1MiB' }, \
                        { name = 'boot', role = 'filesystem', size = '2GiB', mount = '/boot' }, \
                        { name = 'nix', role = 'filesystem', size = 'rest', format = 'ext4', mount = '/nix' }] }\n";
    const POOL: &str = "disks.main = { id = 'ata-M', size = '512GB', partitions = [{ name = 'bios', role = 'bios-boot', size = '1MiB' }, \
                        { name = 'boot', role = 'filesystem', size = '2GiB', mount = '/boot' }, { name = 'p', role = 'zfs', size = 'rest' }] }\n\
                        zfs.pools.rpool.vdevs = [{ type = 'stripe', members = ['main.p'] }]\n\
                        zfs.pools.rpool.datasets = { root = { mount = '/', rollback = 'blank' }, persist = { mount = '/persist' }, srv = { mount = '/srv' } }\n";

    fn of(host: &str) -> Vec<String> {
        said("secret-key-absent-at-boot", host)
    }

    fn keep(directories: &str, files: &str) -> String {
        format!("persistence = {{ root = '/nix/persist', directories = [{directories}], files = [{files}] }}\n")
    }

    #[test]
    fn a_root_that_stays_keeps_every_key() {
        assert!(of("nixos.sops.age.sshKeyPaths = ['/etc/ssh/ssh_host_ed25519_key']\n").is_empty());
        assert!(of("nixos.age.secrets.a.file = 'a.age'\nsecrets.items.a = {}\n").is_empty());
    }

    #[test]
    fn a_root_that_forgets_takes_the_key_of_a_store_along() {
        let sops = "nixos.sops.age.keyFile = '/var/lib/sops-nix/key.txt'\n";
        assert_eq!(of(&format!("{TMPFS}{DISK}{sops}")).len(), 1);
        assert!(of(&format!("{TMPFS}{DISK}{}{sops}", keep("'/var/lib/sops-nix'", ""))).is_empty());
        // The ssh server's own key is `ephemeral-root-loses` where the root is memory, and nobody's where it is rolled back.
        let agenix = "nixos.age.secrets.a.file = 'a.age'\n";
        assert!(of(&format!("{TMPFS}{DISK}{agenix}")).is_empty());
        assert_eq!(of(&format!("{POOL}{agenix}")).len(), 1);
        let written = "nixos.age.identityPaths = ['/persist/etc/ssh/ssh_host_ed25519_key']\n";
        assert_eq!(
            of(&format!("{POOL}{written}")),
            ["error: agenix cannot decrypt at boot: `/persist/etc/ssh/ssh_host_ed25519_key` is not there"],
            "mounted late"
        );
        let early = "nixos.fileSystems.'/persist'.neededForBoot = true\n";
        assert!(of(&format!("{POOL}{written}{early}")).is_empty());
        let two = "nixos.age.identityPaths = ['/gone', '/boot/key']\n";
        assert_eq!(of(&format!("{POOL}{two}")).len(), 1);
    }

    #[test]
    fn a_link_comes_too_late_for_what_runs_while_the_system_is_activated() {
        let link = keep("'/var/lib/nixos'", "'/etc/ssh/ssh_host_ed25519_key'");
        let sops = "nixos.sops.secrets.a = {}\n";
        assert_eq!(of(&format!("{TMPFS}{DISK}{link}{sops}")).len(), 1);
        let unit = "nixos.sops.useSystemdActivation = true\n";
        assert!(of(&format!("{TMPFS}{DISK}{link}{sops}{unit}")).is_empty());
        let folder = keep("'/var/lib/nixos', '/etc/ssh'", "");
        assert!(of(&format!("{TMPFS}{DISK}{folder}{sops}")).is_empty());
    }

    #[test]
    fn a_key_that_nobody_brings_to_a_new_machine_is_said() {
        let new = "installer = { channel = 'stable', method = 'rescue' }\nnixos.sops.age.keyFile = '/var/lib/sops-nix/key.txt'\n";
        assert_eq!(of(new).len(), 1);
        assert!(of(&format!("{new}secrets.items.k.path = '/var/lib/sops-nix/key.txt'\n")).is_empty());
        assert!(of(&format!("{new}nixos.sops.age.generateKey = true\n")).is_empty());
    }

    #[test]
    fn secrets_and_keys_of_the_initrd_stay_where_the_installation_puts_them() {
        let secrets = "secrets.items = { a = {}, b = {}, c = { path = '/nix2/c' } }\n";
        assert_eq!(of(&format!("{TMPFS}{DISK}{}{secrets}", keep("'/var/lib/nixos'", ""))).len(), 2, "a folder each");
        let kept = keep("'/etc/credstore', '/nix2'", "");
        assert!(of(&format!("{TMPFS}{DISK}{kept}{secrets}")).is_empty());
        let raw = "nixos.boot.initrd.network.ssh.hostKeys = ['/etc/initrd/key']\n";
        assert_eq!(of(&format!("{POOL}{raw}")), ["error: `/etc/initrd/key` is gone after the first boot"]);
    }
}
