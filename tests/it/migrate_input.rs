//! Bad input of `migrate` and secrets in it, through the program itself.

use super::compile::TODAY;
use super::migrated::base;
use super::program::Sandbox;

/// What is planted as a secret; nothing that is written may hold it, nor its base64.
const PLANTED: &str = "Zq7PlantedHorse9xK";
const PLANTED_BASE64: &str = "WnE3UGxhbnRlZEhvcnNlOXhL";

fn planted_manifests(sandbox: &Sandbox) {
    let login = "eyJhdXRocyI6eyJyLmV4YW1wbGUub3JnIjp7InBhc3N3b3JkIjoiWnE3UGxhbnRlZEhvcnNlOXhLIn19fQ==";
    sandbox.write(
        "k8s/all.yaml",
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{ name: db }}\ndata: {{ password: {PLANTED_BASE64} }}\nstringData: {{ token: {PLANTED} }}\n\
             ---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: login }}\ntype: kubernetes.io/dockerconfigjson\ndata: {{ .dockerconfigjson: {login} }}\n\
             ---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: web }}\nspec:\n  template:\n    metadata: {{ labels: {{ app: web }} }}\n    spec:\n      \
             imagePullSecrets: [{{ name: login }}]\n      containers:\n        - name: web\n          image: docker.io/library/nginx:1.27\n          \
             args: [--password={PLANTED}, --token, {PLANTED}, 'postgres://forge:{PLANTED}@db/forge']\n          env:\n            \
             - {{ name: DB_PASSWORD, value: {PLANTED} }}\n            - {{ name: URL, value: 'amqp://forge:{PLANTED}@queue/x' }}\n            \
             - {{ name: API_TOKEN, valueFrom: {{ secretKeyRef: {{ name: db, key: token }} }} }}\n          envFrom: [{{ secretRef: {{ name: db }} }}]\n          \
             volumeMounts: [{{ name: db, mountPath: /run/db }}]\n      volumes: [{{ name: db, secret: {{ secretName: db }} }}]\n"
        ),
    );
    for (name, text) in [
        (
            "indent",
            format!(
                "apiVersion: v1\nkind: Secret\nmetadata: {{ name: a }}\nstringData:\n  password: {PLANTED}\n   more: {PLANTED}\n"
            ),
        ),
        ("quote", format!("apiVersion: v1\nkind: Secret\nstringData: {{ password: \"{PLANTED} }}\n")),
        ("tab", format!("kind: Secret\nstringData:\n\tpassword: {PLANTED}\n")),
        (
            "twice",
            format!(
                "apiVersion: v1\nkind: Secret\nmetadata: {{ name: b }}\nstringData: {{ a: {PLANTED}, a: {PLANTED}2 }}\n"
            ),
        ),
        ("list", format!("apiVersion: v1\nkind: Secret\nmetadata: {{ name: c }}\ndata: [{PLANTED}]\n")),
        ("alias", format!("apiVersion: v1\nkind: Secret\nstringData: {{ a: *{PLANTED} }}\n")),
        ("bare", format!("password: {PLANTED}\n")),
    ] {
        sandbox.write(&format!("k8s/{name}.yaml"), text);
    }
    sandbox.write(
        "k8s/half.json",
        format!("{{\"kind\": \"Secret\", \"apiVersion\": \"v1\", \"stringData\": {{\"a\": \"{PLANTED}"),
    );
}

#[test]
fn no_value_of_a_secret_is_in_any_output_or_file() {
    let sandbox = base();
    planted_manifests(&sandbox);
    let holds = |text: &str| text.contains(PLANTED) || text.contains(PLANTED_BASE64) || text.contains("eyJhdXRocyI6");
    for format in ["human", "json", "md", "html"] {
        for words in [&[][..], &["--host", "lufta"], &["--host", "lufta", "-v"], &["--summary"]] {
            let mut all = vec!["migrate", "k8s", "--format", format, "--today", TODAY];
            all.extend(words.iter().filter(|word| **word != "-v" || format == "human"));
            let run = sandbox.run(&all);
            assert!(run.status <= 1, "{all:?}: {}\n{}", run.status, run.err);
            assert!(!holds(&run.out) && !holds(&run.err), "{all:?}");
        }
    }
    let run = sandbox.run(&["migrate", "k8s", "--host", "lufta", "--write", "--today", TODAY]);
    assert!(run.status <= 1 && !holds(&run.out) && !holds(&run.err), "{}", run.status);
    let run = sandbox.run(&["check", "--today", TODAY]);
    assert!(!holds(&run.out) && !holds(&run.err));
    sandbox.run(&["build", "--today", TODAY]).ends(0);
    for (path, bytes) in sandbox.tree(".") {
        let text = String::from_utf8_lossy(&bytes);
        assert!(path.starts_with("k8s/") || !holds(&text), "{path}");
    }
    let host = sandbox.read("hosts/lufta/host.toml");
    assert!(host.contains("DB_PASSWORD") && host.contains("[services.web]"), "{host}");
}

fn deployment(pod: &str) -> String {
    format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: a }}\nspec: {{ template: {{ spec: {pod} }} }}\n")
}

fn limits(quantity: &str) -> String {
    deployment(&format!(
        "{{ containers: [{{ name: a, image: 'docker.io/library/nginx:1.27', resources: {{ limits: {{ memory: '{quantity}', cpu: '{quantity}' }} }} }}] }}"
    ))
}

