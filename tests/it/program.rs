//! The real program in a clean environment: what other test modules start it with.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of its own, and the program run in it.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
}

/// What a run of the program came to.
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Sandbox {
    /// Returns an empty folder.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// Returns a folder with the example fleet.
    pub(crate) fn example() -> Self {
        let sandbox = Self::empty();
        for path in ["fleet.toml", "hosts/lufta/host.toml", "hosts/attic/host.toml"] {
            sandbox.write(path, fs::read(repository().join(path)).unwrap());
        }
        for manifest in fs::read_dir(repository().join("k8s")).unwrap().map(Result::unwrap) {
            sandbox
                .write(&format!("k8s/{}", manifest.file_name().to_str().unwrap()), fs::read(manifest.path()).unwrap());
        }
        sandbox
    }

    /// Returns a folder with a small sound fleet of one host `a`.
    pub(crate) fn small() -> Self {
        let sandbox = Self::empty();
        for (path, text) in hostwright::check::SCAFFOLD {
            sandbox.write(path, text);
        }
        sandbox.write("hosts/a/host.toml", "");
        sandbox
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).unwrap()
    }

    /// Changes a file's text; the old text must be there.
    pub(crate) fn edit(&self, path: &str, old: &str, new: &str) {
        let text = self.read(path);
        assert!(text.contains(old), "{path} has no {old:?}");
        self.write(path, text.replacen(old, new, 1));
    }

    /// Runs the program here.
    #[must_use]
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(&[], arguments)
    }

    /// Runs the program here with variables of the environment.
    #[must_use]
    pub(crate) fn run_with(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Run {
        let output = Command::new(env!("CARGO_BIN_EXE_hostwright"))
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        Run::of(&output, self.path())
    }

    /// Returns every file below a folder here with its bytes.
    pub(crate) fn tree(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let root = self.path().join(folder);
        walkdir::WalkDir::new(&root)
            .into_iter()
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| {
                let path = entry.path().strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                (path, fs::read(entry.path()).unwrap())
            })
            .collect()
    }
}

impl Run {
    pub(crate) fn of(output: &Output, folder: &Path) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&folder.display().to_string(), "[FLEET]");
        let run =
            Self { status: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) };
        assert!(!run.err.contains("panicked"), "{}", run.err);
        assert!(!run.out.contains("internal error"), "{}", run.out);
        run
    }

    /// Asserts the status and returns both outputs.
    #[track_caller]
    pub(crate) fn ends(self, status: i32) -> Self {
        assert_eq!(self.status, status, "\n{}\n{}", self.out, self.err);
        self
    }

    /// Asserts that standard output holds a text.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.out.contains(text), "no {text:?} in\n{}", self.out);
        self
    }

    /// Asserts that standard error holds a text.
    #[track_caller]
    pub(crate) fn complains(self, text: &str) -> Self {
        assert!(self.err.contains(text), "no {text:?} in\n{}", self.err);
        self
    }
}

pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
