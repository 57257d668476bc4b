//! Who judges: the languages themselves, asked whether a text became more than a text.
//!
//! Whatever a text would do shows by one word: [`CANARY`], the name of a file that must not come to be, of a variable that no Nix file
//! has, of a title that no page has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::quoting::is_installed;

/// The word that shows an effect.
pub(crate) const CANARY: &str = "hwcanary";

/// Returns why a text must not be printed to a terminal; none for one that may.
pub(crate) fn steers_a_terminal(text: &str) -> Option<String> {
    let hidden = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.lines()
        .find(|line| line.contains(hidden))
        .map(|line| format!("{:?}", line.chars().take(300).collect::<String>()))
}

/// Returns why lines are not one annotation each; none where they are.
pub(crate) fn is_no_annotation(text: &str) -> Option<String> {
    let bad = |line: &&str| {
        let kind = ["::error file=", "::warning file=", "::notice file="].iter().find(|kind| line.starts_with(**kind));
        // One command, its properties, one separator; GitHub reads commands at the start of a line alone.
        kind.is_none_or(|kind| !line[kind.len()..].contains("::")) || steers_a_terminal(line).is_some()
    };
    text.split(['\n', '\r']).filter(|line| !line.is_empty()).find(bad).map(str::to_owned)
}

/// Returns the tags of a page as `(name, attributes)`, read as a browser's tokenizer does: `<` before a letter or `/` begins one.
fn tags(page: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut all = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(rest.len());
        let name = rest[..end].to_ascii_lowercase();
        rest = &rest[end..];
        let mut attributes = Vec::new();
        loop {
            rest = rest.trim_start();
            if rest.is_empty() || rest.starts_with('>') {
                break;
            }
            let end =
                rest[1..].find(|c: char| c.is_whitespace() || matches!(c, '=' | '>')).map_or(rest.len(), |end| end + 1);
            let key = rest[..end].to_ascii_lowercase();
            rest = rest[end..].trim_start();
            let mut value = String::new();
            if let Some(after) = rest.strip_prefix('=') {
                let after = after.trim_start();
                let (from, until) = match after.chars().next() {
                    Some(quote @ ('"' | '\'')) => (1, after[1..].find(quote).map_or(after.len(), |end| end + 1)),
                    _ => (0, after.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(after.len())),
                };
                after[from..until].clone_into(&mut value);
                rest = &after[(until + from).min(after.len())..];
            }
            attributes.push((key, value));
        }
        all.push((name, attributes));
    }
    all
}

/// Returns why a page is more than the template and text: a tag, an attribute or an address that no page of ours has.
pub(crate) fn is_more_than_text(page: &str) -> Option<String> {
    const TAGS: &[&str] = &[
        "!doctype",
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "main",
        "nav",
        "section",
        "article",
        "h1",
        "h2",
        "h3",
        "h4",
        "p",
        "a",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "code",
        "pre",
        "span",
        "div",
        "details",
        "summary",
        "strong",
        "em",
        "b",
        "i",
        "small",
        "br",
        "hr",
        "label",
        "input",
        "caption",
        "footer",
        "aside",
        "abbr",
        "time",
        "col",
        "colgroup",
        "!--",
        "figure",
        "figcaption",
        "kbd",
        "samp",
        "progress",
        "meter",
        "mark",
        "svg",
        "g",
        "path",
        "circle",
        "text",
        "line",
        "rect",
    ];
    for (name, attributes) in tags(page) {
        if !TAGS.contains(&name.trim_start_matches('/')) {
            return Some(format!("the tag <{}>", name.chars().take(100).collect::<String>()));
        }
        for (key, value) in attributes {
            let runs = key.starts_with("on") || key == "srcdoc" || key == "src";
            let leads = matches!(key.as_str(), "href" | "action" | "formaction")
                && !value.starts_with('#')
                && !value.starts_with("https://");
            if runs || leads || !key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-' || byte == b'/') {
                return Some(format!("the attribute {key}={value} of <{name}>"));
            }
        }
    }
    None
}

