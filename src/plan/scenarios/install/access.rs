//! The first gate: how the machine is reached when its network does not come up.

use crate::fleet::schema::machine::{Console, Hooks};
use crate::plan::PlanCx;
use crate::plan::parts::AccessGate;
use crate::plan::seconds;
use crate::text::ShellCommand;

/// Returns a hook of the definition as a command on the deployer: it is the user's own shell text.
pub(in crate::plan::scenarios) fn hook(text: &str) -> ShellCommand {
    ShellCommand::new("sh").args(["-c", text])
}

/// Returns the hooks of a host.
pub(in crate::plan::scenarios) fn hooks<'a>(cx: &PlanCx<'a>) -> Option<&'a Hooks> {
    cx.host.def.machine.hooks.as_ref()
}

/// Returns what a person does to see the machine's console, as a sentence.
pub(in crate::plan::scenarios) fn console_words(cx: &PlanCx<'_>) -> String {
    let machine = &cx.host.def.machine;
    match machine.console.value {
        Console::IpKvm => {
            "Open the KVM over IP: order it from the provider now if it comes on request, and log in to it \
                           once."
                .to_owned()
        }
        Console::Provider => "Open the console in the provider's web interface and log in to it once.".to_owned(),
        Console::Serial => {
            let line = machine.serial.as_ref().map_or("ttyS0,115200n8", |serial| serial.as_str());
            format!("Connect to the serial line ({line}) and press Enter: something must answer.")
        }
        Console::Hypervisor => "Open the guest's console in the hypervisor.".to_owned(),
        Console::None => {
            "The definition names no console, so somebody must stand in front of the machine with a screen \
                          and a keyboard, from now until the reboot test has passed."
                .to_owned()
        }
    }
}

/// Makes the gate: the console's hook is run where there is one, else a person proves the console.
pub(in crate::plan::scenarios) fn gate(cx: &PlanCx<'_>) -> AccessGate {
    let once = if cx.host.boots_once() {
        "A boot that fails falls back by itself once the machine has a good system; until then, and when firmware or \
         loader hang, this is the only way in."
    } else {
        "This loader cannot boot an entry once and fall back, so this is the only way in at every reboot of this plan."
    };
    let hooks = hooks(cx);
    let console = hooks.and_then(|hooks| hooks.console.as_ref());
    let power = hooks.and_then(|hooks| hooks.power_cycle.as_ref());
    let mut words = vec![once.to_owned()];
    let title = match cx.host.def.machine.console.value {
        Console::None if console.is_none() && power.is_none() => "Have a person at the machine",
        Console::None => "Prove the way in by its hooks",
        Console::IpKvm => "Prove the KVM over IP",
        Console::Provider => "Prove the provider's console",
        Console::Serial => "Prove the serial console",
        Console::Hypervisor => "Prove the hypervisor's console",
    };
    if console.is_none() || cx.host.def.machine.console.value != Console::None {
        words.push(console_words(cx));
    }
    if let Some(power) = power {
        words.push(format!("The power is cycled with: {}", power.value));
    }
    let fill = |words: Vec<String>| words.join(" ");
    match console {
        Some(console) => {
            AccessGate::new(title, |step| step.why(fill(words)).run(&hook(&console.value)).takes(seconds::LOOK))
        }
        None => AccessGate::new(title, |step| step.why(fill(words)).takes(seconds::PERSON)).by_person(),
    }
}
