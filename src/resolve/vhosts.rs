//! Virtual hosts of services: which names and paths are given out twice, and which lead nowhere.
//!
//! Not here: how a web server is told of them (`compile`), and whether anybody gets through to it (`check`).

use super::services::ResolvedService;
use crate::fleet::schema::service_parts::Protocol;
use crate::fleet::schema::services::Work;
use crate::fleet::schema::web::Vhost;
use crate::source::{Diagnostic, Diagnostics};

impl ResolvedService<'_> {
    /// Tells whether its NixOS module makes its virtual host.
    pub fn makes_vhost(&self) -> bool {
        self.module.is_some_and(|module| module.file.vhost.is_some())
    }
}

/// Reports what is wrong with the virtual hosts of running services.
pub(super) fn judge(services: &[ResolvedService<'_>], found: &mut Diagnostics) {
    let mut before: Vec<&Vhost> = Vec::new();
    for service in services.iter().filter(|service| service.runs()) {
        if service.makes_vhost() {
            of_module(service, found);
        }
        for vhost in &service.def.vhost.0 {
            twice(&before, vhost, found);
            nowhere(service, vhost, found);
            before.push(vhost);
        }
    }
}

/// Reports a path of a virtual host that something before wants too.
fn twice(before: &[&Vhost], vhost: &Vhost, found: &mut Diagnostics) {
    let names = |vhost: &Vhost| -> Vec<String> { vhost.names().map(str::to_ascii_lowercase).collect() };
    let own = names(vhost);
    for other in before.iter().filter(|other| other.path.value == vhost.path.value) {
        let Some(name) = names(other).into_iter().find(|name| own.contains(name)) else { continue };
        let message = format!("two services answer at `{}` of the virtual host `{name}`", vhost.path.as_str());
        found.push(
            Diagnostic::error("value-invalid", vhost.name.place, message)
                .related(other.name.place, "the other one")
                .help("give one of them another `name`")
                .help("give one of them a `path` of its own"),
        );
        return;
    }
}

/// Reports a virtual host that leads to nothing.
fn nowhere(service: &ResolvedService<'_>, vhost: &Vhost, found: &mut Diagnostics) {
    let leads = vhost.to.is_some()
        || matches!(service.def.work, Work::Site(_))
        || service.makes_vhost()
        || service.ports.iter().any(|port| port.protocol == Protocol::Tcp);
    if leads {
        return;
    }
    let (name, service) = (vhost.name.as_str(), service.name);
    let message = format!("the virtual host `{name}` leads nowhere: `{service}` has no TCP port");
    let finding = Diagnostic::error("value-invalid", vhost.name.place, message);
    found.push(finding.help("say where it leads: `to = 8080`").help("give the service a port in `ports`"));
}

/// Reports what a virtual host cannot have that a NixOS module makes: a second one, a path, a place that it leads to.
fn of_module(service: &ResolvedService<'_>, found: &mut Diagnostics) {
    for (at, vhost) in service.def.vhost.0.iter().enumerate() {
        let mut refused = |place, what: &str, help: &str| {
            let message = format!("the NixOS module of `{}` makes its virtual host, {what}", service.name);
            found.push(Diagnostic::error("value-invalid", place, message).help(help.to_owned()));
        };
        if at > 0 {
            refused(vhost.name.place, "and makes one", "put further names into the `aliases` of the first");
        }
        if vhost.path.written {
            refused(vhost.path.place, "all of it", "leave `path` out");
        }
        if let Some(to) = &vhost.to {
            refused(to.place, "which leads to the service itself", "leave `to` out");
        }
        if let Some(network) = vhost.allow.first() {
            refused(
                network.place,
                "and would refuse the proof of its name too",
                "let the service itself look at addresses",
            );
        }
        if let Some(timeout) = &vhost.timeout {
            refused(timeout.place, "whose timeouts are options of its own", "set them in `options`");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::reported;

    /// What is said of the virtual hosts of a host, without place.
    fn said(services: &str) -> Vec<String> {
        let host = format!(
            "web.acme-email = 'a@example.org'\nnetwork.firewall.tcp = {{ mkForce = [22, 80, 443] }}\n{services}"
        );
        let lines = reported(&[("hosts/a/host.toml", &host)], &[]);
        let errors = lines.iter().filter_map(|line| line.strip_prefix("error "));
        errors.filter_map(|line| Some(line.split_once(" value-invalid: ")?.1.to_owned())).collect()
    }

    fn site(name: &str, vhost: &str) -> String {
        format!("[services.{name}]\nkind = 'static-site'\nroot = '/srv/{name}'\nvhost = {{ {vhost} }}\n")
    }

    #[test]
    fn one_path_of_a_name_belongs_to_one_service_under_any_of_its_names() {
        let of = |one: &str, other: &str| said(&(site("a", one) + &site("b", other)));
        assert_eq!(of("name = 'x.example.org'", "name = 'y.example.org'"), Vec::<String>::new());
        assert_eq!(of("name = 'x.example.org'", "name = 'x.example.org', path = '/b'"), Vec::<String>::new());
        let twice = ["two services answer at `/` of the virtual host `x.example.org`"];
        assert_eq!(of("name = 'x.example.org'", "name = 'x.example.org'"), twice);
        assert_eq!(of("name = 'x.example.org'", "name = 'y.example.org', aliases = ['X.example.org']"), twice);
    }

    #[test]
    fn a_virtual_host_leads_somewhere() {
        let of = |more: &str| {
            said(&format!(
                "[services.a]\nkind = 'command'\nexec = '/bin/a'\nvhost = {{ name = 'x.example.org'{more} }}\n"
            ))
        };
        assert_eq!(of(""), ["the virtual host `x.example.org` leads nowhere: `a` has no TCP port"]);
        assert_eq!(of(", to = 8080"), Vec::<String>::new());
    }
}
