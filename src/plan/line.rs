//! What a command line of a plan is to whoever runs it: a command on the machine, one that needs a terminal, or a line for a shell
//! on the deployer.
//!
//! Nothing of it is stored: a line is taken apart by the words that [`Reach`] itself begins such lines with, and only where
//! what follows is one quoted word and nothing else. A line of any other form stays a line of the shell.

use super::reach::{Reach, Who};
use crate::text::ShellWord;

/// Whose command it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A line for a shell on the deployer, in the fleet's folder.
    Shell(String),
    /// The same, and it asks a person: it needs a terminal.
    Terminal(String),
    /// A command on the machine.
    Remote(Remote),
}

/// A command on the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// The system on it that is meant.
    pub system: System,
    /// The words that ssh is called with, up to and with the host; none when the machine is the deployer itself.
    pub ssh: Option<Vec<String>>,
    /// Whether it needs sudo to be root's.
    pub sudo: bool,
    /// The command, for a POSIX shell.
    pub text: String,
}

/// A system on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum System {
    /// What ran before anything of ours.
    Stranger,
    /// The installer or rescue system.
    Installer,
    /// The host's own system.
    Host,
    /// The host's initrd.
    Initrd,
}

impl System {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::Installer => "installer",
            Self::Host => "host",
            Self::Initrd => "initrd",
        }
    }
}

const ALL: [(Who, System); 4] = [
    (Who::System, System::Host),
    (Who::Installer, System::Installer),
    (Who::Stranger, System::Stranger),
    (Who::Initrd, System::Initrd),
];

impl Reach {
    /// Tells what a line of this machine's plan is.
    pub(super) fn line(&self, line: &str) -> Line {
        if self.is_local() {
            let text = line.strip_prefix("sudo sh -c ").and_then(one_word);
            return text.map_or_else(
                || Line::Shell(line.to_owned()),
                |text| Line::Remote(Remote { system: System::Host, ssh: None, sudo: true, text }),
            );
        }
        for (who, system) in ALL {
            let words = self.ssh_words(who);
            let prefix = words.iter().skip(1).map(|word| word_of(word)).collect::<Vec<_>>().join(" ");
            if line.starts_with(&format!("ssh -t {prefix} ")) {
                return Line::Terminal(line.to_owned());
            }
            let Some(rest) = line.strip_prefix(&format!("ssh {prefix} ")).and_then(one_word) else { continue };
            let sudo = self.needs_sudo(who);
            let text = if sudo { rest.strip_prefix("sudo sh -c ").and_then(one_word) } else { Some(rest) };
            if let Some(text) = text {
                return Line::Remote(Remote { system, ssh: Some(words), sudo, text });
            }
        }
        Line::Shell(line.to_owned())
    }
}

/// Returns an argument as command lines have it: one with an equals sign stays as it is.
fn word_of(word: &str) -> String {
    let command = crate::text::ShellCommand::new("x").arg(word);
    command.as_str().strip_prefix("x ").unwrap_or_default().to_owned()
}

/// Returns the text of a quoted word; none when it is not exactly one, or not quoted as this program quotes.
fn one_word(quoted: &str) -> Option<String> {
    let text = match quoted.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(inner) => inner.replace(r"'\''", "'"),
        None => quoted.to_owned(),
    };
    // Quoting again settles it: what was more than one word comes out as another text.
    (ShellWord::new(&text).as_str() == quoted || word_of(&text) == quoted).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::ShellCommand;

    #[test]
    fn a_line_is_a_command_on_the_machine_only_where_it_is_nothing_else() {
        let text = ShellCommand::new("printf").args(["%s", "it's"]).then("&&", &ShellCommand::new("true"));
        for (target, sudo) in [("root@a.example", false), ("admin@a.example:2222", true), ("local", true)] {
            let reach = Reach::to("a", target);
            let line = reach.run(Who::System, &text);
            let Line::Remote(remote) = reach.line(line.as_str()) else { panic!("{line}") };
            assert_eq!((remote.text.as_str(), remote.sudo), (text.as_str(), sudo), "{line}");
            assert_eq!(remote.ssh.is_none(), target == "local");
            let piped = line.clone().then("|", &ShellCommand::new("tee").arg("x"));
            for line in [piped, reach.copy_folder(Who::System, "a", "b"), ShellCommand::new("true")] {
                assert_eq!(reach.line(line.as_str()), Line::Shell(line.to_string()));
            }
            if target != "local" {
                let line = reach.run_at_terminal(Who::System, &text);
                assert_eq!(reach.line(line.as_str()), Line::Terminal(line.to_string()));
                let there = reach.run(Who::Installer, &text);
                let Line::Remote(remote) = reach.line(there.as_str()) else { panic!("{there}") };
                assert_eq!(remote.system, System::Installer);
            }
        }
    }

    proptest! {
        #[test]
        fn one_word_is_read_back_and_nothing_else_is_taken_for_one(text in "[^\0]{0,40}", other in "[ -~]{1,20}") {
            prop_assert_eq!(one_word(&word_of(&text)), Some(text.clone()));
            let two = ShellCommand::new("x").arg(&text).then("|", &ShellCommand::new("y").arg(&other));
            prop_assert_eq!(one_word(two.as_str().strip_prefix("x ").unwrap()), None);
        }
    }
}