fn cron(schedule: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{ name: a }}\nspec: {{ schedule: '{schedule}', jobTemplate: {{ spec: {{ template: {{ \
         spec: {{ restartPolicy: Never, containers: [{{ name: a, image: 'docker.io/library/nginx:1.27' }}] }} }} }} }} }}\n"
    )
}

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: 'docker.io/library/nginx:1.27'}]}\n";

/// Runs over one file of these bytes.
fn run_over(bytes: &[u8], name: &str) -> super::program::Run {
    let sandbox = base();
    sandbox.write(name, bytes);
    sandbox.run(&["migrate", name, "--summary", "--host", "lufta", "--today", TODAY])
}

#[test]
fn what_cannot_be_read_is_refused_at_its_line() {
    let letters: Vec<char> = ('a'..='m').collect();
    let mut laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for pair in letters.windows(2) {
        laughs.push_str(&format!("{}: &{} [{}]\n", pair[1], pair[1], vec![format!("*{}", pair[0]); 9].join(", ")));
    }
    for (bytes, name, wanted) in [
        (laughs.as_bytes(), "x.yaml", "aliases make far more"),
        (b"kind: ConfigMap\napiVersion: v1\ndata: { [x]: c }\n", "x.yaml", "x.yaml:3:9"),
        (b"apiVersion: v1\nkind: \xff\xfePod\n", "x.yaml", "line 2 holds bytes"),
        (b"apiVersion: v1\nmetadata:\n\tname: a\n", "x.yaml", "x.yaml:3:"),
        (b"hello\n", "x.yaml", "no object of Kubernetes"),
        ("[".repeat(100_000).as_bytes(), "x.json", "nested too deep"),
        (b"{\"apiVersion\": \"v1\", \"kind\": ", "x.json", "x.json:1:"),
    ] {
        run_over(bytes, name).ends(2).says("refused").says(wanted);
    }
}

#[test]
fn odd_encodings_are_read_like_plain_text() {
    let wide = |big: bool| -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(POD.encode_utf16());
        units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    let plain = run_over(POD.as_bytes(), "x.yaml").ends(0).says("[services.a]").out;
    let marked = format!("\u{feff}{POD}");
    for bytes in [wide(true), wide(false), marked.into_bytes(), POD.replace('\n', "\r\n").into_bytes()] {
        assert_eq!(run_over(&bytes, "x.yaml").ends(0).out, plain);
    }
}

#[test]
fn what_means_nothing_is_a_question_or_a_warning_at_its_line() {
    for quantity in ["-1", "0x10", "12Foo", ""] {
        run_over(limits(quantity).as_bytes(), "x.yaml")
            .ends(0)
            .says(&format!("`{quantity}` is no quantity"))
            .says("x.yaml:4:");
    }
    for (quantity, memory) in [("1.5Gi", "1536MiB"), ("1e3", "1kB"), ("100m", "1B")] {
        run_over(limits(quantity).as_bytes(), "x.yaml").ends(0).says(&format!("memory = \"{memory}\""));
    }
    for schedule in ["@reboot", "61 * * * *", "* * *", "nonsense", "H H * * *"] {
        run_over(cron(schedule).as_bytes(), "x.yaml").ends(0).says("is no schedule").says("enable = false");
    }
    for (schedule, event) in [("@daily", "*-*-* 00:00:00"), ("0 4 * * mon-fri", "Mon..Fri *-*-* 04:00:00")] {
        run_over(cron(schedule).as_bytes(), "x.yaml").ends(0).says(&format!("schedule = \"{event}\""));
    }
    let twice = b"apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata: { a: '1', a: '2' }\n";
    run_over(twice, "x.yaml").ends(0).says("manifest-duplicate-key").says("x.yaml:4:17");
    let unknown = b"apiVersion: shop.example.org/v7\nkind: Basket\nmetadata: { name: a }\nspec: { fruit: 3 }\n";
    run_over(unknown, "x.yaml").ends(0).says("shop.example.org").says("x.yaml:1:1");
    let unnamed = deployment("{ containers: [{ name: a, image: 'docker.io/library/nginx:1.27' }] }")
        .replace("name: a }\nspec", "x: a }\nspec");
    let run = run_over(unnamed.as_bytes(), "x.yaml").ends(0).says("no name that Kubernetes would take");
    assert!(!run.out.contains("[services."), "{}", run.out);
    let filled = unnamed.replace("x: a }\nspec", "name: '${NAME}', namespace: Apps }\nspec");
    let run = run_over(filled.as_bytes(), "x.yaml").ends(0).says("no name that Kubernetes would take");
    assert!(!run.out.contains("[services."), "{}", run.out);
    // Two objects of one identity: the last counts, as for `kubectl apply`.
    let two = format!("{POD}---\n{}", POD.replace("1.27", "1.28"));
    let run = run_over(two.as_bytes(), "x.yaml").ends(0).says("nginx:1.28");
    assert!(!run.out.contains("nginx:1.27"), "{}", run.out);
    let long = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: a }}\ndata: [{}x]\n", "x,".repeat(999_999));
    run_over(long.as_bytes(), "x.yaml").ends(0).says("1,000,003");
}

#[test]
fn nothing_to_read_is_no_success() {
    let sandbox = base();
    std::fs::create_dir(sandbox.path().join("empty")).unwrap();
    sandbox.run(&["migrate", "empty"]).ends(2);
    sandbox.run(&["migrate", "absent"]).ends(2).complains("absent");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_hostwright"))
        .args(["migrate", "-", "--summary"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), POD.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("default/a"));
}
