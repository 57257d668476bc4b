//! disko.nix, read by the disko library, against what the scripts of the installation do: compared as data.
//!
//! `HOSTWRIGHT_DISKO` names a copy of disko.

use std::collections::{BTreeMap, BTreeSet};

use hostwright::compile::Compiled;
use hostwright::facts::Facts;
use hostwright::source::load;
use serde_json::Value;

use super::compile::{compile_files, example, forms, root};
use super::compile_nix::{evaluate, nixpkgs, write};
use super::compile_shell::dry_run;

/// Names and what they are set to.
type Words = BTreeMap<String, String>;

/// A layout: what is made, under names that both sides know. A block device is called by the label of its partition,
/// `/dev/mapper/NAME` once LUKS around it is open, or `md:NAME`.
#[derive(Debug, Default, PartialEq)]
struct Layout {
    /// (disk, number) -> (label, size, type code).
    partitions: BTreeMap<(String, u64), (String, String, String)>,
    /// Block device -> file system or swap.
    made: Words,
    /// Block device -> name of the LUKS device on it.
    luks: Words,
    /// Array -> (level, metadata, members).
    arrays: BTreeMap<String, (String, String, BTreeSet<String>)>,
    /// Block device -> subvolumes.
    subvolumes: BTreeMap<String, BTreeSet<String>>,
    /// Path -> (block device or dataset, options).
    mounts: BTreeMap<String, (String, BTreeSet<String>)>,
    /// Pool -> words that describe its vdevs, members by the label of their partition.
    vdevs: BTreeMap<String, Vec<String>>,
    /// Pool -> options of the pool and of its root dataset.
    options: BTreeMap<String, (Words, Words)>,
    /// Dataset -> size of a volume, options.
    datasets: BTreeMap<String, (Option<String>, Words)>,
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn map(value: &Value) -> Words {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// Adds what disko puts onto a block device.
fn add_content(layout: &mut Layout, at: String, content: &Value) {
    let mut mount = |path: &Value, options: &Value, subvolume: Option<&str>| {
        let Some(path) = path.as_str() else { return };
        let own = options.as_array().into_iter().flatten().map(text).filter(|option| option != "defaults");
        let subvolume = subvolume.map(|name| format!("subvol={name}"));
        layout.mounts.insert(path.to_owned(), (at.clone(), own.chain(subvolume).collect()));
    };
    match content["type"].as_str() {
        Some("filesystem") => {
            mount(&content["mountpoint"], &content["mountOptions"], None);
            layout.made.insert(at, text(&content["format"]));
        }
        Some("btrfs") => {
            let subvolumes = content["subvolumes"].as_object().unwrap();
            for (name, subvolume) in subvolumes {
                mount(&subvolume["mountpoint"], &subvolume["mountOptions"], Some(name));
            }
            mount(&content["mountpoint"], &content["mountOptions"], None);
            layout.subvolumes.insert(at.clone(), subvolumes.keys().cloned().collect());
            layout.made.insert(at, "btrfs".to_owned());
        }
        // A random key is made at each boot, and the swap with it.
        Some("swap") if content["randomEncryption"] == true => {}
        Some("swap") => drop(layout.made.insert(at, "swap".to_owned())),
        Some("luks") => {
            let name = text(&content["name"]);
            add_content(layout, format!("/dev/mapper/{name}"), &content["content"]);
            layout.luks.insert(at, name);
        }
        Some("mdraid") => drop(layout.arrays.entry(text(&content["name"])).or_default().2.insert(at)),
        _ => {}
    }
}

/// Returns the layout that disko reads.
fn of_disko(devices: &Value) -> Layout {
    let mut layout = Layout::default();
    for disk in devices["disk"].as_object().unwrap().values() {
        for partition in disk["content"]["partitions"].as_object().into_iter().flatten().map(|(_, value)| value) {
            let label = text(&partition["label"]);
            let size =
                if partition["size"] == "100%" { "0".to_owned() } else { format!("+{}", text(&partition["size"])) };
            let at = (text(&disk["device"]), partition["_index"].as_u64().unwrap());
            layout.partitions.insert(at, (label.clone(), size, text(&partition["type"])));
            add_content(&mut layout, label, &partition["content"]);
        }
    }
    for (name, array) in devices["mdadm"].as_object().into_iter().flatten() {
        let entry = layout.arrays.entry(name.clone()).or_default();
        (entry.0, entry.1) = (text(&array["level"]), text(&array["metadata"]));
        add_content(&mut layout, format!("md:{name}"), &array["content"]);
    }
    for (path, nodev) in devices["nodev"].as_object().into_iter().flatten() {
        let options = nodev["mountOptions"].as_array().into_iter().flatten().map(text);
        let options = options.filter(|option| option != "defaults").collect();
        layout.mounts.insert(path.clone(), (text(&nodev["fsType"]), options));
    }
    for (name, pool) in devices["zpool"].as_object().into_iter().flatten() {
        let topology = &pool["mode"]["topology"];
        let label = |member: &Value| text(member).replace("/dev/disk/by-partlabel/", "");
        let mut words = Vec::new();
        for class in ["vdev", "log", "special", "dedup"] {
            let list = match &topology[class] {
                Value::Array(list) => list.clone(),
                Value::Null => Vec::new(),
                one => vec![one.clone()],
            };
            for vdev in list {
                words.extend((class != "vdev").then(|| class.to_owned()));
                words.extend(Some(text(&vdev["mode"])).filter(|mode| !mode.is_empty()));
                words.extend(vdev["members"].as_array().unwrap().iter().map(label));
            }
        }
        for class in ["cache", "spare"] {
            let members: Vec<String> = topology[class].as_array().into_iter().flatten().map(label).collect();
            words.extend((!members.is_empty()).then(|| class.to_owned()));
            words.extend(members);
        }
        layout.vdevs.insert(name.clone(), words);
        layout.options.insert(name.clone(), (map(&pool["options"]), map(&pool["rootFsOptions"])));
        for (relative, dataset) in pool["datasets"].as_object().unwrap() {
            // disko always has an entry for the pool's own dataset.
            if relative != "__root" {
                let size = dataset["size"].as_str().map(str::to_owned);
                let whole = format!("{name}/{relative}");
                if let Some(path) = dataset["mountpoint"].as_str() {
                    layout.mounts.insert(path.to_owned(), (whole.clone(), BTreeSet::new()));
                }
                layout.datasets.insert(whole, (size, map(&dataset["options"])));
            }
        }
    }
    layout
}

/// Returns the values of an option of sgdisk by partition: `--new=1:2M:+3M` -> 1: `2M:+3M`.
fn numbered<'a>(words: &'a [String], option: &str) -> BTreeMap<u64, &'a str> {
    let values = words.iter().filter_map(|word| word.strip_prefix(option)?.split_once(':'));
    values.filter_map(|(number, rest)| Some((number.parse().ok()?, rest))).collect()
}

