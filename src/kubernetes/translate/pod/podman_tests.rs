//! The pods of tests/pods and what podman is told of them, as far as translators decide it: the same files are compared with what
//! NixOS makes of a compiled host.

use crate::kubernetes::draft::{Draft, Protocol, SecretTo, WorkDraft};
use crate::kubernetes::sample::translated;
use crate::units::Size;

macro_rules! pods {
    ($($name:literal,)*) => {
        &[$((
            $name,
            include_str!(concat!("../../../../tests/pods/", $name, ".yaml")),
            include_str!(concat!("../../../../tests/pods/", $name, ".args")),
        ),)*]
    };
}

/// Name, manifest, arguments.
const PODS: &[(&str, &str, &str)] = pods![
    "01-image",
    "02-args",
    "03-command",
    "04-command-and-args",
    "05-expansion",
    "06-environment",
    "07-env-from",
    "08-config-map-key",
    "09-downward",
    "10-resource-field",
    "11-limits",
    "12-requests",
    "13-quantities",
    "14-user",
    "15-user-alone",
    "16-root",
    "17-groups",
    "18-capabilities",
    "19-restricted",
    "20-privileged",
    "21-host-network",
    "22-host-port",
    "23-host-ip",
    "24-names",
    "25-sysctls",
    "26-grace",
    "27-pull-always",
    "28-digest",
    "29-working-directory",
    "30-script",
    "31-words",
    "32-default-container",
    "33-secret",
    "34-stateful-set",
    "35-cron-job",
    "36-daemon-set",
];

/// Returns the options of podman-run(1) that a service stands for, and the image with the words behind it.
fn arguments(name: &str, draft: &Draft) -> (Vec<String>, Vec<String>) {
    let WorkDraft::Container(work) = &draft.work else { panic!("a pod is a container") };
    let mut options: Vec<String> = Vec::new();
    let mut rest = vec![work.image.clone()];
    let bytes = |size: &str| size.parse::<Size>().unwrap().bytes();
    if draft.secrets.iter().any(|secret| matches!(secret.to, SecretTo::Env(_))) {
        options.push(format!("--env-file=/run/hostwright/{name}.env"));
    }
    options.push(format!("--network={}", if work.host_network { "host" } else { "services" }));
    if let Some((program, words)) = work.command.split_first() {
        options.push(format!("--entrypoint={program}"));
        rest.extend(words.iter().cloned());
    }
    rest.extend(work.args.iter().cloned());
    options.extend(work.environment.iter().map(|(name, value)| format!("--env={name}={value}")));
    for port in draft.ports.iter().filter(|_| !work.host_network) {
        let local = if port.public { "" } else { "127.0.0.1:" };
        let address = port.listen.first().map_or(local.to_owned(), |address| format!("{address}:"));
        let protocol = if port.protocol == Protocol::Tcp { "tcp" } else { "udp" };
        options.push(format!("--publish={address}{}:{}/{protocol}", port.port, port.to.unwrap_or(port.port)));
    }
    let mut option = |name: &str, values: &[String]| {
        options.extend(values.iter().map(|value| format!("--{name}={value}")));
    };
    let one = |value: &Option<String>| value.iter().cloned().collect::<Vec<_>>();
    option("user", &one(&work.user));
    option("group-add", &work.groups);
    option("hostname", &one(&work.hostname));
    option("network-alias", &work.aliases);
    option("add-host", &work.hosts.iter().map(|(name, at)| format!("{name}:{at}")).collect::<Vec<_>>());
    option("cap-add", &work.cap_add);
    option("cap-drop", &work.cap_drop);
    option("sysctl", &work.sysctls.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>());
    option("workdir", &one(&work.working_directory));
    option("stop-timeout", &one(&work.stop_timeout.map(|seconds| seconds.to_string())));
    option("pull", &one(&work.pull.map(str::to_owned)));
    option("cpus", &one(&draft.cpu));
    option("memory", &one(&draft.memory.as_deref().map(|size| format!("{}b", bytes(size)))));
    option("memory-reservation", &one(&draft.memory_low.as_deref().map(|size| format!("{}b", bytes(size)))));
    let switches = [
        (work.read_only_root, "--read-only"),
        (work.privileged, "--privileged"),
        (work.no_new_privileges, "--security-opt=no-new-privileges"),
    ];
    options.extend(switches.iter().filter(|(on, _)| *on).map(|(_, flag)| (*flag).to_owned()));
    (options, rest)
}

#[test]
fn podman_is_told_of_each_pod_what_the_documentation_of_kubernetes_says() {
    assert!(PODS.len() >= 30);
    for (name, yaml, args) in PODS {
        let wanted: Vec<String> = args.lines().map(|line| line.replace("\\n", "\n")).collect();
        let image = wanted.iter().position(|word| !word.starts_with("--")).unwrap();
        let (options, rest) = wanted.split_at(image);
        let inventory = translated(yaml);
        let (mut made, words) = arguments("web", &inventory.host.services["web"]);
        let mut options = options.to_vec();
        options.sort();
        made.sort();
        assert_eq!(made, options, "{name}");
        assert_eq!(words, rest, "{name}");
    }
}
