//! Containers of a pod that a module has no need of: those that only wait for another program, and those that only tell the program to
//! read its settings again.
//!
//! Invariant: what does anything else, or could, is none of them.

use crate::kubernetes::translate::pod::{Container, Role, image};

/// Images whose only work is to have another program read its settings again.
const RELOADERS: &[&str] = &[
    "docker.io/jimmidyson/configmap-reload",
    "ghcr.io/jimmidyson/configmap-reload",
    "quay.io/coreos/configmap-reload",
    "quay.io/prometheus-operator/prometheus-config-reloader",
];

const WAITS: &str = "systemd starts the program again until what it needs answers";
const RELOADS: &str = "a switch restarts the program when its settings change";

/// Returns why a module needs no such container beside or before it; none where it may do something.
pub(in crate::kubernetes::translate::pod) fn needless(container: &Container<'_, '_>) -> Option<&'static str> {
    match container.role {
        Role::Main => None,
        Role::Init => only_waits(container).then_some(WAITS),
        Role::Beside => {
            let image = container.node.str_at("image").and_then(|text| image::read(text.trim()))?;
            RELOADERS.contains(&image.name.as_str()).then_some(RELOADS)
        }
    }
}

/// Tells whether a container does nothing but try, over and over, whether another program answers.
fn only_waits(container: &Container<'_, '_>) -> bool {
    if container.node.get("restartPolicy").is_some()
        || container.node.at(&["lifecycle"]).is_some_and(|node| !node.is_null())
    {
        return false;
    }
    let words: Vec<&str> =
        container.command.iter().chain(&container.args).map(|word| word.node.text().unwrap_or("`")).collect();
    match words.as_slice() {
        [shell, flags, script] if is_shell(shell) => {
            flags.starts_with('-')
                && flags.ends_with('c')
                && flags.chars().all(|c| "-ecux".contains(c))
                && loops_over_a_try(script)
        }
        _ => false,
    }
}

fn is_shell(word: &str) -> bool {
    matches!(word.rsplit('/').next(), Some("sh" | "bash" | "ash" | "dash"))
}

/// Tells whether a script is a loop over commands that change nothing.
fn loops_over_a_try(script: &str) -> bool {
    // What a shell would run or read within words is not looked into.
    if script.contains(['`', '<', '(', ')', '\\', '{']) {
        return script.contains("${") && loops_over_a_try(&script.replace("${", "$").replace('}', ""));
    }
    let mut text = script.to_owned();
    for harmless in [
        "&>/dev/null",
        "2>&1",
        "2>/dev/null",
        "> /dev/null",
        ">/dev/null",
        "&> /dev/null",
        "2> /dev/null",
        "1>&2",
        ">&2",
    ] {
        text = text.replace(harmless, " ");
    }
    if text.contains('>') {
        return false;
    }
    let text = text.replace("&&", ";").replace("||", ";").replace(['|', '\n'], ";");
    if text.contains('&') {
        return false;
    }
    let mut has_loop = false;
    let is_harmless = text.split(';').all(|part| {
        let mut words = part.split_whitespace().skip_while(|word| {
            has_loop |= matches!(*word, "until" | "while");
            matches!(*word, "until" | "while" | "do" | "!")
        });
        let Some(command) = words.next() else { return true };
        let rest: Vec<&str> = words.collect();
        let has = |word: &str| rest.contains(&word);
        match command.rsplit('/').next().unwrap_or(command) {
            "sleep" | "echo" | "printf" | "done" | "true" | "set" | "nc" | "pg_isready" | "nslookup" | "getent" => true,
            "exit" => rest.iter().all(|word| *word == "0"),
            "mysqladmin" | "mariadb-admin" => has("ping"),
            "redis-cli" => rest.last().is_some_and(|word| word.eq_ignore_ascii_case("ping")),
            "wget" => has("--spider"),
            "curl" => rest.iter().all(|word| {
                matches!(
                    *word,
                    "-s" | "-f"
                        | "-S"
                        | "-sf"
                        | "-fs"
                        | "-sS"
                        | "-fsS"
                        | "-sSf"
                        | "-k"
                        | "-I"
                        | "--silent"
                        | "--fail"
                        | "--output"
                        | "-o"
                        | "/dev/null"
                ) || !word.starts_with('-') && (word.contains("://") || word.contains(':'))
            }),
            "grep" => has("-q"),
            _ => false,
        }
    });
    is_harmless && has_loop
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_only_tries_is_one_and_what_may_change_something_is_none() {
        for script in [
            "until nc -z db 5432; do sleep 1; done",
            "until nslookup db.default.svc.cluster.local; do echo waiting for db; sleep 2; done;",
            "until pg_isready -h db -p 5432 -U postgres; do echo wait; sleep 2; done",
            "while ! nc -z ${DB_HOST} 3306; do\n  sleep 1\ndone\necho up",
            "until wget --spider -q http://x:8080/health; do sleep 3; done",
            "until curl -sf -o /dev/null http://x:9200; do sleep 1; done",
            "until mysqladmin ping -h db >/dev/null 2>&1; do sleep 1; done",
        ] {
            assert!(loops_over_a_try(script), "{script}");
        }
        for script in [
            "sleep 10",
            "until nc -z db 5432; do sleep 1; done; ./migrate",
            "until nc -z db 5432; do sleep 1; done; exit 3",
            "until wget http://x/plugin.jar; do sleep 1; done",
            "until curl -o /plugins/x.jar http://x/y:1; do sleep 1; done; cp a b",
            "until curl -X DELETE http://x:1/y; do sleep 1; done",
            "while true; do echo $(rm -rf /data); sleep 1; done",
            "until nc -z db 1; do sleep 1; done > /data/started",
            "until nc -z db 1; do sleep 1; done & rm x",
            "until redis-cli flushall; do sleep 1; done",
        ] {
            assert!(!loops_over_a_try(script), "{script}");
        }
    }
}