/// Returns why Markdown is more than our own structure: raw HTML, a link that leads out, a table whose rows differ in their columns, a
/// line of its own. Code is left out, as readers do.
pub(crate) fn is_more_than_words(markdown: &str) -> Option<String> {
    let mut fence: Option<String> = None;
    let mut columns: Option<usize> = None;
    for line in markdown.split('\n') {
        let shown = || line.chars().take(300).collect::<String>();
        if line.contains('\r') || steers_a_terminal(line).is_some_and(|_| !line.contains('\t')) {
            return Some(format!("a character that is not shown: {:?}", shown()));
        }
        let start = line.trim_start_matches([' ', '>']);
        if let Some(open) = &fence {
            if start.starts_with(open.as_str()) && start.trim_end().chars().all(|c| c == '`') {
                fence = None;
            }
            continue;
        }
        let ticks = start.len() - start.trim_start_matches('`').len();
        if ticks >= 3 && !start[ticks..].contains('`') {
            fence = Some("`".repeat(ticks));
            continue;
        }
        // Headings are ours, and none of ours is a text.
        if line.trim_start_matches('#').trim() == CANARY && line.starts_with('#') {
            return Some(format!("a heading: {}", shown()));
        }
        let mut bare = without_code(line);
        if line.starts_with('|') {
            let count = cells(line);
            if *columns.get_or_insert(count) != count {
                return Some(format!("a row of {count} cells: {}", shown()));
            }
        } else {
            columns = None;
        }
        for ours in ["<details>", "</details>", "<summary>", "</summary>", "<br>", "<a id=\"", "\"></a>"] {
            bare = bare.replace(ours, "");
        }
        if bare.contains('<') {
            return Some(format!("markup: {}", shown()));
        }
        for (at, _) in bare.match_indices("](") {
            let escaped = bare[..at].chars().rev().take_while(|c| *c == '\\').count() % 2 == 1;
            if !escaped && !bare[at + 2..].starts_with(['#', 'p', 'r']) && !bare[at + 2..].starts_with("https://") {
                return Some(format!("a link: {}", shown()));
            }
        }
    }
    fence.map(|fence| format!("a block of code that does not end: {fence}"))
}

/// Returns a line without its spans of code.
fn without_code(line: &str) -> String {
    let (mut out, mut rest) = (String::new(), line);
    while let Some(at) = rest.find('`') {
        let escaped = rest[..at].chars().rev().take_while(|c| *c == '\\').count() % 2 == 1;
        let ticks = rest[at..].len() - rest[at..].trim_start_matches('`').len();
        let after = &rest[at + ticks..];
        let run = "`".repeat(ticks);
        let close = after
            .match_indices(&run)
            .map(|(close, _)| close)
            .find(|close| !after[..*close].ends_with('`') && !after[close + ticks..].starts_with('`'));
        out.push_str(&rest[..at]);
        match close.filter(|_| !escaped) {
            Some(close) => rest = &after[close + ticks..],
            None => rest = after,
        }
    }
    out + rest
}

/// Returns how many cells a row has: a pipe that is not escaped ends one, in code too.
fn cells(line: &str) -> usize {
    let mut count = 0;
    let mut before = ' ';
    for c in line.trim_end().chars() {
        if c == '|' && before != '\\' {
            count += 1;
        }
        before = if c == '\\' && before == '\\' { ' ' } else { c };
    }
    count - 1
}

/// Asserts that Nix reads files and finds no name in them that a text brought.
pub(crate) fn nix_reads(texts: &BTreeMap<String, String>, test: &str) -> Option<usize> {
    if !is_installed("nix-instantiate", "nix", test) {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut named = Vec::new();
    for (at, text) in texts.keys().enumerate() {
        let path = folder.path().join(format!("{at}.nix"));
        std::fs::write(&path, text).unwrap();
        named.push(path);
    }
    for some in named.chunks(400) {
        let output = Command::new("nix-instantiate").arg("--parse").args(some).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let at = said.split(".nix").next().and_then(|said| said.rsplit('/').next()?.parse::<usize>().ok());
        assert!(output.status.success(), "{said}\n{:?}", at.and_then(|at| texts.values().nth(at)));
        let read = String::from_utf8_lossy(&output.stdout);
        let code = outside_of_strings(&read);
        // A name that was made of a text may be one of a set: `podman-hwcanary = {`. Nothing may refer to one.
        let refers = |at: &usize| {
            let rest = &code[*at..];
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_-'".contains(c))).unwrap_or(rest.len());
            !rest[end..].starts_with(" = ")
        };
        if let Some(at) = code.match_indices(CANARY).map(|(at, _)| at).find(refers) {
            let around: String = code.chars().skip(code[..at].chars().count().saturating_sub(300)).take(400).collect();
            panic!("a text is a name: {around}");
        }
    }
    Some(named.len())
}

/// Returns what Nix printed without what stands between quotes.
pub(crate) fn outside_of_strings(printed: &str) -> String {
    let (mut out, mut within, mut escaped) = (String::new(), false, false);
    for c in printed.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if within => escaped = true,
            '"' => within = !within,
            _ if !within => out.push(c),
            _ => {}
        }
    }
    out
}

