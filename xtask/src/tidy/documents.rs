//! Paths that documents mention: each must lead somewhere, or the document is out of date.

use super::{Problem, extension};

/// Folders at the root whose paths documents mention. What is only there after a build is not among them.
const FOLDERS: &[&str] = &[
    "engine/",
    "gateway-embedded/",
    "crates/",
    "ui/",
    "src-tauri/",
    "tests/",
    "fuzz/",
    "xtask/",
    "assets/",
    "installers/",
    "docs/",
    ".ci/",
];
/// Made by a build, so absent from a fresh clone.
const BUILT: &[&str] = &["ui/dist", "ui/node_modules"];

pub(super) fn check(file: &str, text: &str, exists: &dyn Fn(&str) -> bool, problems: &mut Vec<Problem>) {
    if extension(file) != "md" {
        return;
    }
    for (index, line) in prose(text) {
        for path in code_paths(line).filter(|path| !exists(path)) {
            problems.push(Problem::at(file, index, format!("`{path}` does not exist")));
        }
        for target in link_targets(line) {
            if destination(file, target).is_some_and(|path| !exists(&path)) {
                let target = target.split('#').next().unwrap_or(target);
                problems.push(Problem::at(file, index, format!("the link to {target} leads nowhere")));
            }
        }
    }
}

/// Returns the files that a document has links to, as paths from the root that the document's own path is from.
pub(crate) fn linked(document: &str, text: &str) -> Vec<String> {
    prose(text).flat_map(|(_, line)| link_targets(line)).filter_map(|target| destination(document, target)).collect()
}

/// Returns the file that a link in a document leads to; `None` where that is the document itself or somebody else's.
pub(crate) fn destination(document: &str, target: &str) -> Option<String> {
    let path = target.split('#').next().unwrap_or(target);
    let elsewhere = path.is_empty() || path.contains("://") || path.starts_with("mailto:");
    let folder = document.rsplit_once('/').map_or("", |(folder, _)| folder);
    (!elsewhere).then(|| joined(folder, path))
}

/// Returns the lines that are not in a code block, which is an example, with their numbers from zero.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut code_block = false;
    text.lines().enumerate().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        code_block ^= fence;
        !fence && !code_block
    })
}

/// Returns the code spans of a line that are paths of the project, without a symbol after `::`.
fn code_paths(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2).filter_map(|span| {
        let path = span.split("::").next().unwrap_or(span);
        let literal = !path.contains([' ', '<', '>', '{', '}', '*', '$', '…', ',', '(']);
        let known = FOLDERS.iter().any(|folder| path.starts_with(folder));
        let built = BUILT.iter().any(|built| path.starts_with(built));
        (literal && known && !built).then_some(path)
    })
}

fn link_targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next())
}

/// Joins a folder and a relative path, going up for each `..`.
fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches(text: &str) -> Vec<String> {
        let there = ["engine/src/store.rs", "docs/adr/0001-a.md", "docs/ARCHITECTURE.md", "README.md"];
        let mut problems = Vec::new();
        check("docs/ARCHITECTURE.md", text, &|path| there.contains(&path), &mut problems);
        problems.into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn mentioned_paths_must_exist() {
        assert_eq!(breaches("See `engine/src/store.rs` and `engine/src/store.rs::claim`."), Vec::<String>::new());
        assert_eq!(breaches("See `engine/src/gone.rs`."), ["`engine/src/gone.rs` does not exist"]);
        assert_eq!(breaches("In `shards/<engine>/<n>.db` and `engine/src/*.rs` and `ui/dist`."), Vec::<String>::new());
        assert_eq!(breaches("```\n`engine/src/gone.rs`\n```\n"), Vec::<String>::new(), "a block is an example");
    }

    #[test]
    fn links_are_told_by_where_they_lead() {
        let text = "[a](b.md#c) and [d](../e.md), [f](#g), [h](https://h.invalid)\n```\n[i](j.md)\n```\n![k](l/m.png)";
        assert_eq!(linked("docs/n.md", text), ["docs/b.md", "e.md", "docs/l/m.png"]);
    }

    #[test]
    fn links_are_followed_from_the_document() {
        assert_eq!(breaches("[a](adr/0001-a.md), [b](../README.md#top), [c](https://a.invalid)"), Vec::<String>::new());
        assert_eq!(breaches("[a](adr/0002-b.md)"), ["the link to adr/0002-b.md leads nowhere"]);
    }
}
