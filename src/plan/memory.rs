//! How much memory a machine must have to be the one that is defined.

use crate::resolve::ResolvedHost;
use crate::text::ShellCommand;
use crate::units::Size;

/// What of the memory a kernel may keep for itself, its firmware or graphics, as a share of a hundred: `MemTotal` is less than what is
/// built in.
const KEPT: u64 = 15;

/// What is defined, and the least that Linux may show of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Memory {
    /// In kibibytes, as /proc/meminfo shows it.
    pub(super) least: u64,
    /// As people read it.
    pub(super) defined: String,
}

impl Memory {
    /// Returns that of a host; none where its definition says nothing of it.
    pub(super) fn of(host: &ResolvedHost<'_>) -> Option<Self> {
        let defined = &host.def.machine.memory.as_ref()?.value;
        Some(Self { least: defined.bytes() / 1024 / 100 * (100 - KEPT), defined: Size::human(defined.bytes()) })
    }

    /// Returns a command that fails on a machine with less.
    pub(super) fn check(&self) -> ShellCommand {
        let less = format!(
            "$1 == \"MemTotal:\" && $2 < {} {{ printf \"this machine has %d MiB of memory, the definition says {}: another machine, or a \
             bank that failed\\n\", $2 / 1024; exit 1 }}",
            self.least, self.defined
        );
        ShellCommand::new("awk").arg(less).arg("/proc/meminfo")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "a shell judges the line")]

    use std::process::Command;

    use super::*;

    #[test]
    fn a_machine_with_less_memory_is_told_and_what_a_kernel_keeps_is_not_missed() {
        let of = |gibibytes: u64, shown: u64| {
            let bytes = gibibytes << 30;
            let memory = Memory { least: bytes / 1024 / 100 * (100 - KEPT), defined: Size::human(bytes) };
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("meminfo");
            std::fs::write(&file, format!("MemTotal:       {shown} kB\nMemFree: 1 kB\n")).unwrap();
            let line = memory.check().to_string().replace("/proc/meminfo", file.to_str().unwrap());
            let output = Command::new("sh").arg("-c").arg(line).output().unwrap();
            (output.status.code(), String::from_utf8(output.stdout).unwrap())
        };
        // A server of 64 GiB shows 65,755,048 KiB.
        assert_eq!(of(64, 65_755_048), (Some(0), String::new()));
        let (status, said) = of(64, 32_000_000);
        assert_eq!(status, Some(1));
        assert!(said.starts_with("this machine has 31250 MiB of memory, the definition says 64 GiB"), "{said}");
    }
}
