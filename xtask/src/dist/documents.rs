//! The documents that come with a program, and what their links lead to.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::stage::Stage;
use crate::tidy::documents::destination;
use crate::workspace;

/// Documents for people who run a node, in a window or without. The README leads to them.
const DOCUMENTS: &[&str] = &[
    "README.md",
    "SECURITY.md",
    "docs/audit.md",
    "docs/dashboard.png",
    "docs/desktop.md",
    "docs/members.md",
    "docs/providers.md",
    "docs/remote-access.md",
    "docs/sign-in.md",
    "docs/sync-sessions.md",
    "docs/vault.md",
];

/// Puts them into a folder, beside each other as in the sources.
pub(super) fn put(stage: &Stage, folder: &str) -> Result<()> {
    for document in DOCUMENTS {
        let to = format!("{folder}{document}");
        if is_text(document) {
            stage.text(&text_of(document)?, &to)?;
        } else {
            stage.file(&workspace::root().join(document), &to)?;
        }
    }
    Ok(())
}

/// Returns what has changed from version to version.
pub(super) fn changelog() -> Result<String> {
    text_of("CHANGELOG.md")
}

fn text_of(document: &str) -> Result<String> {
    let text = fs::read_to_string(workspace::root().join(document)).with_context(|| format!("reading {document}"))?;
    Ok(with_live_links(document, &text))
}

fn is_text(document: &str) -> bool {
    Path::new(document).extension().is_some_and(|extension| extension == "md")
}

/// Takes away the links to what only the sources have, and leaves the words that they were put on.
fn with_live_links(document: &str, text: &str) -> String {
    let mut live = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        let (target, behind) = after.split_once(')').unwrap_or((after, ""));
        let dead = destination(document, target).is_some_and(|path| !DOCUMENTS.contains(&path.as_str()));
        match before.rsplit_once('[') {
            Some((earlier, words)) if dead => {
                live.extend([earlier, words]);
                rest = behind;
            }
            _ => {
                live.extend([before, "]("]);
                rest = after;
            }
        }
    }
    live + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::documents::linked;

    #[test]
    fn only_links_to_what_comes_along_are_left() {
        let text = "See [the app](docs/desktop.md#settings), [why](docs/adr) and [CONTRIBUTING.md](CONTRIBUTING.md), \
                    [b](https://b.invalid)\n![c](docs/dashboard.png)";
        let live = "See [the app](docs/desktop.md#settings), why and CONTRIBUTING.md, \
                    [b](https://b.invalid)\n![c](docs/dashboard.png)";
        assert_eq!(with_live_links("README.md", text), live);
        let text = "[vault](vault.md), [security](../SECURITY.md), [map](ARCHITECTURE.md)";
        assert_eq!(with_live_links("docs/a.md", text), "[vault](vault.md), [security](../SECURITY.md), map");
    }

    #[test]
    fn no_document_has_a_link_to_what_stays_behind() {
        for document in DOCUMENTS.iter().copied().filter(|document| is_text(document)).chain(["CHANGELOG.md"]) {
            for path in linked(document, &text_of(document).unwrap()) {
                assert!(DOCUMENTS.contains(&path.as_str()), "{document} leads to {path}");
            }
        }
    }
}
