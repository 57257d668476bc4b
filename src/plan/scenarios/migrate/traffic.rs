//! Names and addresses: the time to live is lowered early, traffic is switched when the services answer, and that is watched.

use std::net::IpAddr;

use super::ids::Ids;
use super::record::{by_hand, script};
use super::writers::{Writer, step_id};
use crate::fleet::scalar::Target;
use crate::fleet::schema::service_parts::Protocol;
use crate::fleet::schema::web::{Tls, Vhost};
use crate::plan::PlanCx;
use crate::plan::gates::{family, id};
use crate::plan::seconds;
use crate::plan::step::{RunsOn, Step, StepKind};
use crate::resolve::ResolvedService;
use crate::text::ShellCommand;

/// How long resolvers may keep what they know, in seconds: a day covers what is in use.
const OLD_TTL: u64 = 86_400;

/// How long a switched name may take until it leads to the host, in minutes.
const SWITCHED: u64 = 15;

/// Returns the names under which a service is known outside, each once; of a wildcard nobody can ask.
fn names<'a>(service: &ResolvedService<'a>) -> Vec<(&'a str, &'a Vhost)> {
    let mut all: Vec<(&str, &Vhost)> = Vec::new();
    for vhost in &service.def.vhost.0 {
        for name in vhost.names() {
            if !all.iter().any(|(known, _)| *known == name) {
                all.push((name, vhost));
            }
        }
    }
    all
}

/// Returns the names of services, each once.
fn all_names<'a>(services: &[&ResolvedService<'a>]) -> Vec<&'a str> {
    let mut all: Vec<&str> = Vec::new();
    for (name, _) in services.iter().flat_map(|service| names(service)) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// Returns the addresses at which the machine may be reached: its own, and that of its target.
fn addresses(cx: &PlanCx<'_>) -> Vec<IpAddr> {
    let interfaces = cx.host.interfaces().filter(|(_, interface)| interface.wireguard().is_none());
    let mut all: Vec<IpAddr> =
        interfaces.flat_map(|(_, interface)| interface.addresses.iter().map(|address| address.address)).collect();
    let target = cx.host.def.deploy.as_ref().and_then(|deploy| deploy.target.as_ref());
    if let Some(Target::Ssh { host, .. }) = target.map(|target| &target.value)
        && let Ok(address) = host.parse()
        && !all.contains(&address)
    {
        all.push(address);
    }
    all
}

fn listed(addresses: &[IpAddr]) -> String {
    if addresses.is_empty() {
        return "the host's address, which DHCP gives it".to_owned();
    }
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" and ")
}

/// Tells whether others reach a service without a virtual host, at ports that are open to everybody.
fn is_reached_by_port(service: &ResolvedService<'_>) -> bool {
    service.def.vhost.0.is_empty() && service.ports.iter().any(|port| port.public)
}

/// Tells whether clients find a service by a name that is switched.
pub(super) fn has_name(cx: &PlanCx<'_>, service: &ResolvedService<'_>) -> bool {
    !service.def.vhost.0.is_empty() || is_reached_by_port(service) && !plain_names(cx).is_empty()
}

/// Returns the names of the host's definition that no virtual host has: what is reached by its port is reached by these.
fn plain_names<'a>(cx: &PlanCx<'a>) -> Vec<&'a str> {
    let here = addresses(cx);
    let of_hosts: Vec<&str> =
        cx.host.services.iter().flat_map(|service| names(service)).map(|(name, _)| name).collect();
    let all = cx.host.def.network.iter().flat_map(|network| network.names.iter());
    let own =
        all.filter(|(_, public)| public.value.address.as_ref().is_none_or(|address| here.contains(&address.value)));
    own.map(|(name, _)| name.as_str()).filter(|name| !of_hosts.contains(name)).collect()
}