/// Returns the layout that the scripts make.
///
/// `names` are those of the LUKS devices: what opens with a key file needs one even where nothing is done.
fn of_scripts(compiled: &Compiled, host: &str, names: &Words) -> Layout {
    let folder = tempfile::tempdir().unwrap();
    for name in names.values() {
        std::fs::write(folder.path().join(name), "0123456789abcdef").unwrap();
    }
    let mut layout = Layout::default();
    let mut labels: Words = BTreeMap::new();
    for words in dry_run(compiled, host, "partition", folder.path()) {
        let last = words.last().unwrap();
        match words[0].as_str() {
            "sgdisk" => {
                let (names, codes) = (numbered(&words, "--change-name="), numbered(&words, "--typecode="));
                for (number, span) in numbered(&words, "--new=") {
                    let label = names[&number].to_owned();
                    let size = span.split_once(':').unwrap().1.to_owned();
                    labels.insert(format!("{last}-part{number}"), label.clone());
                    layout.partitions.insert((last.clone(), number), (label, size, codes[&number].to_owned()));
                }
            }
            "cryptsetup" if words[1] == "open" => {
                let [.., device, opened, _key_file, _] = words.as_slice() else { panic!("{words:?}") };
                let name = format!("/dev/mapper/{opened}");
                layout.luks.insert(labels[device].clone(), opened.clone());
                labels.insert(name.clone(), name);
            }
            "mdadm" => {
                let name = words[2].replace("/dev/md/", "");
                let of = |option: &str| words.iter().find_map(|word| word.strip_prefix(option)).unwrap().to_owned();
                let members = words.iter().filter_map(|word| labels.get(word).cloned()).collect();
                layout.arrays.insert(name.clone(), (of("--level="), of("--metadata="), members));
                labels.insert(format!("/dev/disk/by-id/md-name-{host}:{name}"), format!("md:{name}"));
            }
            "btrfs" => {
                let (at, _) = layout.made.iter().find(|(_, kind)| *kind == "btrfs").unwrap();
                let name = last.replace("/FILE-SYSTEM/", "");
                layout.subvolumes.entry(at.clone()).or_default().insert(name);
            }
            "mkswap" => drop(layout.made.insert(labels[last].clone(), "swap".to_owned())),
            mkfs if mkfs.starts_with("mkfs.") => {
                layout.made.insert(labels[last].clone(), mkfs.replace("mkfs.", ""));
            }
            _ => {}
        }
    }
    for words in dry_run(compiled, host, "mount", folder.path()) {
        let [mount, dash_t, kind, options @ .., dashes, source, place] = words.as_slice() else { continue };
        if [mount, dash_t, dashes] != ["mount", "-t", "--"] {
            continue;
        }
        let place = place.strip_prefix("/mnt").unwrap();
        let place = if place.is_empty() { "/" } else { place };
        let options = options.last().map_or("", String::as_str).split(',');
        let options = options.filter(|option| !option.is_empty() && kind != "zfs").map(str::to_owned).collect();
        layout.mounts.insert(place.to_owned(), (labels.get(source).unwrap_or(source).clone(), options));
    }
    if !compiled.files.iter().any(|file| file.path == format!("hosts/{host}/install/pools.sh")) {
        return layout;
    }
    for words in dry_run(compiled, host, "pools", folder.path()) {
        let (mut options, mut root_options, mut rest, mut size) = (BTreeMap::new(), BTreeMap::new(), Vec::new(), None);
        let mut all = words.iter().skip(2);
        while let Some(word) = all.next() {
            let mut pair = || {
                let (name, value) = all.next().unwrap().split_once('=').unwrap();
                (name.to_owned(), value.to_owned())
            };
            match word.as_str() {
                "-o" => options.extend([pair()]),
                "-O" => root_options.extend([pair()]),
                "-V" => size = all.next().cloned(),
                // The target below which the pool is mounted.
                "-R" => drop(all.next()),
                "-f" | "-p" | "-s" => {}
                _ => rest.push(labels.get(word).unwrap_or(word).clone()),
            }
        }
        match [words[0].as_str(), words.get(1).map_or("", String::as_str)] {
            ["zpool", "create"] => {
                let pool = rest.remove(0);
                layout.vdevs.insert(pool.clone(), rest);
                layout.options.insert(pool, (options, root_options));
            }
            ["zfs", "create"] => drop(layout.datasets.insert(rest.remove(0), (size, options))),
            _ => {}
        }
    }
    // disko has no word for dRAID: such a pool, and what lies on it, is made by pools.sh alone.
    let is_draid = |words: &Vec<String>| {
        words.iter().any(|word| ["draid1", "draid2", "draid3"].iter().any(|kind| word.starts_with(kind)))
    };
    let other: Vec<String> = layout.vdevs.extract_if(.., |_, words| is_draid(words)).map(|(pool, _)| pool).collect();
    for pool in other {
        let below = format!("{pool}/");
        layout.options.remove(&pool);
        layout.datasets.retain(|name, _| !name.starts_with(&below));
        layout.mounts.retain(|_, (source, _)| !source.starts_with(&below));
    }
    // Where the size of a disk is not stated, only the script can work out what is kept back.
    layout.datasets.retain(|_, (_, options)| options.get("refreservation").is_none_or(|bytes| bytes != "0"));
    layout
}

