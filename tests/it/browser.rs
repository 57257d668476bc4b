//! Pages for people, opened in a real browser: nothing in them runs, nothing sticks out, and texts of manifests stay text.

use std::process::Command;

use super::compile::{TODAY, root};
use super::program::Sandbox;
use super::quoting::is_installed;

/// Texts that would do something if they were more than text.
const HOSTILE: &[&str] = &[
    "<script>window.evil = 1</script>",
    "<img src=x onerror=window.evil=2>",
    "\\\"><svg onload=window.evil=3>",
    "`</code><script>window.evil=4</script>`",
    "</style><script>window.evil=5</script>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:window.evil=6",
];

/// What a page is asked once it stands.
const ASK: &str = "<script>document.title = JSON.stringify({ wide: document.documentElement.scrollWidth - innerWidth, width: innerWidth, \
                   evil: String(window.evil), scripts: document.scripts.length, images: document.images.length, \
                   svg: document.querySelectorAll('svg').length, links: [...document.links].every(one => one.hash && \
                   document.getElementById(one.hash.slice(1))), height: document.documentElement.scrollHeight })</script></body>";

/// Runs the browser over a page, and returns what it prints and what it says.
fn browse(sandbox: &Sandbox, page: &str, width: u32, words: &[&str]) -> (String, String) {
    let output = Command::new("chromium")
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"])
        .args(["--enable-logging=stderr", "--virtual-time-budget=3000"])
        .arg(format!("--user-data-dir={}", sandbox.path().join("browser").display()))
        .arg(format!("--window-size={width},900"))
        .args(words)
        .arg(format!("file://{}", sandbox.path().join(page).display()))
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// Asserts what a page promises at several widths.
fn judge(sandbox: &Sandbox, page: &str, text: &str) {
    sandbox.write(page, text);
    let (dom, said) = browse(sandbox, page, 1280, &["--dump-dom"]);
    assert!(dom.contains("</html>"), "{said}");
    assert!(!said.contains("CONSOLE"), "{page}: {said}");
    let policy = text.find("<meta http-equiv=\"Content-Security-Policy\"").unwrap();
    let end = policy + text[policy..].find('>').unwrap();
    let open = [&text[..policy], &text[end + 1..]].concat();
    sandbox.write("asked.html", open.replacen("</body>", ASK, 1));
    for width in [1280, 700, 500] {
        let (dom, said) = browse(sandbox, "asked.html", width, &["--dump-dom"]);
        let from = dom.find("<title>").unwrap() + "<title>".len();
        let answer = dom[from..].split("</title>").next().unwrap().replace("&quot;", "\"");
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}: {said}"));
        assert_eq!(answer["evil"], "undefined", "{page}");
        assert_eq!(answer["scripts"], 1, "{page}");
        assert_eq!((&answer["images"], &answer["svg"]), (&0.into(), &0.into()), "{page}");
        assert_eq!(answer["links"], true, "{page}: a link leads nowhere");
        assert!(answer["wide"].as_i64().unwrap() <= 0, "{page} at {width}: {answer}");
        assert!(answer["height"].as_i64().unwrap() > 900, "{page}: {answer}");
    }
}

#[test]
fn the_inventory_stands_in_a_browser_and_nothing_of_a_manifest_runs() {
    let test = "the_inventory_stands_in_a_browser_and_nothing_of_a_manifest_runs";
    if !is_installed("chromium", "chromium", test) {
        return;
    }
    let sandbox = Sandbox::empty();
    let mut yaml = String::new();
    for (at, text) in HOSTILE.iter().enumerate() {
        yaml.push_str(&format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: \"{text}\"\n  namespace: \"a{at}\"\n  annotations: {{ note: \"{text}\" }}\n\
             spec:\n  replicas: 3\n  template:\n    spec:\n      nodeSelector: {{ disk: \"{text}\" }}\n      containers:\n        - name: \"{text}\"\n          image: \"{text}\"\n          \
             env: [{{ name: URL, value: \"{text}\" }}]\n          resources: {{ limits: {{ \"{text}\": 1 }} }}\n---\n\
             apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: d{at}, namespace: apps, annotations: {{ \"x/{at}\": \"{text}\" }} }}\n\
             spec:\n  replicas: 2\n  template:\n    spec:\n      containers:\n        - name: main\n          image: \"registry.example.org/x:{at}\"\n          \
             resources: {{ limits: {{ \"{text}\": 1 }} }}\n          env: [{{ name: \"{text}\", value: \"{text}\" }}]\n          \
             volumeMounts: [{{ name: v, mountPath: \"/{text}\" }}]\n      volumes: [{{ name: v, persistentVolumeClaim: {{ claimName: \"{text}\" }} }}]\n---\n\
             apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{ name: \"{text}\", namespace: apps }}\nspec: {{ accessModes: [\"{text}\"], storageClassName: \"{text}\" }}\n---\n\
             apiVersion: \"{text}\"\nkind: \"{text}\"\nmetadata: {{ name: x }}\n---\n"
        ));
    }
    sandbox.write("k8s/all.yaml", yaml);
    sandbox.write("k8s/<b>.yaml", "a: [\n");
    let page = sandbox.run(&["migrate", "k8s", "--format", "html"]).out;
    assert!(page.contains("&lt;script&gt;window.evil = 1&lt;/script&gt;"));
    judge(&sandbox, "hostile.html", &page);
    let fleet = root().join("tests/fleets/spread");
    let words = [
        "--fleet",
        fleet.to_str().unwrap(),
        "migrate",
        "--hosts",
        "lufta,attic,porch",
        "--today",
        TODAY,
        "--format",
        "html",
    ];
    judge(&sandbox, "spread.html", &sandbox.run(&words).ends(0).out);
}

#[test]
fn the_inventory_prints() {
    let test = "the_inventory_prints";
    if !is_installed("chromium", "chromium", test) {
        return;
    }
    let sandbox = Sandbox::empty();
    let tour = root().join("tests/manifests/tour");
    sandbox.write("tour.html", sandbox.run(&["migrate", tour.to_str().unwrap(), "--format", "html"]).ends(0).out);
    let paper = sandbox.path().join("tour.pdf");
    let (_, said) = browse(
        &sandbox,
        "tour.html",
        1280,
        &["--no-pdf-header-footer", &format!("--print-to-pdf={}", paper.display())],
    );
    let pdf = std::fs::read(&paper).unwrap_or_else(|_| panic!("{said}"));
    assert!(pdf.starts_with(b"%PDF-") && pdf.len() > 10_000);
}