/// Returns for how long resolvers keep names, in seconds: what the definition says of all of them, else a day.
fn old_ttl(cx: &PlanCx<'_>, names: &[&str]) -> (u64, bool) {
    let network = cx.host.def.network.as_ref();
    let ttl = |wanted: &&str| {
        let (_, public) = network?.names.iter().find(|(name, _)| name.as_str() == *wanted)?;
        Some(public.value.ttl.as_ref()?.value.seconds())
    };
    let known: Option<Vec<u64>> = names.iter().map(ttl).collect();
    known.and_then(|all| all.into_iter().max()).map_or((OLD_TTL, false), |seconds| (seconds, true))
}

/// Makes the steps that lower the time to live of the names that move; none where nothing has a name.
pub(super) fn lower(cx: &PlanCx<'_>, services: &[&ResolvedService<'_>]) -> Vec<Step> {
    let mut names = all_names(services);
    if services.iter().any(|service| is_reached_by_port(service)) {
        names.extend(plain_names(cx));
    }
    let (seconds_to_live, is_said) = old_ttl(cx, &names);
    if names.is_empty() {
        return Vec::new();
    }
    let listed = names.join(", ");
    vec![
        Step::new(id::LOWER_TTL, StepKind::Instruction, RunsOn::Person, "Lower the time to live of the names that move")
            .why(format!(
                "At your DNS provider set the time to live of {listed} to 60 seconds, and write down what it was. Nothing else changes \
                 yet: it lets the switch take effect within a minute, and the way back too."
            ))
            .needs(id::CHECK_DEFINITION)
            .undo(&by_hand(&format!("set the time to live of {listed} back to what it was")))
            .takes(seconds::PERSON),
        Step::new(id::WAIT_TTL, StepKind::Soak, RunsOn::Person, "Wait until the old time to live is over")
            .why(if is_said {
                "Resolvers keep what they know for as long as they were told before, which `network.names` says. Go on with the machine \
                 meanwhile."
            } else {
                "Resolvers keep what they know for as long as they were told before. A day covers what is in use; where the old time \
                 to live was an hour, an hour is enough. Go on with the machine meanwhile."
            })
            .needs(id::LOWER_TTL)
            .takes(seconds_to_live),
    ]
}

fn url(name: &str, vhost: &Vhost) -> (String, u16) {
    let (scheme, port) = if vhost.tls.value == Tls::None { ("http", 80) } else { ("https", 443) };
    (format!("{scheme}://{name}{}", vhost.path.value.as_str()), port)
}

/// Returns the commands that ask the virtual hosts of a service at the host's own address, before their names lead there.
pub(super) fn from_outside(cx: &PlanCx<'_>, service: &ResolvedService<'_>) -> Vec<ShellCommand> {
    let address = cx.host.main_address().or_else(|| addresses(cx).first().copied());
    let Some(address) = address else { return Vec::new() };
    let asked = names(service).into_iter().filter(|(name, _)| !name.starts_with('*'));
    asked
        .map(|(name, vhost)| {
            let (url, port) = url(name, vhost);
            let at = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
            let get = ShellCommand::new("curl").args(["-sSk", "--max-time", "20", "--retry", "3", "-o", "/dev/null"]);
            let get = get.args(["--resolve", &format!("{name}:{port}:{at}"), "-w", "%{http_code}\\n", "--url", &url]);
            get.then("|", &ShellCommand::new("grep").args(["-qx", "-e", "[1234].."]))
        })
        .collect()
}

