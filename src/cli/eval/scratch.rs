//! The folder in which compiled files lie while Nix reads them; it goes when it is dropped.
#![allow(clippy::disallowed_methods, reason = "the folder is temporary, and nobody else's")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::super::Failure;
use super::super::context::shown;
use crate::compile::OutFile;
use crate::evaluate::Cut;

#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Makes the folder and writes the files into it.
    pub(super) fn of(files: &[OutFile]) -> Result<Self, Failure> {
        let nanoseconds = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
        let parent = std::env::temp_dir();
        let parent = parent.canonicalize().unwrap_or(parent);
        let path = parent.join(format!("hostwright-eval-{}-{nanoseconds}", std::process::id()));
        let failed = |why: std::io::Error| {
            Failure::new(format!("cannot write {}: {why}", shown(&path))).help("`TMPDIR` names another folder")
        };
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt as _;
            // A daemon of Nix reads nothing of it: the client evaluates.
            builder.mode(0o700);
        }
        builder.create(&path).map_err(failed)?;
        let scratch = Self(path.clone());
        for file in files {
            let path = scratch.0.join(&file.path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(failed)?;
            }
            fs::write(&path, &file.bytes).map_err(failed)?;
        }
        Ok(scratch)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Blanks parts of a host's files; every line and column stays what it is.
    pub(super) fn blank(&self, host: &str, cuts: &[Cut]) -> Result<(), Failure> {
        for cut in cuts {
            let path = self.0.join("hosts").join(host).join(&cut.file);
            let failed = |why: std::io::Error| Failure::new(format!("cannot change {}: {why}", shown(&path)));
            let mut bytes = fs::read(&path).map_err(failed)?;
            for byte in bytes.get_mut(cut.range.clone()).into_iter().flatten().filter(|byte| **byte != b'\n') {
                *byte = b' ';
            }
            fs::write(&path, bytes).map_err(failed)?;
        }
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_becomes_blanks_and_the_folder_goes_in_the_end() {
        let file = OutFile::of_text("hosts/a/x.nix", "{\n  ä = 1;\n  b = 2;\n}\n");
        let scratch = Scratch::of(&[file]).unwrap();
        let path = scratch.path().join("hosts/a/x.nix");
        scratch.blank("a", &[Cut { file: "x.nix".to_owned(), range: 4..11 }]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\n         \n  b = 2;\n}\n");
        scratch.blank("a", &[Cut { file: "x.nix".to_owned(), range: 0..999 }]).unwrap();
        drop(scratch);
        assert!(!path.exists());
    }
}
