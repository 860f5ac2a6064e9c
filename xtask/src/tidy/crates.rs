//! Which crate may depend on which: the edges that keep the parts of the node apart.

use anyhow::{Context, Result};
use serde_json::Value;

use super::Problem;
use crate::command;

/// A crate, and what must not be anywhere below it.
struct Below {
    package: &'static str,
    banned: &'static [&'static str],
    reason: &'static str,
}

const BELOW: &[Below] = &[
    Below {
        package: "flowork-engine",
        banned: &["axum", "hyper", "tauri", "reqwest"],
        reason: "the engine knows no HTTP and no window",
    },
    Below {
        package: "flowork-admission",
        banned: &["tokio", "http"],
        reason: "budgets are counted without I/O and without a clock",
    },
    Below { package: "flowork-gateway", banned: &["tauri"], reason: "the gateway knows no window" },
    Below {
        package: "flowork-cli",
        banned: &["tauri", "wry", "gtk", "gtk-sys", "webkit2gtk", "webkit2gtk-sys"],
        reason: "the flowork binary runs where there is no GTK and no WebKit",
    },
    Below {
        package: "flowork-shell",
        banned: &["tauri", "wry", "gtk", "gtk-sys", "webkit2gtk", "webkit2gtk-sys", "tray-icon"],
        reason: "what the desktop app decides is tested where there is no screen",
    },
];

pub(super) fn check(problems: &mut Vec<Problem>) -> Result<()> {
    let metadata = command::output(command::cargo().args(["metadata", "--format-version=1", "--no-deps", "--locked"]))
        .context("reading the workspace's packages")?;
    direct(&serde_json::from_str(&metadata).context("reading what cargo metadata printed")?, problems);
    for rule in BELOW {
        let tree = command::output(command::cargo().args([
            "tree",
            "--locked",
            "--edges=normal",
            "--target=all",
            "--prefix=none",
            "--format={p}",
            "--package",
            rule.package,
        ]))
        .with_context(|| format!("reading the dependencies of {}", rule.package))?;
        below(rule, &tree, problems);
    }
    Ok(())
}

/// Checks the dependencies that manifests name themselves.
fn direct(metadata: &Value, problems: &mut Vec<Problem>) {
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    for package in list(metadata, "packages") {
        let text = |value: &Value| value.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let name = text(&package);
        for dependency in list(&package, "dependencies").iter().map(text) {
            if dependency.starts_with("tauri") && name != "flowork-desktop" {
                problems.push(Problem::in_file(&name, format!("depends on {dependency}: only the desktop app may")));
            }
            if ["flowork-kinds", "flowork-sample-modules", "flowork-schedules"].contains(&name.as_str())
                && ["reqwest", "hyper"].contains(&dependency.as_str())
            {
                let reason = "what is fetched for somebody goes through flowork-egress";
                problems.push(Problem::in_file(&name, format!("depends on {dependency}: {reason}")));
            }
            if name == "flowork-gateway" && ["rusqlite", "flowork-sqlite"].contains(&dependency.as_str()) {
                problems.push(Problem::in_file(&name, format!("depends on {dependency}: the gateway has no SQL")));
            }
        }
    }
}

fn below(rule: &Below, tree: &str, problems: &mut Vec<Problem>) {
    for banned in rule.banned {
        if tree.lines().any(|line| line.split(' ').next() == Some(banned)) {
            problems.push(Problem::in_file(rule.package, format!("has {banned} below it: {}", rule.reason)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banned_crate_anywhere_below_is_a_breach() {
        let mut problems = Vec::new();
        below(&BELOW[0], "flowork-engine v0.1.0 (/a)\nserde v1.0.0\nhyper-util v0.1.0\n", &mut problems);
        assert!(problems.is_empty(), "another crate with a longer name is no breach");
        below(&BELOW[0], "flowork-engine v0.1.0 (/a)\nserde v1.0.0\nhyper v1.0.0\n", &mut problems);
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn only_the_desktop_app_names_tauri_and_the_gateway_names_no_database() {
        let metadata = serde_json::json!({"packages": [
            {"name": "flowork-desktop", "dependencies": [{"name": "tauri"}]},
            {"name": "flowork-cli", "dependencies": [{"name": "tauri-utils"}, {"name": "clap"}]},
            {"name": "flowork-gateway", "dependencies": [{"name": "rusqlite"}, {"name": "flowork-engine"}]},
        ]});
        let mut problems = Vec::new();
        direct(&metadata, &mut problems);
        let files: Vec<&str> = problems.iter().map(|problem| problem.file.as_str()).collect();
        assert_eq!(files, ["flowork-cli", "flowork-gateway"]);
    }
}