/// Makes the steps that switch the traffic of services that move together.
pub(super) fn switch(
    cx: &PlanCx<'_>,
    writers: &[&Writer<'_>],
    services: &[&ResolvedService<'_>],
    probes: &[String],
    ids: &mut Ids,
) -> Vec<Step> {
    let mut steps = Vec::new();
    let addresses = addresses(cx);
    let wired = |step: Step| probes.iter().fold(step, Step::needs);
    let clusters: Vec<&str> = writers.iter().map(|writer| writer.cluster.name).collect();
    let from = clusters.first().copied().unwrap_or("the cluster");
    for name in all_names(services) {
        let vhost = services.iter().flat_map(|service| names(service)).find(|(known, _)| *known == name);
        let Some((_, vhost)) = vhost else { continue };
        let id = step_id(ids, family::SWITCH.trim_end_matches('-'), name);
        steps.push(
            wired(Step::new(id.clone(), StepKind::Instruction, RunsOn::Person, format!("Switch {name} to {}", cx.host.name)))
                .why(format!(
                    "At your DNS provider write down where {name} leads now, then let it lead to {}. A name that an ingress or a \
                     program of {from} manages (external-dns) is taken from it first, or it is set back. A certificate from ACME comes \
                     with the first requests.",
                    listed(&addresses)
                ))
                .undo(&by_hand(&format!(
                    "let {name} lead where it led before; what was written on {} since is not in {from}",
                    cx.host.name
                )))
                .takes(seconds::PERSON),
        );
        let watch = step_id(ids, family::WATCH.trim_end_matches('-'), name);
        let step = Step::new(watch, StepKind::Verify, RunsOn::Deployer, format!("See that {name} leads to {}", cx.host.name))
            .why("The name is resolved as everybody does, the certificate is checked, and it has to be this machine that answers.")
            .needs(id)
            .takes(120);
        steps.push(if name.starts_with('*') {
            step
        } else {
            let (url, _) = url(name, vhost);
            let self_signed = vhost.tls.value == Tls::SelfSigned;
            let command = script(cx, "name-leads").args([url, SWITCHED.to_string()]);
            let command = command.arg(if self_signed { "any-certificate" } else { "good-certificate" });
            step.run(&command.args(addresses.iter().map(IpAddr::to_string)))
        });
    }
    for service in services.iter().filter(|service| service.def.vhost.0.is_empty()) {
        let open = service.ports.iter().filter(|port| port.public);
        let ports: Vec<String> = open
            .map(|port| format!("{}/{}", port.port, if port.protocol == Protocol::Tcp { "tcp" } else { "udp" }))
            .collect();
        if ports.is_empty() {
            continue;
        }
        let id = step_id(ids, family::SWITCH.trim_end_matches('-'), service.name);
        steps.push(
            wired(Step::new(id.clone(), StepKind::Instruction, RunsOn::Person, format!("Switch the clients of {}", service.name)))
                .why(match plain_names(cx).as_slice() {
                    [] => format!(
                        "It is reached without a name of its own, at {}. Let whoever used the load balancer or the node of {from} go to {} \
                         instead: a name that you keep, a forwarding, the clients' settings.",
                        ports.join(", "),
                        listed(&addresses)
                    ),
                    names => format!(
                        "It is reached at {}, by {}. At your DNS provider write down where that leads now, then let it lead to {}. Whoever \
                         used the address of the load balancer or a node of {from} is told.",
                        ports.join(", "),
                        names.join(" and "),
                        listed(&addresses)
                    ),
                })
                .undo(&by_hand(&format!("let the clients of {} go to {from} again", service.name)))
                .takes(seconds::PERSON),
        );
        let Some(address) = addresses.first() else { continue };
        let tcp = service.ports.iter().filter(|port| port.public && port.protocol == Protocol::Tcp);
        let asks: Vec<ShellCommand> = tcp
            .map(|port| {
                ShellCommand::new("nc").args(["-z", "-w", "10", "--", &address.to_string(), &port.port.to_string()])
            })
            .collect();
        if !asks.is_empty() {
            let watch = step_id(ids, family::WATCH.trim_end_matches('-'), service.name);
            steps.push(
                Step::new(watch, StepKind::Verify, RunsOn::Deployer, format!("See that {} is reached", service.name))
                    .why("From here, not from the machine itself.")
                    .needs(id)
                    .run_all(&asks)
                    .takes(seconds::LOOK),
            );
        }
    }
    steps
}
