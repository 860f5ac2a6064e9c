//! Names that say nothing, and where modules may live.

use super::{Problem, is_source};

/// Words that name no thing; a type or module that ends in one has not been thought through.
const EMPTY_WORDS: &[&str] = &["manager", "helper", "util", "processor", "service", "common", "misc", "info"];

/// What stands before the name of a type or module where it is defined.
const DEFINITIONS: &[&str] = &["struct", "enum", "trait", "type", "mod", "class", "interface"];

/// Checks the name of a file: `foo.rs` beside `foo/`, and a module that is about something.
pub(super) fn check_path(file: &str, problems: &mut Vec<Problem>) {
    if !is_source(file) {
        return;
    }
    let name = file.rsplit('/').next().unwrap_or(file);
    if name == "mod.rs" {
        problems.push(Problem::in_file(file, "`foo.rs` beside `foo/`, never `mod.rs`"));
    }
    let stem = name.split('.').next().unwrap_or(name);
    if let Some(word) = empty_word(stem) {
        problems.push(Problem::in_file(file, format!("`{word}` says nothing: name the file after its subject")));
    }
}

/// Checks the names of the types and modules that a file defines.
pub(super) fn check(file: &str, text: &str, problems: &mut Vec<Problem>) {
    if !is_source(file) {
        return;
    }
    for (index, line) in text.lines().enumerate() {
        if let Some((name, word)) = defined(line).and_then(|name| Some((name, empty_word(name)?))) {
            problems.push(Problem::at(file, index, format!("`{name}`: `{word}` says nothing; name the subject")));
        }
    }
}

/// Returns the name of the type or module that a line defines.
fn defined(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace().skip_while(|word| {
        word.starts_with("pub")
            || (word.starts_with("crate::") && word.ends_with(')'))
            || ["export", "default", "declare", "abstract", "unsafe", "const"].contains(word)
    });
    if !DEFINITIONS.contains(&words.next()?) {
        return None;
    }
    let name = words.next()?.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next()?;
    // `type = …` and prose in comments define nothing.
    (!name.is_empty()).then_some(name)
}

/// Returns the empty word that a name in `CamelCase`, `snake_case` or `kebab-case` ends in.
fn empty_word(name: &str) -> Option<&'static str> {
    let mut last = String::new();
    for letter in name.chars() {
        if letter == '_' || letter == '-' || letter.is_uppercase() {
            last.clear();
        }
        if letter != '_' && letter != '-' {
            last.extend(letter.to_lowercase());
        }
    }
    EMPTY_WORDS.iter().copied().find(|word| last == *word || last.strip_suffix('s') == Some(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches(file: &str, text: &str) -> usize {
        let mut problems = Vec::new();
        check_path(file, &mut problems);
        check(file, text, &mut problems);
        problems.len()
    }

    #[test]
    fn empty_names_are_breaches_in_every_spelling() {
        for text in [
            "pub struct JobManager {",
            "struct Info;",
            "pub(crate) enum RetryHelpers {",
            "mod utils;",
            "pub(in crate::store) trait QueueProcessor {",
            "export class ApiService {",
            "export interface TokenInfo {",
            "type Misc = u8;",
        ] {
            assert_eq!(breaches("engine/src/lib.rs", text), 1, "of {text:?}");
        }
    }

    #[test]
    fn names_that_only_hold_such_a_word_are_fine() {
        for text in [
            "pub struct Information;",
            "struct ServiceWorkerUrl;",
            "impl Service for Router {",
            "use tower::Service;",
            "pub fn info() {}",
            "// a struct Manager would be wrong",
            "let mode = utils;",
        ] {
            assert_eq!(breaches("engine/src/lib.rs", text), 0, "of {text:?}");
        }
    }

    #[test]
    fn file_names_are_checked_too() {
        assert_eq!(breaches("ui/src/lib/utils.ts", ""), 1);
        assert_eq!(breaches("engine/src/store/mod.rs", ""), 1);
        assert_eq!(breaches("engine/src/store.rs", ""), 0);
        assert_eq!(breaches("docs/info.md", ""), 0, "documents are no modules");
    }
}
