//! The lock on the machine: one deployer at a time, seen by all of them.
//!
//! A file that `ln` puts there, which is atomic and comes with its content. It lies below /var/lib where that can be written and
//! below /run else, in a rescue system that has no more. It holds who, since when and for which plan; whoever has the same token
//! (this deployer's folder of state) finds its own lock again after a run that was cut off.

use super::outcome::Refused;
use super::transport::{Transport, Trouble};
use crate::plan::Remote;
use crate::source::printable;
use crate::text::ShellWord;

/// The name of the lock, in whichever folder.
const PLACES: &str = "for folder in /var/lib/hostwright /run/hostwright; do
  if mkdir -p \"$folder\" 2>/dev/null && [ -w \"$folder\" ]; then break; fi
done
lock=$folder/deploy
";

/// Whose lock it is.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    /// Tells this deployer's folder of state from others.
    pub(super) token: String,
    /// Who, since when, which plan, for people.
    pub(super) holder: String,
}

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum NoLock {
    /// Another deployer has it.
    Held(Refused),
    /// It could not be asked for.
    Trouble(Trouble),
}

/// Takes the lock. Returns whom it was taken over from, if so.
pub(super) fn take(
    transport: &mut dyn Transport,
    remote: &Remote,
    claim: &Claim,
    take_over: bool,
) -> Result<Option<String>, NoLock> {
    let (token, holder) = (ShellWord::new(&claim.token), ShellWord::new(&claim.holder));
    let over = if take_over { "yes" } else { "" };
    let script = format!(
        "token={token} holder={holder} over={over}
{PLACES}new=$lock.$$
printf '%s\\n%s\\n' \"$token\" \"$holder\" >\"$new\" || {{ rm -f \"$new\"; exit 5; }}
for round in 1 2 3; do
  if ln \"$new\" \"$lock\" 2>/dev/null; then rm -f \"$new\"; exit 0; fi
  if [ \"$(sed -n 1p \"$lock\" 2>/dev/null)\" = \"$token\" ]; then mv -f \"$new\" \"$lock\"; exit 0; fi
  if [ -n \"$over\" ]; then sed -n 2p \"$lock\"; mv -f \"$new\" \"$lock\"; exit 4; fi
  if [ -e \"$lock\" ]; then sed -n 2p \"$lock\"; rm -f \"$new\"; exit 3; fi
done
rm -f \"$new\"
exit 5
"
    );
    let (status, said) = transport.script(remote, &script).map_err(NoLock::Trouble)?;
    let said = printable(said.trim());
    match status {
        0 => Ok(None),
        4 => Ok(Some(said)),
        3 => Err(NoLock::Held(
            Refused::new(format!("another deployer is at work on the machine: {said}"))
                .help("wait until it has finished: two plans at once undo each other")
                .help("`--take-over` takes the lock from it; do that only when you know that its run has ended"),
        )),
        _ => Err(NoLock::Trouble(
            Trouble::new(format!("the lock of deployers cannot be taken on the machine: {said}"))
                .help("it lies in /var/lib/hostwright or /run/hostwright there"),
        )),
    }
}

/// Gives the lock back if it is ours, and tells whether it is; a machine that does not answer keeps it, and the same deployer finds it
/// again.
pub(super) fn release(transport: &mut dyn Transport, remote: &Remote, claim: &Claim) -> bool {
    let token = ShellWord::new(&claim.token);
    let script = format!(
        "token={token}
{PLACES}if [ \"$(sed -n 1p \"$lock\" 2>/dev/null)\" = \"$token\" ]; then rm -f \"$lock\"; fi
"
    );
    transport.script(remote, &script).is_ok_and(|(status, _)| status == 0)
}
