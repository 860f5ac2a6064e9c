use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use fluent_syntax::ast::{CallArguments, Entry, Expression, InlineExpression, Pattern, PatternElement};

use super::*;

/// Each message of a file with its variables.
fn messages(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let resource = fluent_syntax::parser::parse(text).unwrap_or_else(|(_, errors)| panic!("{errors:?}"));
    let entries = resource.body.into_iter().filter_map(|entry| match entry {
        Entry::Message(message) => Some(message),
        _ => None,
    });
    let mut found = BTreeMap::new();
    for message in entries {
        let mut variables = BTreeSet::new();
        collect(&message.value.expect("every message has a text"), &mut variables);
        assert!(found.insert(message.id.name.to_owned(), variables).is_none(), "{} is there twice", message.id.name);
    }
    found
}

fn collect(pattern: &Pattern<&str>, variables: &mut BTreeSet<String>) {
    for element in &pattern.elements {
        match element {
            PatternElement::Placeable { expression: Expression::Inline(inline) } => collect_inline(inline, variables),
            PatternElement::Placeable { expression: Expression::Select { selector, variants } } => {
                collect_inline(selector, variables);
                for variant in variants {
                    collect(&variant.value, variables);
                }
            }
            PatternElement::TextElement { .. } => {}
        }
    }
}

fn collect_inline(inline: &InlineExpression<&str>, variables: &mut BTreeSet<String>) {
    match inline {
        InlineExpression::VariableReference { id } => {
            variables.insert(id.name.to_owned());
        }
        InlineExpression::FunctionReference { arguments: CallArguments { positional, .. }, .. } => {
            for inline in positional {
                collect_inline(inline, variables);
            }
        }
        _ => {}
    }
}

#[test]
fn every_language_has_every_text_with_the_same_values() {
    let (_, english) = TEXTS[0];
    for (tag, files) in TEXTS {
        for (file, reference) in files.into_iter().zip(english) {
            let (found, expected) = (messages(file), messages(reference));
            for (id, variables) in &expected {
                assert_eq!(found.get(id), Some(variables), "{id} in {tag}");
            }
            let more: Vec<_> = found.keys().filter(|id| !expected.contains_key(*id)).collect();
            assert!(more.is_empty(), "only {tag} has {more:?}");
        }
    }
}

#[test]
fn every_text_is_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut sources = String::new();
    for directory in ["crates/shell/src", "src-tauri"] {
        read_all(&root.join(directory), &mut sources);
    }
    let unused: Vec<_> =
        messages(TEXTS[0].1[0]).into_keys().filter(|id| !sources.contains(&format!("\"{id}\""))).collect();
    assert!(unused.is_empty(), "nothing shows {unused:?}");
}

fn read_all(directory: &Path, into: &mut String) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            into.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_language_says_every_text_without_an_error() {
    for texts in TEXTS {
        let words = Words::of(texts);
        for (id, variables) in texts.1.into_iter().flat_map(messages) {
            for number in [0, 1, 2, 5] {
                let mut args = FluentArgs::new();
                for name in &variables {
                    args.set(name.as_str(), FluentValue::from(f64::from(number)));
                }
                let text = formatted(&words.bundle, &id, &args).unwrap_or_else(|| panic!("{id} in {}", texts.0));
                assert!(!text.is_empty() && !text.contains('{'), "{id} in {}: {text}", texts.0);
            }
        }
    }
}

#[test]
fn best_language_is_the_first_wanted_that_is_there() {
    let check = |wanted: &[&str], expected: &str| {
        let wanted: Vec<String> = wanted.iter().map(|tag| (*tag).to_owned()).collect();
        assert_eq!(best(&wanted).0, expected, "{wanted:?}");
    };
    check(&["de-AT"], "de");
    check(&["ja-JP", "fr-CA", "en"], "fr");
    check(&["ja-JP"], "en");
    check(&["C"], "en");
    check(&["", "es"], "es");
    check(&[], "en");
}

#[test]
fn plurals_follow_the_language() {
    let jobs = |tag: &str, left| {
        let words = Words::load(&Language::Tag(tag.to_owned()));
        assert_eq!(words.language(), tag);
        words.format("status-draining", &[("left", Arg::Number(left))])
    };
    assert_eq!(jobs("en", 1), "Draining: 1 job left");
    assert_eq!(jobs("en", 3), "Draining: 3 jobs left");
    assert_eq!(jobs("de", 1), "Läuft aus: noch 1 Auftrag");
    assert_eq!(jobs("fr", 0), "Vidé : plus rien n’est en cours");
    assert_eq!(jobs("es", 2), "Terminando: quedan 2 trabajos");
}

#[test]
fn every_language_can_be_chosen() {
    assert_eq!(Words::LANGUAGES.map(|(tag, _)| tag), TEXTS.map(|(tag, _)| tag));
}

#[test]
fn text_that_does_not_exist_shows_its_id() {
    let words = Words::load(&Language::Tag("de".to_owned()));
    assert_eq!(words.text("no-such-text"), "no-such-text");
    assert_eq!(words.text("menu-quit"), "Beenden");
}

#[test]
fn page_is_handed_its_own_texts_in_its_language() {
    let words = Words::load(&Language::Tag("fr".to_owned()));
    let menu = words.page("menu");
    assert_eq!(menu["menu-quit"], "Quitter");
    assert!(menu.keys().all(|id| id.starts_with("menu-")));
    assert!(!menu.contains_key("menu-workers-now"), "a text with values is formatted where they are known");
    assert!(words.page("men").is_empty(), "a prefix is a whole word");
    for page in ["settings", "leaving", "start"] {
        assert!(words.page(page).len() > 3, "the page {page} has texts");
    }
}
