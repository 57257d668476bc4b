//! How inputs are made: a seed, changed a few times in ways that files go wrong and in ways that people mean harm.
//!
//! What comes out depends on the numbers alone, so that an input is found again by its target, seed and index.

use sha2::{Digest as _, Sha256};

use super::seeds::{Corpus, Seed};
use super::targets::Target;

/// A generator of numbers: splitmix64. Good enough to choose by, and the same on every machine.
pub(crate) struct Dice(u64);

impl Dice {
    /// Returns the generator of one input.
    pub(crate) fn of(target: Target, seed: u64, index: u64) -> Self {
        let mut dice = Self(seed ^ (target as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        dice.0 = dice.next() ^ index.wrapping_mul(0xd134_2543_de82_ef95);
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `end`; 0 where that is 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap()
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// No input is longer than this, but for those that are made long on purpose.
const MOST: usize = 24 << 10;

/// What is said in every language.
const ODD: &[&str] = &[
    "",
    "0",
    "-0",
    "1",
    "-1",
    "+1",
    "00",
    "0x10",
    "0o777",
    "1e999",
    "-1e999",
    "1.5",
    "nan",
    "inf",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "4294967296",
    "65535",
    "65536",
    "99999999999999999999999999TiB",
    "0B",
    "1PiB",
    "-5GiB",
    "true",
    "null",
    "~",
    "yes",
    "${builtins.abort \"x\"}",
    "''${",
    "''",
    "\"",
    "'",
    "`",
    "$(touch x)",
    "; touch x",
    "\\",
    "\\u0000",
    "\\ud800",
    "\\n",
    "\r",
    "\n",
    "\n\n",
    "\t",
    " ",
    "\u{0}",
    "\u{1b}[31m",
    "\u{1b}]52;c;eA==\u{7}",
    "\u{202e}",
    "\u{feff}",
    "\u{2028}",
    "\u{200b}",
    "é",
    "e\u{301}",
    "漢",
    "👩\u{200d}👩\u{200d}👧",
    "\u{10ffff}",
    "../",
    "/",
    "//",
    ".",
    "..",
    "-",
    "--",
    "*",
    "#",
    "=",
    ":",
    ",",
    "[",
    "]",
    "{",
    "}",
    "<script>",
    "::error::",
    "|",
    "%0A",
    "0.0.0.0/0",
    "::/0",
    "::1",
    "fe80::1%lan",
    "256.1.1.1",
    "192.0.2.1/33",
    "2001:db8::/129",
    "2026-02-30",
    "9999-12-31",
    "*-*-* 25:61:61",
    "* * * * *",
    "@reboot",
    "1w2d",
    "0s",
];

/// What the language of a target is made of.
fn words(target: Target) -> &'static [&'static str] {
    match target {
        Target::Toml => &[
            "mkForce",
            "mkDefault",
            "mkBefore",
            "mkAfter",
            "mkOrder",
            "\n[nixos]\n",
            "\n[machine]\n",
            "\n[boot]\n",
            "\n[disks.main]\n",
            "\n[zfs.pools.tank]\n",
            "\n[[disks]]\n",
            "\n[network.interfaces.lan]\n",
            "\n[access.users.a]\n",
            "\n[secrets.items.a]\n",
            "\n[services.a]\n",
            "\n[backup.a]\n",
            "\n[deploy]\n",
            "\n[checks]\n",
            "kind = \"native\"\n",
            "kind = \"container\"\n",
            "kind = \"command\"\n",
            "imports = [\"base\"]\n",
            "partitions = []\n",
            "members = [\"main.root\"]\n",
            "mount = \"/\"\n",
            "role = \"zfs\"\n",
            "size = \"rest\"\n",
            "options.a.b = 1\n",
            "a.b.c.d = {}\n",
            "\"\"\"",
            "'''",
            "{ mkForce = ",
            " = [",
            "= {",
            "migrates-from = { cluster = \"home\" }\n",
            "#### hosts/b/host.toml\n",
            "#### hosts/a/facts.json\n{}\n",
        ],
        Target::Yaml => &[
            "---\n",
            "...\n",
            "&a ",
            "*a",
            "<<: *a\n",
            "!!binary ",
            "!!set ",
            "!<tag:x> ",
            "%YAML 1.1\n",
            "? ",
            "- ",
            "- - - ",
            "|\n",
            ">-\n",
            "|9\n",
            "|+\n",
            "# ",
            "apiVersion: v1\n",
            "kind: List\n",
            "kind: Secret\n",
            "items:\n",
            "metadata:\n",
            "  name: a\n",
            "spec:\n",
            "containers:\n",
            "initContainers:\n",
            "env:\n",
            "valueFrom:\n",
            "volumeMounts:\n",
            "volumes:\n",
            "hostPath:\n",
            "persistentVolumeClaim:\n",
            "ports:\n",
            "resources:\n",
            "securityContext:\n",
            "livenessProbe:\n",
            "command: [\"sh\"]\n",
            "schedule: \"* * * * *\"\n",
            "cpu: 100m\n",
            "memory: 1Gi\n",
            "storage: 1Ei\n",
            "replicas: 2\n",
            "ownerReferences:\n",
            "kind: Kustomization\nresources: [\"..\"]\n",
            "kind: HelmRelease\n",
            "kind: CronJob\n",
            "$(A)",
            "${A}",
            "{{ .Values.a }}",
        ],
        Target::Nix => &[
            "{ ",
            " }",
            "[ ",
            " ]",
            "(",
            ")",
            "let ",
            " in ",
            "rec ",
            "with ",
            "; ",
            "inherit ",
            "if ",
            " then ",
            " else ",
            "assert ",
            "import ",
            "''",
            "${",
            "''${",
            "''\\n",
            "\"",
            " // ",
            " ++ ",
            " -> ",
            " ? ",
            " or ",
            "...",
            "@",
            ": ",
            "a: ",
            "{ config, lib, pkgs, ... }: ",
            "lib.mkForce ",
            "lib.mkIf ",
            "lib.mkMerge ",
            "lib.mkDefault ",
            "lib.mkOption ",
            "types.",
            "services.nginx.enable = ",
            "/* ",
            " */",
            "# ",
            "./x",
            "<nixpkgs>",
            "https://a.b/c",
            "imports = [ ./a.nix ]; ",
            "a.\"b\".${c} = 1; ",
            "!",
            "-",
            "1.5e3",
            "|> ",
        ],
        Target::Facts | Target::Plan => &[
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "null",
            "true",
            "[{}]",
            "{\"a\":1}",
            "\"\\ud800\"",
            "\"\\u0000\"",
            "1E400",
            "-0.0",
            "disks",
            "pools",
            "interfaces",
            "ids",
            "size_bytes",
            "signatures",
            "system",
            "steps",
            "\"run\":[\"reboot\"]",
            "\"needs\":[]",
            "\"kind\":\"gate\"",
            "\"destroys\":[\"disk:x\"]",
            "\"expected_seconds\":-1",
            "\"version\":2",
            "\"steps\":[]",
            "/**/",
            "//\n",
        ],
        Target::Journal => &[
            "{",
            "}",
            "\"",
            "null",
            "\"what\":\"opened\"",
            "\"what\":\"began\"",
            "\"what\":\"line-began\"",
            "\"what\":\"line-done\"",
            "\"what\":\"done\"",
            "\"what\":\"failed\"",
            "\"what\":\"judged\"",
            "\"what\":\"answered\"",
            "\"what\":\"waiting\"",
            "\"what\":\"locked\"",
            "\"what\":\"closed\"",
            "\"attempt\":4294967296",
            "\"line\":18446744073709551615",
            "\"status\":-2147483649",
            "\"boots\":[{}]",
            "\"how\":\"told\"",
            "\"by\":\"nobody\"",
            "\n",
            " ",
        ],
    }
}

/// Makes the input of an index.
pub(crate) fn input(corpus: &Corpus, seed: u64, index: u64) -> Vec<u8> {
    let mut dice = Dice::of(corpus.target, seed, index);
    let origin = &corpus.seeds[dice.below(corpus.seeds.len())];
    let mut body = origin.body.clone();
    // Half of the inputs go wrong in one place only: these get furthest.
    let changes = if dice.once_in(2) { 1 } else { 1 + dice.below(8) };
    for _ in 0..changes {
        change(&mut body, corpus, &mut dice);
        body.truncate(body.len().min(MOST));
    }
    if dice.once_in(100) {
        overdo(&mut body, corpus.target, &mut dice);
    }
    if corpus.target == Target::Journal && !dice.once_in(8) {
        body = sealed(&body);
    }
    Seed::whole(&origin.head, &body)
}

/// Changes an input in one place.
fn change(body: &mut Vec<u8>, corpus: &Corpus, dice: &mut Dice) {
    let (start, end) = range(body, dice);
    match dice.below(20) {
        0 => {
            if let Some(byte) = body.get_mut(start) {
                *byte ^= 1 << dice.below(8);
            }
        }
        1 => body.insert(start, dice.next().to_le_bytes()[0]),
        2 => drop(body.drain(start..end)),
        3 => body.truncate(start),
        4 => {
            let part = body[start..end].repeat(1 + dice.below(4));
            body.splice(start..start, part);
        }
        5 => {
            let bytes: &[&[u8]] =
                &[b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xe2\x82", b"\0", b"\xef\xbb\xbf"];
            body.splice(start..start, dice.pick(bytes).iter().copied());
        }
        6 | 7 => {
            let word = dice.pick(words(corpus.target));
            body.splice(start..start, word.bytes());
        }
        8 => {
            let odd = dice.pick(ODD);
            body.splice(start..start, odd.bytes());
        }
        9..=11 => replace_token(body, dice, |dice| dice.pick(ODD).as_bytes().to_vec()),
        12..=14 => replace_token(body, dice, |dice| other_token(corpus, dice)),
        15 => line(body, dice, |all, at, dice| {
            let copy = all[at].clone();
            let to = dice.below(all.len());
            all.insert(to, copy);
        }),
        16 => line(body, dice, |all, at, _| drop(all.remove(at))),
        17 => line(body, dice, |all, at, dice| {
            let to = dice.below(all.len());
            all.swap(at, to);
        }),
        18 => {
            // A few lines of somebody else.
            let other = &corpus.seeds[dice.below(corpus.seeds.len())].body;
            let theirs = lines(other);
            let from = dice.below(theirs.len());
            let upto = (from + 1 + dice.below(12)).min(theirs.len());
            let taken = theirs[from..upto].concat();
            line(body, dice, |all, at, _| all.insert(at, taken));
        }
        _ => replace_token(body, dice, |dice| b"x1-".repeat(1 + dice.below(200))),
    }
}

/// Makes an input deep, long or wide.
fn overdo(body: &mut Vec<u8>, target: Target, dice: &mut Dice) {
    let times = [20, 130, 600, 5_000, 20_000][dice.below(5)];
    let (open, close): (&str, &str) = *dice.pick(&[
        &("[", "]"),
        &("{", "}"),
        &("(", ")"),
        &("{\"a\":", "}"),
        &("[{", "}]"),
        &("{ a = ", "; }"),
        &("\"${", "}\""),
        &("''${", "}''"),
        &("a: ", ""),
        &("- ", ""),
        &("a.", "a"),
        &("!", ""),
        &("if a then b else ", "c"),
        &("let a = ", "; in a"),
        &("a ++ ", "b"),
        &("f ", "x"),
        &("/*", "*/"),
        &("x", ""),
        &("\n", ""),
        &(" ", ""),
        &("\u{202e}", ""),
        &("\"a\",", ""),
        &("\n[nixos.a.b]\nc = 1", ""),
        &("\n- name: a", ""),
    ]);
    let closed = !dice.once_in(3);
    let mut deep = open.repeat(times);
    if closed {
        deep.push('1');
        deep.push_str(&close.repeat(times));
    }
    if target == Target::Yaml && dice.once_in(4) {
        deep = bomb(dice);
    }
    match dice.below(3) {
        0 => *body = deep.into_bytes(),
        1 => {
            let at = dice.below(body.len() + 1);
            body.splice(at..at, deep.bytes());
        }
        _ => replace_token(body, dice, |_| deep.clone().into_bytes()),
    }
}

/// Aliases of aliases: a few lines that mean very many.
fn bomb(dice: &mut Dice) -> String {
    let (levels, wide) = (2 + dice.below(12), 2 + dice.below(12));
    let mut text = "\na0: &a0 [x, x]\n".to_owned();
    for level in 1..levels {
        let below = level - 1;
        let aliases = vec![format!("*a{below}"); wide].join(", ");
        text.push_str(&match dice.below(3) {
            0 => format!("a{level}: &a{level} [{aliases}]\n"),
            1 => format!("a{level}: &a{level} {{k: [{aliases}], <<: *a{below}}}\n"),
            _ => format!("a{level}: &a{level}\n  b: *a{below}\n  c: *a{below}\n"),
        });
    }
    text
}

/// Returns a range within the bytes, short more often than long.
fn range(body: &[u8], dice: &mut Dice) -> (usize, usize) {
    let start = dice.below(body.len() + 1);
    let most = if dice.once_in(4) { body.len() } else { 16 };
    (start, (start + dice.below(most + 1)).min(body.len()))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b':') || byte >= 0x80
}

/// Returns where the word around or after a byte is.
fn token(body: &[u8], at: usize) -> Option<(usize, usize)> {
    let start = (at..body.len()).find(|at| is_word(body[*at]))?;
    let start = (0..=start).rev().take_while(|at| is_word(body[*at])).last()?;
    let end = (start..body.len()).find(|at| !is_word(body[*at])).unwrap_or(body.len());
    Some((start, end))
}

fn replace_token(body: &mut Vec<u8>, dice: &mut Dice, new: impl Fn(&mut Dice) -> Vec<u8>) {
    let at = dice.below(body.len());
    let new = new(dice);
    if let Some((start, end)) = token(body, at) {
        body.splice(start..end, new);
    }
}

fn other_token(corpus: &Corpus, dice: &mut Dice) -> Vec<u8> {
    let other = &corpus.seeds[dice.below(corpus.seeds.len())].body;
    let at = dice.below(other.len());
    token(other, at).map_or_else(Vec::new, |(start, end)| other[start..end].to_vec())
}

fn lines(body: &[u8]) -> Vec<Vec<u8>> {
    body.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn line(body: &mut Vec<u8>, dice: &mut Dice, change: impl FnOnce(&mut Vec<Vec<u8>>, usize, &mut Dice)) {
    let mut all = lines(body);
    if all.is_empty() {
        return;
    }
    let at = dice.below(all.len());
    change(&mut all, at, dice);
    *body = all.concat();
}

/// Gives every line of a journal the number and the digest that belong to it, so that what it says is looked at.
pub(crate) fn sealed(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut digest = "hostwright journal 1".to_owned();
    for (at, text) in body.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let (text, ending) = text.strip_suffix(b"\n").map_or((text, &b""[..]), |text| (text, &b"\n"[..]));
        let said = text.iter().position(|byte| *byte == b'{').map_or(text, |start| &text[start..]);
        let mut hasher = Sha256::new();
        hasher.update(format!("{digest}\n{}\n", at + 1));
        hasher.update(said);
        digest = hasher.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        out.extend_from_slice(format!("{} {digest} ", at + 1).as_bytes());
        out.extend_from_slice(said);
        out.extend_from_slice(ending);
    }
    out
}
