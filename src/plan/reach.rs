//! How commands reach the machine: command lines for a shell on the deployer, in the fleet's folder.
//!
//! The installer and the installed system are two machines to ssh: each has its own name in state/HOST/known_hosts, so
//! that neither is taken for the other and nothing is accepted that nobody has compared.

use crate::fleet::scalar::{Account, Target};
use crate::resolve::ResolvedHost;
use crate::text::ShellCommand;

/// A system on the machine, as ssh knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// What ran before anything of ours: the person's own known_hosts decides.
    Stranger,
    /// The installer or rescue system.
    Installer,
    /// The host's own system.
    System,
    /// The host's initrd, which waits for a passphrase.
    Initrd,
}

/// The way to a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reach {
    host: String,
    target: Target,
    jump: Vec<String>,
    /// Jump hosts and settings, as words of ssh.
    way: Vec<String>,
    /// The port of the installer's ssh server, where it is not ssh's own.
    installer: Option<u16>,
    /// The initrd's ssh server: its port, and its address where that is another one.
    initrd: Option<(u16, Option<String>)>,
}

impl Reach {
    /// Returns the way to a host; none when its definition names no target.
    pub(super) fn of(host: &ResolvedHost<'_>) -> Option<Self> {
        let deploy = host.def.deploy.as_ref()?;
        let jump = deploy.jump.iter().filter_map(|jump| jump.value.jump_word()).collect();
        let way = deploy.ssh_words();
        let initrd = host.initrd_network().map(|initrd| {
            let own = initrd.def.addresses.first().map(|address| address.address.to_string());
            (initrd.def.port.value, own)
        });
        let installer = host.def.installer.as_ref().map(|installer| installer.port.value).filter(|port| *port != 22);
        let target = deploy.target.as_ref()?.value.clone();
        Some(Self { host: host.name.to_owned(), target, jump, way, installer, initrd })
    }

    /// Returns the way to a target of which nothing else is known.
    #[cfg(test)]
    pub(super) fn to(host: &str, target: &str) -> Self {
        let target = target.parse().unwrap();
        Self { host: host.to_owned(), target, jump: Vec::new(), way: Vec::new(), installer: None, initrd: None }
    }

    /// Tells whether the machine is the deployer itself.
    pub(super) fn is_local(&self) -> bool {
        self.target == Target::Local
    }

    /// Returns a path in the folder of the host's state on the deployer.
    pub(super) fn state(&self, name: &str) -> String {
        format!("state/{}/{name}", self.host)
    }

    /// Returns a path in the compiled output of the host.
    pub(super) fn out(&self, name: &str) -> String {
        format!("out/hosts/{}/{name}", self.host)
    }

    /// Returns the name that a system has in state/HOST/known_hosts.
    pub(super) fn alias(&self, who: Who) -> String {
        match who {
            Who::Installer => format!("{}-installer", self.host),
            Who::Initrd => format!("{}-initrd", self.host),
            Who::System | Who::Stranger => self.host.clone(),
        }
    }

    /// Returns the words of ssh options that bind a connection to a key that was compared.
    fn options(&self, who: Who) -> Vec<String> {
        if who == Who::Stranger {
            return Vec::new();
        }
        [
            "StrictHostKeyChecking=yes".to_owned(),
            format!("UserKnownHostsFile={}", self.state("known_hosts")),
            format!("HostKeyAlias={}", self.alias(who)),
        ]
        .into_iter()
        .flat_map(|option| ["-o".to_owned(), option])
        .collect()
    }

    /// Returns the account that logs in: root in every installer and initrd, else that of the target.
    fn user(&self, who: Who) -> Option<&str> {
        match (&self.target, who) {
            (_, Who::Installer | Who::Initrd) => Some("root"),
            (Target::Ssh { user, .. }, _) => user.as_ref().map(Account::as_str),
            (Target::Local, _) => None,
        }
    }

    /// Tells whether commands need sudo to be root's.
    pub(super) fn needs_sudo(&self, who: Who) -> bool {
        self.is_local() || self.user(who).is_some_and(|user| user != "root")
    }

    fn address(&self) -> Option<(&str, Option<u16>)> {
        match &self.target {
            Target::Ssh { host, port, .. } => Some((host, *port)),
            Target::Local => None,
        }
    }

    /// Returns the port; none where it is ssh's own.
    fn port(&self, who: Who) -> Option<u16> {
        match who {
            Who::Installer => self.installer,
            Who::Initrd => self.initrd.as_ref().map(|(port, _)| *port),
            Who::Stranger | Who::System => self.address().and_then(|(_, port)| port),
        }
    }

    /// Returns the words that ssh is called with, up to and with the host.
    pub(super) fn ssh_words(&self, who: Who) -> Vec<String> {
        let mut words = vec!["ssh".to_owned()];
        words.extend(self.options(who));
        words.extend(self.way.iter().cloned());
        words.extend(self.port(who).into_iter().flat_map(|port| ["-p".to_owned(), port.to_string()]));
        words.push("--".to_owned());
        words.push(self.login(who));
        words
    }

