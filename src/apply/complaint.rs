//! What a call over ssh came to, and what its complaints mean. Pure.

use super::frames::Frame;
use super::transport::{Contact, Trouble};
use crate::plan::Remote;
use crate::source::printable;
use crate::text::ShellCommand;

/// How a call ended.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) hello: Option<Contact>,
    pub(super) last: Option<Frame>,
    /// What ssh said, when it said something.
    pub(super) complaint: String,
    pub(super) status: Option<i32>,
    pub(super) late: bool,
    pub(super) stopped: bool,
}

/// What ssh says when it is sure that nothing was started on the other side.
const NEVER: &[&str] = &[
    "Connection refused",
    "Connection timed out",
    "Operation timed out",
    "No route to host",
    "Network is unreachable",
    "Could not resolve",
    "Permission denied",
    "Host key verification failed",
    "cannot be started",
    "a password is required",
];

/// What ssh says at once of a machine that takes no connection just now: its sshd starts anew, or has too many at a time.
const NOT_NOW: &[&str] = &["Connection refused", "Connection closed by remote host", "Connection reset by peer"];

/// Tells whether the last words of a line on the deployer are those of an ssh that was turned away before it had logged in.
pub(super) fn was_turned_away(tail: &str) -> bool {
    let mut last = tail.lines().map(str::trim).filter(|line| !line.is_empty()).rev();
    let (last, before) = (last.next().unwrap_or_default(), last.next().unwrap_or_default());
    // Of two lines the first has the reason, and the second that the connection is closed.
    let is = |line: &str| {
        (line.starts_with("ssh: connect to host ") || line.starts_with("kex_exchange_identification: "))
            && NOT_NOW.iter().any(|said| line.contains(said))
    };
    is(last) || (is(before) && (last.starts_with("Connection closed by ") || last.starts_with("Connection reset by ")))
}

/// Tells whether ssh is sure that nothing was started on the other side.
pub(super) fn never_connected(answer: &Answer) -> bool {
    NEVER.iter().any(|said| answer.complaint.contains(said))
}

/// Tells whether calling again is of no use.
pub(super) fn is_final(answer: &Answer) -> bool {
    let said = |text: &str| answer.complaint.contains(text);
    [
        "Host key verification failed",
        "Permission denied",
        "cannot be started",
        "a password is required",
        "Bad configuration",
    ]
    .into_iter()
    .any(said)
        || answer.status.is_some_and(|status| status != 255 && status < 128)
}

/// Says why a machine did not answer, and what to do.
pub(super) fn trouble(remote: &Remote, answer: &Answer) -> Trouble {
    let said = answer.complaint.lines().map(str::trim).rfind(|line| !line.is_empty()).map(printable);
    let machine = remote.ssh.as_ref().and_then(|words| words.last()).map_or("this machine", String::as_str);
    if answer.complaint.contains("Host key verification failed") {
        let words = remote.ssh.clone().unwrap_or_default();
        let named = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
        let (file, alias) =
            (named("UserKnownHostsFile=").unwrap_or("known_hosts"), named("HostKeyAlias=").unwrap_or("the host"));
        let forget = ShellCommand::new("ssh-keygen").args(["-R", alias, "-f", file]);
        return Trouble::new(format!("{machine} shows another host key than {alias} has in {file}"))
            .help("another machine answers at this address, or the host was installed anew, or somebody is in between: find out which, at its console")
            .help("`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the machine shows its fingerprint")
            .help(format!("when the new key is right: `{forget}`, and record it again"));
    }
    let trouble = Trouble::new(match (&said, answer.status) {
        (Some(said), _) => format!("{machine} cannot be reached: {said}"),
        (None, Some(status)) => {
            format!("{machine} cannot be reached: ssh ended with status {status} and without a word")
        }
        (None, None) => format!("{machine} does not answer"),
    });
    if answer.complaint.contains("Permission denied") {
        trouble.help("the account does not let this key in: `ssh-add -l` shows which keys the agent offers")
    } else if answer.complaint.contains("a password is required") {
        trouble.help("sudo asks for a password, and nobody can type it here: let it be root, or `NOPASSWD`")
    } else {
        trouble.help("is the machine up, and is this the way to it? Try the line of the plan by hand")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::System;

    #[test]
    fn another_host_key_is_explained_and_not_tried_again() {
        let words = ["ssh", "-o", "UserKnownHostsFile=state/a/known_hosts", "-o", "HostKeyAlias=a", "--", "root@h"];
        let ssh = Some(words.map(str::to_owned).to_vec());
        let remote = Remote { system: System::Host, ssh, sudo: false, text: String::new() };
        let complaint =
            "@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@\nHost key verification failed.".to_owned();
        let answer = Answer { complaint, status: Some(255), ..Answer::default() };
        assert!(is_final(&answer) && never_connected(&answer));
        let trouble = trouble(&remote, &answer);
        assert_eq!(trouble.why, "root@h shows another host key than a has in state/a/known_hosts");
        assert!(trouble.help[2].contains("`ssh-keygen -R a -f state/a/known_hosts`"), "{:?}", trouble.help);
    }

    #[test]
    fn a_machine_that_takes_no_connection_just_now_is_told_from_one_that_was_at_work() {
        for tail in [
            "kex_exchange_identification: Connection closed by remote host\nConnection closed by 127.0.0.1 port 22",
            "kex_exchange_identification: read: Connection reset by peer\nConnection reset by 192.0.2.1 port 22\n",
            "copied 3\nssh: connect to host 192.0.2.1 port 22: Connection refused",
            "ssh: connect to host h port 22: Connection refused\n\n",
        ] {
            assert!(was_turned_away(tail), "{tail}");
        }
        for tail in [
            "",
            "Connection to h closed by remote host.",
            "client_loop: send disconnect: Broken pipe",
            "root@h: Permission denied (publickey).",
            "Host key verification failed.",
            "ssh: connect to host h port 22: Connection refused\ntar: it went on",
            "ssh: Could not resolve hostname h: Name or service not known",
            "ssh: connect to host h port 22: Connection timed out",
        ] {
            assert!(!was_turned_away(tail), "{tail}");
        }
    }

    #[test]
    fn a_dropped_connection_is_tried_again() {
        let dropped = |complaint: &str| Answer { complaint: complaint.into(), status: Some(255), ..Answer::default() };
        for complaint in
            ["Connection to h closed by remote host.", "ssh: connect to host h port 22: Connection refused", ""]
        {
            assert!(!is_final(&dropped(complaint)), "{complaint}");
        }
    }
}
