//! From a service's table to a service of its kind: what every kind wants, and what does not go together.
//!
//! Not here: what the keys are (`services`), and what names something else (`resolve`).

use super::service_parts::{SecretAs, ServiceSecret, UserWord};
use super::services::{OF_KINDS, Service, ServiceKind, ServiceTable, Work};
use super::workloads::{Command, Container, Native, Restart, Run, Site, SiteFiles, StartType, Volume, VolumeSource};
use crate::fleet::decode::{Cx, Decode, foreign_keys, lacks};
use crate::fleet::scalar::{Account, ContainerUser, EnvName};
use crate::fleet::shape::Shape;
use crate::source::{Kind, Node, Place, Spanned};
use crate::units::OnCalendar;

impl Decode for Service {
    fn shape() -> Shape {
        ServiceTable::shape()
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let table = ServiceTable::decode(node, cx)?;
        for key in table
            .secrets
            .iter()
            .filter(|secret| secret.how.value == SecretAs::Env)
            .filter_map(|secret| secret.key.as_ref())
        {
            if let Err(wanted) = key.as_str().parse::<EnvName>() {
                return cx.refused(key.place, key.as_str(), &wanted);
            }
        }
        if !table.secrets.iter().all(|secret| is_placed(secret, table.kind.value, cx)) {
            return None;
        }
        let foreign = foreign_keys(node, table.kind.value, OF_KINDS, "service", cx);
        let lacks = |key: &str, cx: &mut Cx<'_>| lacks::<ServiceTable>(key, node.place, cx);
        let user = table.user.as_ref();
        let run = Run {
            schedule: table.schedule.0,
            persistent: table.persistent,
            time_zone: table.time_zone,
            start: table.start,
            restart: table.restart,
            at_most: table.run_at_most,
        };
        if !table.volumes.iter().all(|volume| is_mountable(volume, cx)) {
            return None;
        }
        if !fits(&run, cx) || table.kind.value == ServiceKind::Container && !fits_container(&run, node, cx) {
            return None;
        }
        let work = match table.kind.value {
            ServiceKind::Native => {
                Some(Work::Native(Native { module: table.module, options: table.options, package: table.package }))
            }
            ServiceKind::Container => {
                if table.image.is_none() {
                    lacks("image", cx);
                }
                let user = user.and_then(|user| in_container(user, cx));
                table.image.map(|image| {
                    Work::Container(Box::new(Container {
                        image,
                        command: table.command,
                        args: table.args,
                        user,
                        volumes: table.volumes,
                        tmpfs: table.tmpfs,
                        networks: table.networks,
                        hostname: table.hostname,
                        aliases: table.aliases,
                        devices: table.devices,
                        capabilities: table.capabilities,
                        read_only_root: table.read_only_root,
                        privileged: table.privileged,
                        host_network: table.host_network,
                        stop_timeout: table.stop_timeout,
                        pull: table.pull,
                        registry_login: table.registry_login,
                        init: table.init,
                        shm_size: table.shm_size,
                        sysctls: table.sysctls,
                        network_of: table.network_of,
                        groups: table.groups,
                        hosts: table.hosts,
                        working_directory: table.working_directory,
                        no_new_privileges: table.no_new_privileges,
                        after_start: table.after_start,
                        before_stop: table.before_stop,
                        run,
                    }))
                })
            }
            ServiceKind::StaticSite => {
                let (index, spa, cache) = (table.index, table.spa, table.cache);
                let files = match (table.root, table.source) {
                    (Some(root), None) => Some(SiteFiles::Root(root)),
                    (None, Some(source)) => Some(SiteFiles::Source(source)),
                    (None, None) => {
                        lacks("root", cx);
                        None
                    }
                    (Some(_), Some(source)) => {
                        let wanted = "a site lies on the host or in the fleet: leave `root` or `source` out";
                        cx.refused(source.place, "`source` beside `root`", wanted)
                    }
                };
                files.map(|files| Work::Site(Site { files, index, spa, cache }))
            }
            ServiceKind::Command => {
                if table.exec.is_none() {
                    lacks("exec", cx);
                }
                let user = user.and_then(|user| account(user, cx));
                table.exec.map(|exec| {
                    Work::Command(Box::new(Command {
                        exec,
                        working_directory: table.working_directory,
                        user,
                        packages: table.packages,
                        sandbox: table.sandbox,
                        run,
                    }))
                })
            }
        };
        Some(Self {
            place: table.place,
            kind: table.kind,
            enable: table.enable,
            work: work.filter(|_| !foreign)?,
            after: table.after,
            requires: table.requires,
            migrates_from: table.migrates_from,
            ready: table.ready,
            health: table.health,
            state: table.state,
            limits: table.limits,
            ports: table.ports,
            secrets: table.secrets,
            environment: table.environment,
            files: table.files,
            provides: table.provides,
            vhost: table.vhost,
        })
    }
}

