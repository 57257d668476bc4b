//! Pages show what the program prints: their console blocks are run in order and compared.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::{Sandbox, repository};

/// Keeps the date of the page: the example's channel ends some day.
const TODAY: &str = "hostwright() { case $1 in check|build|plan|apply|migrate) command hostwright \"$@\" --today 2026-11-21 ;; *) command hostwright \"$@\" ;; esac; }";

#[test]
fn every_console_block_of_the_tour_is_what_a_newcomer_sees() {
    let page = fs::read_to_string(repository().join("README.md")).unwrap();
    let (_, tour) = page.split_once("## A tour").unwrap();
    let (tour, _) = tour.split_once("\n## ").unwrap();
    let blocks = prints_what_it_shows("README.md", tour, Sandbox::empty().path());
    assert!(blocks >= 4, "only {blocks} blocks were found");
}

/// Holds the console blocks of a part of a page against what their commands print, beginning in a folder; returns how many there are.
/// With `UPDATE` the page is rewritten.
pub(crate) fn prints_what_it_shows(path: &str, part: &str, folder: &Path) -> usize {
    let page = fs::read_to_string(repository().join(path)).unwrap();
    let mut folder = folder.to_owned();
    let programs = Path::new(env!("CARGO_BIN_EXE_hostwright")).parent().unwrap();
    let search = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut blocks = 0;
    let mut changed = page.clone();
    for block in part.split("```console\n").skip(1) {
        let (block, _) = block.split_once("```").unwrap();
        blocks += 1;
        let mut printed = String::new();
        for line in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let output = Command::new("bash")
                .args(["-c", &format!("{TODAY}\nexec 2>&1\n{line}\necho \"@@$PWD\"")])
                .current_dir(&folder)
                .env("PATH", &search)
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let (text, there) = text.rsplit_once("@@").unwrap();
            folder = there.trim_end().into();
            printed.push_str(&format!("$ {line}\n{text}"));
        }
        if timeless(&printed) != timeless(block) {
            changed = changed.replacen(block, &printed, 1);
        }
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(repository().join(path), &changed).unwrap();
    } else {
        assert!(page == changed, "{path} is not what is printed: UPDATE=1 cargo test rewrites it\n{changed}");
    }
    blocks
}

/// Leaves out how long a build took, which differs between two runs, and how much it wrote, which differs with every script: no page is
/// about either.
fn timeless(text: &str) -> String {
    text.lines()
        .map(|line| match line.rsplit_once(" in ") {
            Some((head, tail)) if tail.ends_with(" ms") => {
                let files = head.rsplit_once(", ").filter(|(_, size)| size.ends_with("iB)"));
                format!("{}\n", files.map_or(head, |(files, _)| files))
            }
            _ => format!("{line}\n"),
        })
        .collect()
}