/// Evaluates files as far as they go without a tree of nixpkgs, each by itself. Returns how many went to their end: what is not there
/// ends an evaluation, but no expression of a text may.
pub(crate) fn nix_evaluates(texts: &[String]) -> usize {
    // What is asked of `lib` is what a module's settings are written with; all else is not there, which `tryEval` takes.
    let lib = "lib = { mkOverride = p: v: v; mkForce = v: v; mkDefault = v: v; mkBefore = v: v; mkAfter = v: v; mkOrder = n: v: v; mkMerge = v: v; \
               mkIf = c: v: v; optionalAttrs = c: v: v; optional = c: v: [ v ]; optionals = c: v: v; optionalString = c: v: v; };";
    let state = tempfile::tempdir().unwrap();
    let mut ended = 0;
    for text in texts {
        std::fs::write(state.path().join("one.nix"), text).unwrap();
        let expression = format!(
            "let {lib} none = throw \"none\"; read = import {}/one.nix; made = if builtins.isFunction read then read \
             (builtins.mapAttrs (name: _: if name == \"lib\" then lib else none) (builtins.functionArgs read)) else read; \
             in (builtins.tryEval (builtins.deepSeq made true)).success",
            state.path().display()
        );
        let output = Command::new("nix-instantiate")
            .args(["--eval", "--readonly-mode", "-E", &expression])
            .env("NIX_STORE_DIR", state.path().join("store"))
            .env("NIX_STATE_DIR", state.path().join("state"))
            .env("NIX_LOG_DIR", state.path().join("log"))
            .env("NIX_REMOTE", "")
            .env("HOME", state.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains(CANARY), "a text was evaluated: {said}\n{text}");
        ended += usize::from(output.stdout == b"true\n");
    }
    ended
}

/// A root with a shell and with stand-ins for every program, in which commands are harmless whatever they say.
pub(crate) struct Cage {
    root: tempfile::TempDir,
    words: Vec<&'static str>,
}

/// Programs that lines and scripts of ours start, all of which do nothing here.
const PROGRAMS: &str = "scp rsync nix nix-store nix-build nix-env nix-collect-garbage tar sed awk grep cat tee mkdir rm cp mv chmod chown ln ls head tail sort uniq wc \
    cut tr date sleep systemctl systemd-run journalctl zpool zfs mount umount mountpoint wipefs sgdisk parted partprobe partx udevadm blkid lsblk \
    findmnt cryptsetup helm ssh-keygen ssh-keyscan sha256sum sha512sum hostname uname stat readlink realpath mktemp find dd sync reboot \
    modprobe mdadm swapon swapoff mkswap curl ping jq borg restic pg_dump pg_restore psql mysql mysqldump mongodump mongorestore redis-cli podman age sops \
    mkfs.ext4 mkfs.xfs mkfs.btrfs mkfs.vfat mkfs.fat btrfs efibootmgr bootctl grub-reboot grub-editenv nixos-install nixos-enter nixos-rebuild \
    switch-to-configuration id getent kexec zdb zgenhostid install flock setsid logger dirname basename seq od xxd base64 getfacl setfacl comm diff cmp \
    xargs whoami openssl wg ip nc timedatectl loginctl dmesg df du true false yes expr";

