//! How a pool is put together, from `zpool status -P`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A vdev at the top of a pool, or one device that stands there alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Vdev {
    /// What it serves: `data`, `log`, `special`, `dedup`, `cache`, `spare`.
    pub class: String,
    /// `mirror`, `raidz1`, `draid2:4d:11c:1s`; `disk` of a device that stands alone.
    pub kind: String,
    /// Its devices.
    pub members: Vec<Member>,
}

/// A device of a pool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Member {
    /// Its path; of one that is gone the path that it had, else its number.
    pub path: String,
    /// Its state.
    pub state: String,
}

/// Reads `zpool status -P` of all pools.
pub(super) fn layouts(text: &str) -> BTreeMap<String, Vec<Vdev>> {
    let mut pools = BTreeMap::new();
    let mut pool: Option<(String, Vec<Vdev>)> = None;
    let mut class = "data";
    let mut inside = false;
    for line in text.lines() {
        if let Some(name) = line.trim_start().strip_prefix("pool: ") {
            pools.extend(pool.replace((name.trim().to_owned(), Vec::new())));
            class = "data";
            inside = false;
            continue;
        }
        let Some((name, vdevs)) = &mut pool else { continue };
        let Some(row) = line.strip_prefix('\t') else {
            inside = line.trim() == "config:" || (inside && line.trim().is_empty());
            continue;
        };
        if !inside {
            continue;
        }
        let depth = row.len() - row.trim_start_matches(' ').len();
        let words: Vec<&str> = row.split_whitespace().collect();
        let [first, rest @ ..] = words.as_slice() else { continue };
        match (depth, *first) {
            (0, "NAME") => {}
            (0, "logs") => class = "log",
            (0, "cache") => class = "cache",
            (0, "spares") => class = "spare",
            (0, "special" | "dedup") if rest.is_empty() => class = if *first == "dedup" { "dedup" } else { "special" },
            (0, root) if root == name => class = "data",
            (2, vdev) => {
                let kind = kind(vdev);
                let members = if kind == "disk" { vec![member(vdev, rest)] } else { Vec::new() };
                vdevs.push(Vdev { class: class.to_owned(), kind: kind.to_owned(), members });
            }
            // A member that is being replaced has the old and the new device below it.
            (_, device) if depth > 2 && kind(device) == "disk" => {
                if let Some(vdev) = vdevs.last_mut() {
                    vdev.members.push(member(device, rest));
                }
            }
            _ => {}
        }
    }
    pools.extend(pool);
    pools
}

/// Returns the kind of a vdev by its name; `disk` for a device.
fn kind(name: &str) -> &str {
    const GROUPS: [&str; 7] = ["mirror", "raidz1", "raidz2", "raidz3", "replacing", "spare", "indirect"];
    let Some((kind, number)) = name.rsplit_once('-') else { return "disk" };
    let is_group = GROUPS.contains(&kind) || (kind.starts_with("draid") && kind.contains(':'));
    if is_group && number.bytes().all(|b| b.is_ascii_digit()) { kind } else { "disk" }
}

fn member(name: &str, rest: &[&str]) -> Member {
    let was = rest.iter().position(|word| *word == "was").and_then(|at| rest.get(at + 1));
    Member { path: was.unwrap_or(&name).to_string(), state: rest.first().copied().unwrap_or_default().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "  pool: rpool\n state: DEGRADED\nstatus: One or more devices\n\tare faulted.\naction: Replace it.\nconfig:\n\n\
        \tNAME            STATE     READ WRITE CKSUM\n\trpool           DEGRADED     0     0     0\n\t  raidz1-0      DEGRADED     0     0     0\n\
        \t    /dev/disk/by-id/ata-A-part1  ONLINE  0 0 0\n\t    replacing-1  DEGRADED 0 0 0\n\t      123456  UNAVAIL 0 0 0  was /dev/sdb1\n\
        \t      /dev/sdc1  ONLINE 0 0 0  (resilvering)\n\tspecial\t\n\t  mirror-1 ONLINE 0 0 0\n\t    /dev/sdd1 ONLINE 0 0 0\n\t    /dev/sde1 ONLINE 0 0 0\n\
        \tlogs\t\n\t  /dev/nvme0n1p3  ONLINE  0 0 0\n\tcache\n\t  /dev/sdf ONLINE 0 0 0\n\tspares\n\t  /dev/sdg AVAIL\n\nerrors: No known data errors\n\n\
        \x20 pool: tank\n state: ONLINE\nconfig:\n\n\tNAME STATE READ WRITE CKSUM\n\ttank ONLINE 0 0 0\n\t  draid2:4d:11c:1s-0 ONLINE 0 0 0\n\t    /dev/sdh ONLINE 0 0 0\n\nerrors: No known data errors\n";

    #[test]
    fn every_class_of_vdev_and_a_member_that_is_being_replaced_are_read() {
        let pools = layouts(STATUS);
        let said: Vec<String> = pools["rpool"]
            .iter()
            .map(|vdev| {
                let members: Vec<&str> = vdev.members.iter().map(|member| member.path.as_str()).collect();
                format!("{} {} {}", vdev.class, vdev.kind, members.join(","))
            })
            .collect();
        assert_eq!(
            said,
            [
                "data raidz1 /dev/disk/by-id/ata-A-part1,/dev/sdb1,/dev/sdc1",
                "special mirror /dev/sdd1,/dev/sde1",
                "log disk /dev/nvme0n1p3",
                "cache disk /dev/sdf",
                "spare disk /dev/sdg"
            ]
        );
        assert_eq!(pools["tank"][0].kind, "draid2:4d:11c:1s");
        assert_eq!(pools["rpool"][0].members[1].state, "UNAVAIL");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "((  pool: |\t {0,6})[a-z0-9/-]{0,8}( [A-Z]{0,4})?\n|config:\n|\n){0,12}") {
            let _ = layouts(&text);
        }
    }
}
