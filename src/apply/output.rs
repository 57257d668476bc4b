//! What a line prints: masked, the last of it in memory, all of it up to a size in a file.

use std::io::Write;

use super::secrets::{Masker, Secrets};

/// How much of the end is kept in memory, in bytes.
const TAIL: usize = 64 << 10;

/// How much of a line's output is stored, in bytes.
pub(super) const STORED: usize = 16 << 20;

/// How much of the end the journal and messages repeat, in bytes and lines.
const SHOWN: usize = 4 << 10;
const SHOWN_LINES: usize = 20;

/// The output of one line.
pub(super) struct Output<'a> {
    secrets: &'a Secrets,
    masker: Masker,
    tail: Vec<u8>,
    stored: usize,
    most: usize,
    cut: u64,
    log: Option<&'a mut dyn Write>,
}

impl std::fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("stored", &self.stored).field("cut", &self.cut).finish_non_exhaustive()
    }
}

impl<'a> Output<'a> {
    /// Begins an output that is stored in `log`.
    pub(super) fn new(secrets: &'a Secrets, log: Option<&'a mut dyn Write>) -> Self {
        Self { secrets, masker: Masker::default(), tail: Vec::new(), stored: 0, most: STORED, cut: 0, log }
    }

    /// Takes a piece.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let masked = self.masker.push(self.secrets, bytes);
        self.keep(&masked);
    }

    fn keep(&mut self, masked: &[u8]) {
        let room = self.most.saturating_sub(self.stored).min(masked.len());
        if let (Some(log), Some(part)) = (&mut self.log, masked.get(..room)) {
            // A log that cannot be written stops no step: the journal keeps the end of the output.
            let _ = log.write_all(part);
        }
        self.stored += room;
        self.cut += (masked.len() - room) as u64;
        self.tail.extend_from_slice(masked);
        if self.tail.len() > 2 * TAIL {
            self.tail.drain(..self.tail.len() - TAIL);
        }
    }

    /// Ends it: what was cut is said in the file, with the end behind it. Returns the last lines, as text.
    pub(super) fn finish(mut self) -> String {
        let rest = self.masker.finish(self.secrets);
        self.keep(&rest);
        let end = self.tail.len().saturating_sub(TAIL);
        if let (Some(log), true) = (&mut self.log, self.cut > 0) {
            let tail = self.tail.get(end..).unwrap_or_default();
            let tail = tail
                .get(tail.len().saturating_sub(usize::try_from(self.cut).unwrap_or(usize::MAX))..)
                .unwrap_or_default();
            let left = self.cut - tail.len() as u64;
            let _ = write!(log, "\n[{left} bytes left out]\n").and_then(|()| log.write_all(tail));
        }
        let shown = self.tail.get(self.tail.len().saturating_sub(SHOWN)..).unwrap_or_default();
        let text = String::from_utf8_lossy(shown);
        let lines: Vec<&str> = text.trim_end().lines().collect();
        lines.get(lines.len().saturating_sub(SHOWN_LINES)..).unwrap_or_default().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_gigabyte_a_bounded_part_is_kept_and_the_file_says_what_is_left_out() {
        let secrets = Secrets::default();
        let mut log = Vec::new();
        let mut output = Output::new(&secrets, Some(&mut log));
        let line = [vec![b'x'; 1023], b"\n".to_vec()].concat();
        let piece = line.repeat(1024);
        for _ in 0..1024 {
            output.push(&piece);
            assert!(output.tail.len() <= 2 * TAIL + piece.len());
        }
        output.push(b"the end\n");
        assert!(output.finish().ends_with("\nthe end"));
        assert!(log.len() < STORED + TAIL + 100, "{}", log.len());
        let text = String::from_utf8(log).unwrap();
        let said = format!("[{} bytes left out]", (1_usize << 30) + 8 - STORED - TAIL);
        assert!(text.contains(&said) && text.ends_with("the end\n"));
    }
}