impl Cage {
    /// Makes one, or says that there is none: it takes `chroot`, which not everybody may.
    pub(crate) fn new(test: &str) -> Option<Self> {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        for folder in ["bin", "dev", "stub", "lines", "tmp", "etc", "var", "run"] {
            std::fs::create_dir_all(path(folder)).unwrap();
        }
        // Whoever is not root makes no devices; what is written there is read by nobody.
        std::fs::write(path("dev/null"), "").unwrap();
        let shell = std::fs::canonicalize("/bin/sh").unwrap();
        let put = |from: &Path, to: &str| {
            let to = root.path().join(to.trim_start_matches('/'));
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(from, to).unwrap();
        };
        put(&shell, "bin/sh");
        let needed = Command::new("ldd").arg(&shell).output().unwrap();
        for word in String::from_utf8_lossy(&needed.stdout).split_whitespace().filter(|word| word.starts_with('/')) {
            put(Path::new(word), word);
        }
        let Some(words) = Self::way(&root) else {
            eprintln!("skipped: {test}: nobody may enter a root of their own");
            return None;
        };
        let cage = Self { root, words };
        let stub = |name: &str, text: &str| {
            let path = cage.root.path().join("stub").join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        };
        for name in PROGRAMS.split_whitespace() {
            stub(name, "exit 0\n");
        }
        stub("touch", "for f; do : >\"$f\"; done\n");
        // A remote shell reads the words behind the target, joined by spaces; and each way through another program goes on.
        stub(
            "ssh",
            "printf '%s\\0' \"$#\" \"$@\" >>/ssh\nwhile [ $# -gt 0 ] && [ \"$1\" != -- ]; do shift; done\nshift 2\nexec /bin/sh -c \"$*\"\n",
        );
        stub("kubectl", "printf '%s\\0' \"$#\" \"$@\" >>/kubectl\n");
        stub("sudo", "while :; do case $1 in -*) shift ;; *) break ;; esac; done\nexec \"$@\"\n");
        stub("env", "while :; do case $1 in -*|*=*) shift ;; *) break ;; esac; done\nexec \"$@\"\n");
        stub("timeout", "while :; do case $1 in -*) shift ;; *) break ;; esac; done\nshift\nexec \"$@\"\n");
        for name in ["sh", "bash"] {
            stub(name, "exec /bin/sh \"$@\"\n");
        }
        Some(cage)
    }

    /// Returns the words that a root is entered by.
    fn way(root: &tempfile::TempDir) -> Option<Vec<&'static str>> {
        // By their paths: what runs in there finds nothing but stand-ins.
        let chroot =
            *["/usr/sbin/chroot", "/usr/bin/chroot", "/sbin/chroot"].iter().find(|path| Path::new(path).exists())?;
        let ways: [Vec<&'static str>; 2] =
            [vec![chroot], vec!["/usr/bin/unshare", "--user", "--map-root-user", chroot]];
        ways.into_iter().find(|words| {
            let output =
                Command::new(words[0]).args(&words[1..]).arg(root.path()).args(["/bin/sh", "-c", "echo in"]).output();
            output.is_ok_and(|output| output.stdout == b"in\n")
        })
    }

    /// Runs texts as scripts, each by itself; returns the first that made the canary.
    pub(crate) fn run(&self, scripts: &[String]) -> Option<String> {
        let canary = self.root.path().join(CANARY);
        let lines = self.root.path().join("lines");
        let _ = std::fs::remove_dir_all(&lines);
        std::fs::create_dir_all(&lines).unwrap();
        for (at, text) in scripts.iter().enumerate() {
            std::fs::write(lines.join(format!("{at:06}")), text).unwrap();
        }
        let each = format!(
            "cd /tmp; for f in /lines/*; do ( ulimit -t 2; exec /bin/sh \"$f\" ) >/log 2>&1; \
             [ ! -e /{CANARY} ] && [ ! -e /tmp/{CANARY} ] || {{ echo \"$f\"; exit; }}; done"
        );
        let output = Command::new(self.words[0])
            .args(&self.words[1..])
            .arg(self.root.path())
            .args(["/bin/sh", "-c", &each])
            .env_clear()
            .env("PATH", "/stub")
            .stdin(Stdio::null())
            .output();
        let output = output.unwrap();
        let _ = std::fs::remove_file(&canary);
        let _ = std::fs::remove_file(self.root.path().join("tmp").join(CANARY));
        let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let index: Option<usize> = name.rsplit('/').next().and_then(|name| name.parse().ok());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        index.map(|index| scripts[index].clone())
    }

    /// Returns the words that a program was started with since the last time, each list once.
    pub(crate) fn calls(&self, program: &str) -> BTreeSet<Vec<String>> {
        let path = self.root.path().join(program);
        let bytes = std::fs::read(&path).unwrap_or_default();
        let _ = std::fs::remove_file(&path);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut words = text.split('\0').map(str::to_owned);
        let mut all = BTreeSet::new();
        while let Some(count) = words.next().and_then(|count| count.parse::<usize>().ok()) {
            all.insert(words.by_ref().take(count).collect());
        }
        all
    }
}