/// Compares every host of a fleet.
fn compare(compiled: &Compiled, test: &str) {
    let Some((nix, tree)) = nixpkgs(test) else { return };
    let Ok(disko) = std::env::var("HOSTWRIGHT_DISKO") else {
        eprintln!("skipped: {test}: HOSTWRIGHT_DISKO names no copy of disko");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    write(compiled, folder.path());
    for host in &compiled.hosts {
        let file = folder.path().join("hosts").join(&host.name).join("disko.nix");
        let expression = format!(
            "let lib = import ({tree}/lib); \
             disko = import {disko}/lib {{ inherit lib; makeTest = null; eval-config = null; qemu-common = _: {{ }}; }}; \
             read = (lib.evalModules {{ modules = [ {{ options.disko.devices = lib.mkOption {{ type = disko.toplevel; }}; }} \
             (/. + \"{}\") ]; }}).config.disko.devices; \
             plain = v: if builtins.isAttrs v then lib.mapAttrs (_: plain) (lib.filterAttrs (n: _: !lib.hasPrefix \"_\" n || n == \"_index\" || n == \"__root\") v) \
             else if builtins.isList v then map plain v else if builtins.isFunction v then null else v; \
             in plain {{ inherit (read) disk mdadm nodev zpool; }}",
            file.display()
        );
        let read = of_disko(&evaluate(&nix, &expression).0);
        let made = of_scripts(compiled, &host.name, &read.luks);
        assert!(!made.partitions.is_empty(), "{} lays out nothing", host.name);
        assert_eq!(read.partitions, made.partitions, "{}", host.name);
        assert_eq!(read.made, made.made, "{}", host.name);
        assert_eq!(read.luks, made.luks, "{}", host.name);
        assert_eq!(read.arrays, made.arrays, "{}", host.name);
        assert_eq!(read.subvolumes, made.subvolumes, "{}", host.name);
        assert_eq!(read.mounts, made.mounts, "{}", host.name);
        assert_eq!(read.vdevs, made.vdevs, "{}", host.name);
        assert_eq!(read.options, made.options, "{}", host.name);
        let names = |layout: &Layout| layout.datasets.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(names(&read), names(&made), "{}", host.name);
        assert_eq!(read.datasets, made.datasets, "{}", host.name);
    }
}

#[test]
fn disko_reads_the_layout_of_the_example_as_the_scripts_make_it() {
    compare(&example(), "disko_reads_the_layout_of_the_example_as_the_scripts_make_it");
}

#[test]
fn disko_reads_the_layout_of_every_machine_as_the_scripts_make_it() {
    let name = "disko_reads_the_layout_of_every_machine_as_the_scripts_make_it";
    let mut machines = load(&root().join("tests/fleets/machines")).unwrap();
    compare(&compile_files(&mut machines, &Facts::embedded()).unwrap(), name);
    compare(&compile_files(&mut forms(), &Facts::embedded()).unwrap(), name);
}
