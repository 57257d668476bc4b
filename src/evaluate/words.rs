//! What a finding of an evaluation says, and the ways out that it names.

use super::evaluation::End;
use super::limits::Limits;
use super::origins::Origin;
use super::phrase::{phrase, subject};
use super::said::Said;
use crate::source::printable;
use crate::text::ShellWord;
use crate::units::Size;

/// Tells whether Nix ran out of memory.
pub(super) fn is_memory(said: &Said) -> bool {
    let text = said.error.join("\n").to_lowercase();
    ["out of memory", "bad_alloc", "cannot allocate memory"].iter().any(|word| text.contains(word))
}

/// Returns an error's message, and ways out.
pub(super) fn of_error(said: &Said, end: End, host: &str, limits: Limits, folder: &str) -> (String, Vec<String>) {
    let text = said.error.join("\n");
    let lower = text.to_lowercase();
    let two = |message: String, help: [&str; 2]| (message, help.map(str::to_owned).to_vec());
    match end {
        End::Deadline => {
            let message = format!("Nix did not come to an end within {} s", limits.seconds);
            return two(
                message,
                ["`--eval-deadline SECONDS` waits longer", "end what the definition computes without end"],
            );
        }
        _ if is_memory(said) => {
            let message = format!("Nix ran out of memory: it may use {}", Size::human(limits.memory));
            return two(message, ["`--eval-memory SIZE` allows more", "end what grows without end in the definition"]);
        }
        End::Signal(signal) => {
            let guess = match signal {
                9 => ", most probably since the machine ran out of memory",
                6 | 11 => ", most probably by a recursion without end",
                _ => "",
            };
            return (format!("Nix was ended by signal {signal}{guess}"), vec![by_hand(host)]);
        }
        End::Itself { .. } if text.is_empty() => {
            return ("Nix failed and did not say why".to_owned(), vec![by_hand(host)]);
        }
        End::Itself { .. } => {}
    }
    let mut help = Vec::new();
    let (meant, lines): (Vec<&String>, Vec<&String>) =
        said.error.iter().partition(|line| line.starts_with("Did you mean "));
    if ["restricted mode", "is forbidden", "allow-import-from-derivation", ".drv' is not valid"]
        .iter()
        .any(|word| lower.contains(word))
    {
        help.push(
            "`--trust` lets Nix read, fetch and build what it asks for: for definitions that you trust".to_owned(),
        );
    }
    let meant = meant.iter().filter_map(|line| line.strip_prefix("Did you mean "));
    help.extend(meant.map(|meant| format!("nearest: {}", printable(meant.trim_end_matches('?')))));
    for (words, way) in [
        ("conflicting definition", "remove one of them, or write the one that should win as `{ mkForce = … }`"),
        ("is not of type", "write a value of that type"),
        ("does not exist. definition", "correct the name, or remove the setting"),
    ] {
        if lower.contains(words) {
            help.push(way.to_owned());
        }
    }
    let is_about_option = subject(&text).is_some();
    let mut said = lines.iter().map(|line| line.as_str()).collect::<Vec<_>>().join("\n");
    if is_about_option
        && let Some(end) = ["Definition values:", "\n- In `", "\n\n"].iter().filter_map(|end| said.find(end)).min()
    {
        said.truncate(end);
    }
    // The compiled files are in out/ too, and those of the user in the fleet.
    let said = said
        .replace(&format!("{folder}/user/"), &format!("hosts/{host}/"))
        .replace(folder, &format!("out/hosts/{host}"));
    if help.is_empty() {
        help.push(by_hand(host));
    }
    let message = phrase(said.lines());
    (if message.is_empty() { "Nix failed and did not say why".to_owned() } else { message }, help)
}

/// Returns how to see all that Nix has to say.
fn by_hand(host: &str) -> String {
    let attribute = crate::nix::Expr::select_path("nixosConfigurations", &[host]);
    let attribute = format!("{}.config.system.build.toplevel", attribute.as_str());
    format!(
        "Nix's whole trace: hostwright build && nix-instantiate --show-trace out -A {}",
        printable(&ShellWord::new(&attribute).to_string())
    )
}

/// Returns what stands at the place of an origin.
pub(super) fn label(origin: Option<&Origin>) -> String {
    match origin {
        None => "nothing that Nix says names a line of it".to_owned(),
        Some(origin) if origin.option.is_empty() => "Nix comes by here".to_owned(),
        Some(origin) => {
            let name = printable(&crate::facts::join_name(&origin.option));
            if origin.written { format!("`{name}`") } else { format!("`{name}` follows from this") }
        }
    }
}

/// Returns the path of a module within nixpkgs.
pub(super) fn module_name(path: &str) -> Option<String> {
    path.find("/nixos/modules/").and_then(|at| path.get(at + 1..)).map(printable)
}