/// Asks the real ssh what it makes of words; returns those that would start something of a text.
pub(crate) fn ssh_starts_something(calls: &BTreeSet<Vec<String>>) -> Option<Vec<String>> {
    let home = tempfile::tempdir().unwrap();
    for words in calls {
        // Up to the target: what follows is the remote shell's.
        let end = words.iter().position(|word| word == "--").map_or(words.len(), |at| (at + 2).min(words.len()));
        let output = Command::new("ssh")
            .args(["-G", "-F", "none"])
            .args(&words[..end])
            .env("HOME", home.path())
            .current_dir(home.path())
            .output();
        let said = String::from_utf8_lossy(&output.unwrap().stdout).into_owned();
        let starts = |line: &&str| {
            let keyword = line.split(' ').next().unwrap_or_default();
            ["proxycommand", "localcommand", "knownhostscommand", "remotecommand"].contains(&keyword)
                && line.contains(CANARY)
                || line.starts_with("permitlocalcommand yes")
        };
        if let Some(line) = said.lines().find(starts) {
            return Some(vec![line.to_owned(), words.join(" ")]);
        }
    }
    None
}

/// Options of kubectl that our lines have with a value of their own.
const KUBECTL: &[&str] = &[
    "-n",
    "--namespace",
    "--context",
    "-l",
    "--selector",
    "-o",
    "--output",
    "-c",
    "--container",
    "-p",
    "--patch",
    "--type",
    "--timeout",
    "--for",
    "--replicas",
    "-f",
    "--filename",
    "--field-selector",
    "--request-timeout",
    "--image",
    "--overrides",
];

/// Returns words with which kubectl would take a text for an option: one that begins with a dash, is none of ours, and is no value of one.
pub(crate) fn kubectl_takes_an_option(calls: &BTreeSet<Vec<String>>) -> Option<Vec<String>> {
    let is_taken = |words: &&Vec<String>| {
        let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
        (0..end).any(|at| {
            let name = words[at].split('=').next().unwrap_or_default();
            let is_value = at > 0 && KUBECTL.contains(&words[at - 1].as_str());
            words[at].starts_with('-') && words[at].contains(CANARY) && !KUBECTL.contains(&name) && !is_value
        })
    };
    calls.iter().find(is_taken).cloned()
}

/// Opens pages in a real browser without their own policy; returns the first in which something ran.
pub(crate) fn browser_runs(pages: &[String]) -> Option<String> {
    let folder: PathBuf = tempfile::tempdir().unwrap().keep();
    let mut found = None;
    for (at, page) in pages.iter().enumerate() {
        let open = without_policy(page);
        let path = folder.join(format!("{at}.html"));
        std::fs::write(&path, open.replacen("</body>", ASK, 1)).unwrap();
        let output = Command::new("chromium")
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--virtual-time-budget=1500",
                "--dump-dom",
            ])
            .arg(format!("--user-data-dir={}", folder.join("browser").display()))
            .arg(format!("file://{}", path.display()))
            .stderr(Stdio::null())
            .output()
            .unwrap();
        let dom = String::from_utf8_lossy(&output.stdout).into_owned();
        let title = dom.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).unwrap_or_default();
        if title != "asked: undefined, 1 scripts, 0 others, 0 handlers" {
            found = Some(format!("page {at}: {title:?}"));
            break;
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
    found
}

/// What a page is asked once it stands.
const ASK: &str = "<script>setTimeout(() => { const all = [...document.querySelectorAll('*')]; document.title = 'asked: ' + String(window.hwcanary) + \
                   ', ' + document.scripts.length + ' scripts, ' + document.querySelectorAll('img, iframe, object, embed, link, base, form').length + \
                   ' others, ' + all.filter(one => [...one.attributes].some(a => a.name.startsWith('on') || a.value.trim().toLowerCase().startsWith('javascript:'))).length + \
                   ' handlers' }, 50)</script></body>";

/// Returns a page without the policy that would keep it from running anything.
fn without_policy(page: &str) -> String {
    static NONE: OnceLock<()> = OnceLock::new();
    let Some(policy) = page.find("<meta http-equiv=\"Content-Security-Policy\"") else {
        NONE.get_or_init(|| eprintln!("a page has no policy"));
        return page.to_owned();
    };
    let end = policy + page[policy..].find('>').unwrap();
    [&page[..policy], &page[end + 1..]].concat()
}

