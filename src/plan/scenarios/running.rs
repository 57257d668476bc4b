//! What plans for a machine that runs have in common: its key, the way in, the look at its loader.

use super::install;
use crate::plan::parts::{AccessGate, CheckReady, RecordHostKeys};
use crate::plan::reach::Who;
use crate::plan::step::Step;
use crate::plan::{PlanCx, seconds};
use crate::text::ShellCommand;

/// Makes sure that the deployer knows the host's key: from the definition where that has it, else over the connection that the person
/// trusts already. A key that is known already stays.
pub(super) fn host_keys(cx: &PlanCx<'_>) -> RecordHostKeys {
    let stated: Vec<&str> =
        cx.host.def.access.iter().flat_map(|access| access.host_keys.iter().map(|key| key.value.as_str())).collect();
    let known = cx.reach.state("known_hosts");
    let is_known = ShellCommand::new("ssh-keygen").args(["-F", cx.host.name, "-f", &known]).raw("> /dev/null");
    let read = if stated.is_empty() {
        let read = ShellCommand::new("cat").arg("/etc/ssh/ssh_host_ed25519_key.pub");
        cx.reach.run(Who::Stranger, &read)
    } else {
        ShellCommand::new("printf").arg("%s\\n").args(stated)
    };
    let name = ShellCommand::new("sed").args(["-n", &format!("s/^ssh-/{} ssh-/p", cx.host.name)]);
    let write = ShellCommand::new("tee").args(["-a", "--", &known]);
    RecordHostKeys::new("Know the host by its key", |step| {
        step.why(
            "Every connection of this plan is bound to this key; nothing is accepted on first sight. It comes from `[access] host-keys` \
             where the definition has it, else from the machine, over your own ssh settings: compare the fingerprint once.",
        )
        .run(&is_known.then("||", &read.then("|", &name).then("|", &write)))
        .after(&ShellCommand::new("ssh-keygen").args(["-l", "-F", cx.host.name, "-f", &known]))
        .takes(seconds::LOOK)
    })
}

/// Makes the gate of access: nobody is asked where the machine has it on record that it comes back by itself.
pub(super) fn access(cx: &PlanCx<'_>) -> AccessGate {
    let has_hook = install::hooks(cx).is_some_and(|hooks| hooks.console.is_some());
    if has_hook || !cx.host.boots_once() {
        return install::gate(cx);
    }
    let opened = cx.reach.state("console-proven");
    AccessGate::new("Prove the way in, unless the way back is proven", |step| {
        let proven = install::script(cx, "baseline", &["proven"]);
        step.why(format!(
            "A machine that has passed its baseline boots comes back by itself. Where none is on record, or firmware or disks have \
             changed since, the first boots have no such net. {} Then say so by: `touch {opened}`",
            install::console_words(cx)
        ))
        .run(&proven.then("||", &ShellCommand::new("test").args(["-e", &opened])))
        .takes(seconds::LOOK)
    })
}

/// Makes the look at the loader and at what else decides whether the way back can be trusted; none where it has none.
pub(super) fn ready(cx: &PlanCx<'_>, candidate: &str) -> Option<CheckReady> {
    let look = |step: Step| {
        step.why(
            "The system that runs is the one that boots by default, nothing is armed, the loader can write where it has to, the menu does \
             not wait for a person, and the candidate's kernel and initrd have room beside what is there. Whoever switched live since the \
             last boot has to reboot first: what runs then was never booted.",
        )
        .run(&install::script(cx, "ready", &[candidate]))
        .takes(seconds::LOOK)
    };
    cx.host.boots_once().then(|| CheckReady::new("Look whether the loader leads back", look))
}