/// Tells whether what is said of a run can be done; what cannot is reported.
fn fits(run: &Run, cx: &mut Cx<'_>) -> bool {
    if run.start() == StartType::Oneshot && run.restart.value == Restart::Always {
        let wanted =
            "what runs to its end is over then (`type = \"oneshot\"`, or a schedule): `\"on-failure\"` or `\"no\"`";
        return refused(run.restart.place, "always", wanted, cx);
    }
    let zoned = |when: &&Spanned<OnCalendar>| format!("{} UTC", when.as_str()).parse::<OnCalendar>().is_err();
    match (&run.time_zone, run.schedule.iter().find(zoned)) {
        (Some(zone), Some(_)) => {
            refused(zone.place, &zone.value.0, "the schedule names a time zone itself: one of them", cx)
        }
        _ => true,
    }
}

/// Tells whether the keys of a container go together; what does not is reported where it stands.
fn fits_container(run: &Run, node: &Node, cx: &mut Cx<'_>) -> bool {
    if run.start() == StartType::Notify {
        return refused(run.start.place, "notify", "a container is `\"simple\"` or `\"oneshot\"`", cx);
    }
    let written = |key: &&&str| {
        let value = node.as_table().and_then(|table| table.get(**key));
        value.is_some_and(|entry| match &entry.node.kind {
            Kind::Null | Kind::Bool(false) => false,
            Kind::List(items) => !items.is_empty(),
            _ => true,
        })
    };
    let exclude = |first: &str, others: &[&str], wanted: &str, cx: &mut Cx<'_>| {
        let Some(other) = others.iter().find(written) else { return true };
        let place = node.as_table().and_then(|table| table.get(*other)).map_or(node.place, |entry| entry.key);
        refused(place, &format!("{other} beside {first}"), wanted, cx)
    };
    let of_a_network = ["networks", "aliases", "ports", "hostname", "host-network", "hosts"];
    let wanted = "the container that `network-of` names has the network of both: say it there";
    let of_what_goes_on = ["ready", "health", "after-start", "before-stop"];
    let over = "a container that runs to its end is ready when that is reached: leave it out, or leave `type` and `schedule` out";
    (!written(&&"network-of") || exclude("network-of", &of_a_network, wanted, cx))
        && (run.start() != StartType::Oneshot || exclude("a run to its end", &of_what_goes_on, over, cx))
}

/// Tells whether podman can take the paths of a volume, which it separates by colons.
fn is_mountable(volume: &Volume, cx: &mut Cx<'_>) -> bool {
    let source = match &volume.source.value {
        VolumeSource::Path(path) => Some((path.as_str(), volume.source.place)),
        VolumeSource::Dataset(_) => None,
    };
    let paths = source.into_iter().chain([(volume.target.as_str(), volume.target.place)]);
    let mut all = true;
    for (path, place) in paths.filter(|(path, _)| path.contains(':')) {
        all = refused(place, path, "podman takes no path with a colon", cx);
    }
    all
}

/// Reports a value that is not right, and returns that.
fn refused(place: Place, value: &str, wanted: &str, cx: &mut Cx<'_>) -> bool {
    cx.refused::<()>(place, value, wanted).is_some()
}

/// Tells whether what a secret says of a file fits how the service gets it; what does not is reported.
fn is_placed(secret: &ServiceSecret, kind: ServiceKind, cx: &mut Cx<'_>) -> bool {
    let in_container = kind == ServiceKind::Container;
    let is_file = secret.how.value == SecretAs::File || in_container && secret.how.value == SecretAs::Credential;
    if secret.how.value == SecretAs::File && !in_container && secret.path.is_none() {
        lacks_path(secret, cx);
        return false;
    }
    let path = secret.path.as_ref().map(|path| ("path", path.place));
    let owner = secret.owner.as_ref().map(|owner| ("owner", owner.place));
    let mode = secret.mode.as_ref().map(|mode| ("mode", mode.place));
    let Some((key, place)) = path.or(owner).or(mode).filter(|_| !is_file) else { return true };
    let message = format!("{} says the `{key}` of a secret that is no file", cx.route());
    let help = "`as = \"file\"`, or leave it out";
    cx.found.push(crate::source::Diagnostic::error("value-invalid", place, message).help(help));
    false
}

fn lacks_path(secret: &ServiceSecret, cx: &mut Cx<'_>) {
    let message = format!("the file secret `{}` lacks the key `path`", secret.name.as_str());
    let help = "add `path`: where the service finds it, such as `/run/secrets/token`";
    cx.found.push(crate::source::Diagnostic::error("key-missing", secret.place, message).help(help));
}

fn in_container(user: &Spanned<UserWord>, cx: &mut Cx<'_>) -> Option<Spanned<ContainerUser>> {
    match user.value.0.parse() {
        Ok(known) => Some(Spanned::new(known, user.place)),
        Err(wanted) => cx.refused(user.place, &user.value.0, &wanted),
    }
}

fn account(user: &Spanned<UserWord>, cx: &mut Cx<'_>) -> Option<Spanned<Account>> {
    match user.value.0.parse() {
        Ok(known) => Some(Spanned::new(known, user.place)),
        Err(wanted) => cx.refused(user.place, &user.value.0, &wanted),
    }
}
