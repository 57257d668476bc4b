//! How fast the program is and how much memory it takes: whole processes, as a shell starts them, and fleets of many hosts.
//!
//! `cargo bench` prints the figures, each beside what README.md promises and beside the cost of starting any process at all, and fails
//! when a time is more than twice its promise: machines that share their cores differ that much. Memory does not depend on that, nor
//! does the ratio to an evaluation of the same host with Nix, which is measured in the same run where `HOSTWRIGHT_NIX` and
//! `HOSTWRIGHT_NIXPKGS` are set (scripts/evaluate says to what): these must hold as promised.
#![allow(clippy::disallowed_methods, reason = "a benchmark starts processes and reads the clock")]
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark that cannot go on fails by a panic")]

mod look_ups;
mod manifests;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const BIN: &str = env!("CARGO_BIN_EXE_hostwright");
const RUNS: usize = 41;

fn main() -> ExitCode {
    // `cargo test --benches` passes a flag that asks for a trial only.
    if std::env::args().any(|argument| argument == "--test") {
        return ExitCode::SUCCESS;
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let fleet = |hosts: usize| Fleet::new(&root, hosts);
    let nothing = median(RUNS, || run(Path::new("/bin/true"), &[], &root));
    println!("median of {RUNS} runs of whole processes; starting /bin/true takes {nothing:.1?}");
    let one = fleet(1);
    let check = ["check", "--today", "2026-11-21"];
    let mut slow = Vec::new();
    let mut show = |name: &str, took: Duration, promise: Duration| {
        let ratio = took.as_secs_f64() / promise.as_secs_f64();
        println!("  {name:34} {took:>9.1?}  promised {promise:>7.1?}  ratio {ratio:.2}");
        if ratio > 2.0 {
            slow.push(name.to_owned());
        }
    };
    let milliseconds = Duration::from_millis;
    show("--version", median(RUNS, || run(Path::new(BIN), &["--version"], &root)), milliseconds(5));
    show("check, one host", median(RUNS, || run(Path::new(BIN), &check, &one.folder)), milliseconds(10));
    // Two hosts, the manifests of a cluster, and a copy of every module and template.
    show("check, the example fleet", median(RUNS, || run(Path::new(BIN), &check, &root)), milliseconds(20));
    let mut memory: Vec<(usize, u64)> = vec![(1, peak(&check, &one.folder))];
    for (hosts, name) in [(1_000, "check, 1,000 hosts"), (10_000, "check, 10,000 hosts")] {
        let many = fleet(hosts);
        show(name, median(3, || run(Path::new(BIN), &check, &many.folder)), milliseconds(2 * hosts as u64));
        memory.push((hosts, peak(&check, &many.folder)));
    }
    let build = ["build", "--today", "2026-11-21"];
    show(
        "build, one host, the first time",
        median(5, || {
            let _ = std::fs::remove_dir_all(one.folder.join("out"));
            run(Path::new(BIN), &build, &one.folder);
        }),
        milliseconds(200),
    );
    show(
        "build, one host, nothing changed",
        median(RUNS, || run(Path::new(BIN), &build, &one.folder)),
        milliseconds(50),
    );
    let mut broken =
        if slow.is_empty() { Vec::new() } else { vec![format!("more than twice the promise: {}", slow.join(", "))] };
    for (hosts, kib) in memory {
        let promise = MEMORY_KIB * (hosts as u64).div_ceil(1_000);
        println!("  memory of {hosts:>6} hosts {kib:>16} KiB  promised {promise} KiB");
        if kib > promise {
            broken.push(format!("{hosts} hosts take {kib} KiB"));
        }
    }
    broken.extend(migrate(&root));
    let checked = median(RUNS, || run(Path::new(BIN), &check, &one.folder));
    match evaluated(&root, &one.folder) {
        Some(took) => {
            let ratio = took.as_secs_f64() / checked.as_secs_f64();
            println!(
                "  the same host evaluated with Nix {took:>11.1?}  check {checked:.1?}  {ratio:.0} times faster, promised {TIMES}"
            );
            if ratio < TIMES {
                broken.push(format!("{ratio:.0} times faster than Nix"));
            }
        }
        None => println!("  HOSTWRIGHT_NIX and HOSTWRIGHT_NIXPKGS are not set: not compared with Nix"),
    }
    let program = std::fs::metadata(BIN).map_or(0, |about| about.len());
    println!("  the program has {program} bytes; look-ups in its facts:");
    look_ups::print();
    for line in &broken {
        println!("{line}");
    }
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints how fast dumps of a cluster are inventoried, and returns what breaks a promise.
fn migrate(root: &Path) -> Vec<String> {
    let mut broken = Vec::new();
    let dumps = [
        ("YAML", manifests::Dump::yaml(50_000_000), 25.0),
        ("JSON as kubectl prints it", manifests::Dump::json(100_000_000), 100.0),
    ];
    for (name, dump, promise) in &dumps {
        let arguments = ["migrate", "--summary", "--format", "json", dump.file.to_str().unwrap()];
        let took = median(5, || run(Path::new(BIN), &arguments, root));
        let megabytes = f64::from(dump.bytes) / 1e6;
        let speed = megabytes / took.as_secs_f64();
        let kib = peak(&arguments, root);
        println!(
            "  migrate, {megabytes:.0} MB of {name}: {speed:.0} MB/s  promised {promise} MB/s  ratio {:.2}; memory {kib} KiB",
            promise / speed
        );
        if promise / speed > 2.0 {
            broken.push(format!("more than twice the promise: migrate, {name}"));
        }
        if kib > MANIFESTS_KIB {
            broken.push(format!("{megabytes:.0} MB of {name} take {kib} KiB"));
        }
    }
    broken
}

/// What 100 MB of manifests may take at most, in KiB: 1 GB.
const MANIFESTS_KIB: u64 = 1_000_000_000 / 1024;

/// What 1,000 hosts may take at most, in KiB: 300 MB.
const MEMORY_KIB: u64 = 300_000_000 / 1024;

/// How many times faster than an evaluation a check is at least.
const TIMES: f64 = 300.0;

/// Returns the most memory that a run had at a time, in KiB: the system keeps it while the process lives, and it only grows.
fn peak(arguments: &[&str], folder: &Path) -> u64 {
    let mut child = Command::new(BIN)
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let kib = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        peak = kib.unwrap_or(0).max(peak);
        if child.try_wait().unwrap().is_some() {
            return peak;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Returns how long Nix takes to evaluate the one host of a fleet, which `build` has compiled.
fn evaluated(root: &Path, fleet: &Path) -> Option<Duration> {
    std::env::var_os("HOSTWRIGHT_NIX")?;
    std::env::var_os("HOSTWRIGHT_NIXPKGS")?;
    let out = fleet.join("out");
    Some(median(3, || run(&root.join("scripts/evaluate"), &[out.to_str().unwrap()], root)))
}

/// A fleet in a folder of its own, which goes away with it.
struct Fleet {
    folder: PathBuf,
}

impl Fleet {
    /// Copies the example host as many times as wanted, each with its own name, addresses, disks and host id.
    fn new(root: &Path, hosts: usize) -> Self {
        let folder = std::env::temp_dir().join(format!("hostwright-speed-{}-{hosts}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::copy(root.join("fleet.toml"), folder.join("fleet.toml")).unwrap();
        let example = std::fs::read_to_string(root.join("hosts/lufta/host.toml")).unwrap();
        // One host took over a cluster; a thousand did not.
        let mut moves = false;
        let stays = |line: &&str| {
            moves = (moves && !line.is_empty()) || line.ends_with(".migrates-from]");
            !moves
        };
        let example = example.lines().filter(stays).collect::<Vec<_>>().join("\n") + "\n";
        for number in 0..hosts {
            let host = folder.join(format!("hosts/h{number}"));
            std::fs::create_dir_all(&host).unwrap();
            let (high, low) = (number / 200, number % 200 + 10);
            let mut text = example
                .replace("135.181.162.99", &format!("10.{high}.0.{low}"))
                .replace("135.181.162.65", &format!("10.{high}.0.1"))
                .replace("/26", "/24")
                .replace("2a01:4f9:3a:1a1c::1/64", &format!("2001:db8:{high:x}::{low:x}/64"))
                .replace("tulpa.dev", &format!("h{number}.example.org"))
                .replace("peers = [{ host = \"attic\" }]", "peers = []")
                .replace("public-key = \"9QXxi0", &format!("public-key = \"{number:06}"))
                .replace("10.77.3.1/24", &format!("100.64.{high}.{low}/24"))
                .replace("2487cd1f", &format!("{:08x}", 0x1000_0001 + number))
                .replace("S675NX0R512345", &format!("S675NX0R{number:06}"));
            for disk in 1..=3 {
                text = text.replace(
                    &format!("ata-TOSHIBA_DT01ACA200_{disk}"),
                    &format!("ata-TOSHIBA_DT01ACA200_{number}_{disk}"),
                );
            }
            let mut mac = String::new();
            let _ = write!(mac, "02:00:00:00:{:02x}:{:02x}", number / 256, number % 256);
            std::fs::write(host.join("host.toml"), text.replace("a8:a1:59:0f:2d:69", &mac)).unwrap();
        }
        Self { folder }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn run(program: &Path, arguments: &[&str], folder: &Path) {
    let status =
        Command::new(program).args(arguments).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.unwrap().success(), "{} {arguments:?} failed", program.display());
}

fn median(runs: usize, work: impl Fn()) -> Duration {
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[runs / 2]
}