#[test]
fn each_judge_finds_a_text_that_does_what_it_says() {
    let test = "each_judge_finds_a_text_that_does_what_it_says";
    assert!(steers_a_terminal("a\u{1b}[31m").is_some() && steers_a_terminal("a\u{202e}b").is_some());
    assert_eq!(steers_a_terminal("a\nb"), None);
    let sound = "::error file=a,line=1::b\n";
    assert_eq!(is_no_annotation(sound), None);
    for forged in ["::stop-commands::x\n", "::error::b\n", "b\n"] {
        assert!(is_no_annotation(&format!("{sound}{forged}")).is_some(), "{forged}");
    }
    for page in ["<p>a<script>b", "<p title=\"a\" onclick=b>", "<a href=\"javascript:x\">", "<p><img src=x>"] {
        assert!(is_more_than_text(page).is_some(), "{page}");
    }
    assert_eq!(is_more_than_text("<p title=\"&lt;\">a &lt;script&gt; <a href=\"#x\">"), None);
    for markdown in ["a <b>c", "| a | b |\n| a |\n", "[x](javascript:y)", "```\na\n", "a\rb", "a\n# hwcanary\n"] {
        assert!(is_more_than_words(markdown).is_some(), "{markdown}");
    }
    assert_eq!(is_more_than_words("# a\n\n| a | `<b>` |\n| a | [b](#c) |\n\n```sh\n<b>\n```\n"), None);
    let calls = |words: &[&str]| BTreeSet::from([words.iter().map(|word| (*word).to_owned()).collect()]);
    assert!(kubectl_takes_an_option(&calls(&["get", "--kubeconfig=/hwcanary"])).is_some());
    assert_eq!(
        kubectl_takes_an_option(&calls(&["get", "-n", "-x hwcanary", "--context=hwcanary", "--", "-hwcanary"])),
        None
    );
    assert!(ssh_starts_something(&calls(&["-oProxyCommand=touch hwcanary", "--", "h"])).is_some());
    assert_eq!(ssh_starts_something(&calls(&["-p", "22", "--", "h", "-oProxyCommand=touch hwcanary"])), None);
    if is_installed("nix-instantiate", "nix", test) {
        let caught = |text: &str, judge: &(dyn Fn(&str) + std::panic::RefUnwindSafe)| {
            std::panic::catch_unwind(|| judge(text)).is_err()
        };
        let read = |text: &str| {
            let _ = nix_reads(&BTreeMap::from([(text.to_owned(), String::new())]), test);
        };
        assert!(caught("{ a = x: x.hwcanary; }", &read) && caught("{ a = \"", &read));
        assert!(caught("{ a = \"\"; hwcanary = hwcanary; x = \"\"; }", &read));
        assert!(!caught("{ a = \"hwcanary\"; podman-hwcanary = { }; }", &read));
        let evaluate = |text: &str| {
            let _ = nix_evaluates(&[text.to_owned()]);
        };
        assert!(caught("{ ... }: { a = builtins.abort \"hwcanary\"; }", &evaluate));
        assert!(!caught("{ ... }: { a = \"hwcanary\"; }", &evaluate));
        assert_eq!(nix_evaluates(&["{ lib, ... }: { a = lib.mkForce \"x\"; }".to_owned()]), 1);
    }
    if let Some(cage) = Cage::new(test) {
        let far = "ssh -p 22 -- root@h 'sudo sh -c '\\''touch /hwcanary'\\'''";
        for line in ["echo $(touch /hwcanary)", far, "timeout 5 env A=b touch /hwcanary", "cd /tmp && touch hwcanary"] {
            assert!(cage.run(&["true".to_owned(), line.to_owned()]).is_some(), "{line}");
        }
        assert_eq!(cage.run(&["echo '$(touch /hwcanary)'".to_owned()]), None);
        let _ = cage.calls("ssh");
        assert_eq!(cage.run(&["kubectl -n a get 'b c'; ssh -- h true".to_owned()]), None);
        assert_eq!(
            (cage.calls("kubectl"), cage.calls("ssh")),
            (calls(&["-n", "a", "get", "b c"]), calls(&["--", "h", "true"]))
        );
    }
    if is_installed("chromium", "chromium", test) {
        let page = |body: &str| vec![format!("<html><head><title>x</title></head><body>{body}</body></html>")];
        assert!(browser_runs(&page("<img src=x onerror=window.hwcanary=1>")).is_some());
        assert!(browser_runs(&page("<script>window.hwcanary=1</script>")).is_some());
        assert_eq!(browser_runs(&page("&lt;script&gt;window.hwcanary=1")), None);
    }
}