    fn login(&self, who: Who) -> String {
        let own = self.initrd.as_ref().and_then(|(_, address)| address.as_deref()).filter(|_| who == Who::Initrd);
        let host = own.or(self.address().map(|(host, _)| host)).unwrap_or("localhost");
        self.user(who).map_or_else(|| host.to_owned(), |user| format!("{user}@{host}"))
    }

    /// Returns a command that runs another as root on the machine.
    pub(super) fn run(&self, who: Who, remote: &ShellCommand) -> ShellCommand {
        self.run_by(&["ssh"], who, remote)
    }

    fn run_by(&self, ssh: &[&str], who: Who, remote: &ShellCommand) -> ShellCommand {
        let rooted = if self.needs_sudo(who) {
            ShellCommand::new("sudo").args(["sh", "-c"]).arg(remote.as_str())
        } else {
            remote.clone()
        };
        if self.is_local() {
            return rooted;
        }
        let mut words = ssh.iter().map(|word| (*word).to_owned()).chain(self.ssh_words(who).into_iter().skip(1));
        let program = words.next().unwrap_or_else(|| "ssh".to_owned());
        ShellCommand::new(program).args(words).arg(rooted.as_str())
    }

    /// The same for a command that asks a person: with a terminal.
    pub(super) fn run_at_terminal(&self, who: Who, remote: &ShellCommand) -> ShellCommand {
        self.run_by(&["ssh", "-t"], who, remote)
    }

    /// Returns a command that copies a folder with all in it to a path on the machine.
    ///
    /// `tar` over ssh rather than `scp`: it works for an account that needs sudo, replaces what is there instead of
    /// nesting into it, and follows the links that Nix leaves (`-h`).
    pub(super) fn copy_folder(&self, who: Who, from: &str, to: &str) -> ShellCommand {
        let pack = ShellCommand::new("tar").args(["-C", from, "-chf", "-", "."]);
        let make = ShellCommand::new("mkdir").args(["-p", "--", to]);
        let unpack = ShellCommand::new("tar").args(["-C", to, "-xf", "-"]);
        pack.then("|", &self.run(who, &make.then("&&", &unpack)))
    }

    /// Returns the machine's store as Nix names it; its connections take the options of [`Self::with_ssh`].
    pub(super) fn store(&self, who: Who) -> String {
        let login = self.login(who);
        let host = match login.rsplit_once('@') {
            Some((user, host)) if host.contains(':') => format!("{user}@[{host}]"),
            None if login.contains(':') => format!("[{login}]"),
            _ => login,
        };
        format!("ssh-ng://{host}")
    }

    /// Returns a command of Nix with what its connections to the machine need.
    pub(super) fn with_ssh(&self, who: Who, command: &ShellCommand) -> ShellCommand {
        let mut options = self.options(who);
        options.extend(self.way.iter().cloned());
        options.extend(self.port(who).into_iter().flat_map(|port| ["-p".to_owned(), port.to_string()]));
        let words = ShellCommand::new("env").arg(format!("NIX_SSHOPTS={}", options.join(" ")));
        words.words(command)
    }

    /// Returns a command that copies the closure of a store path or of a link to one to the machine, below `root`.
    pub(super) fn copy_closure(&self, who: Who, path: &str, root: Option<&str>) -> ShellCommand {
        // The store of the machine seen through /mnt: its own `local` store with another root.
        let query = root.map_or_else(String::new, |root| format!("?remote-store=local%3Froot%3D{root}"));
        self.copy(who, &[], &format!("{}{query}", self.store(who)), path)
    }

    /// The same for a machine that fetches from binary caches what these have.
    pub(super) fn copy_closure_from_caches(&self, who: Who, path: &str) -> ShellCommand {
        self.copy(who, &["--substitute-on-destination"], &self.store(who), path)
    }

    fn copy(&self, who: Who, options: &[&str], store: &str, path: &str) -> ShellCommand {
        let copy = ShellCommand::new("nix").args(["--extra-experimental-features", "nix-command", "copy"]);
        let copy = copy.arg("--no-check-sigs").args(options).args(["--to", store, "--", path]);
        self.with_ssh(who, &copy)
    }

    /// Returns a command that prints the machine's ssh host keys as the network shows them, `alias type key` a line.
    pub(super) fn scan(&self, who: Who) -> ShellCommand {
        let (host, _) = self.address().unwrap_or(("localhost", None));
        let mut scan = ShellCommand::new("ssh-keyscan").args(["-T", "10", "-t", "ed25519"]);
        if let Some(port) = self.port(who) {
            scan = scan.args(["-p", &port.to_string()]);
        }
        scan = scan.args(["--", host]);
        // ssh-keyscan knows no jump host: the last one looks.
        if let Some((last, before)) = self.jump.split_last() {
            let mut ssh = ShellCommand::new("ssh");
            if !before.is_empty() {
                ssh = ssh.arg("-J").arg(before.join(","));
            }
            scan = ssh.args(["--", &format!("ssh://{last}")]).arg(scan.as_str());
        }
        // Comment lines go, and the address becomes the name that the plan knows the system by.
        let name = ShellCommand::new("sed").args(["-n", &format!("s/^[^# ][^ ]*/{}/p", self.alias(who))]);
        scan.then("|", &name)
    }
}
