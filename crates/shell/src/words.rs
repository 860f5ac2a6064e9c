//! Every text that the app shows, in the person's language. The texts are in `locales`, with plurals as Project Fluent
//! has them.

use std::collections::BTreeMap;

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use unic_langid::LanguageIdentifier;

/// What is shown where no language that the person knows is there; it has every text.
const FALLBACK: &str = "en";

/// A language's tag, and its texts: those of the shell and those of the pages.
type Texts = (&'static str, [&'static str; 2]);

/// All languages.
const TEXTS: [Texts; 4] = [
    ("en", [include_str!("../locales/en.ftl"), include_str!("../locales/pages/en.ftl")]),
    ("de", [include_str!("../locales/de.ftl"), include_str!("../locales/pages/de.ftl")]),
    ("fr", [include_str!("../locales/fr.ftl"), include_str!("../locales/pages/fr.ftl")]),
    ("es", [include_str!("../locales/es.ftl"), include_str!("../locales/pages/es.ftl")]),
];

/// Which language to use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// The system's.
    #[default]
    System,
    /// One that was chosen: `en`, `de`, `fr` or `es`.
    Tag(String),
}

/// A value in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arg<'a> {
    /// Decides the plural, too.
    Number(u64),
    /// As it is.
    Text(&'a str),
}

/// The texts of one language, and English for what that one lacks.
pub struct Words {
    language: &'static str,
    bundle: FluentBundle<FluentResource>,
    fallback: FluentBundle<FluentResource>,
    /// Ids in the order of the files.
    ids: Vec<String>,
}

impl Words {
    /// The languages there are, with their own names, for a list to choose from.
    pub const LANGUAGES: [(&'static str, &'static str); 4] =
        [("en", "English"), ("de", "Deutsch"), ("fr", "Français"), ("es", "Español")];

    /// Loads the texts of a language, or those that fit best.
    pub fn load(language: &Language) -> Self {
        let wanted = match language {
            Language::System => sys_locale::get_locales().collect(),
            Language::Tag(tag) => vec![tag.clone()],
        };
        Self::of(best(&wanted))
    }

    fn of(texts: Texts) -> Self {
        let (bundle, _) = bundle(texts);
        let (fallback, ids) = bundle_of_fallback();
        Self { language: texts.0, bundle, fallback, ids }
    }

    /// The tag of the language, for `<html lang>`.
    pub fn language(&self) -> &'static str {
        self.language
    }

    /// A text without values. An id that does not exist is shown as it is.
    pub fn text(&self, id: &str) -> String {
        self.format(id, &[])
    }

    /// A text with values.
    pub fn format(&self, id: &str, args: &[(&str, Arg<'_>)]) -> String {
        let mut values = FluentArgs::with_capacity(args.len());
        for (name, arg) in args {
            match arg {
                // Exact up to 2^53, far beyond what anybody counts.
                Arg::Number(number) => values.set(*name, FluentValue::from(*number as f64)),
                Arg::Text(text) => values.set(*name, FluentValue::from(*text)),
            }
        }
        let text = formatted(&self.bundle, id, &values).or_else(|| formatted(&self.fallback, id, &values));
        text.unwrap_or_else(|| {
            tracing::warn!(id, "there is no such text");
            id.to_owned()
        })
    }

    /// All texts without values whose id starts with `prefix` and a hyphen, by id: what a local page is handed.
    /// `page("settings")` has `settings-title` and so on.
    pub fn page(&self, prefix: &str) -> BTreeMap<String, String> {
        let has_prefix = |id: &&String| id.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('-'));
        let texts = self.ids.iter().filter(has_prefix).filter_map(|id| {
            let none = FluentArgs::new();
            let text = formatted(&self.bundle, id, &none).or_else(|| formatted(&self.fallback, id, &none))?;
            Some((id.clone(), text))
        });
        texts.collect()
    }
}

/// The text, if there is one and it has all its values.
fn formatted(bundle: &FluentBundle<FluentResource>, id: &str, values: &FluentArgs<'_>) -> Option<String> {
    let pattern = bundle.get_message(id)?.value()?;
    let mut errors = Vec::new();
    let text = bundle.format_pattern(pattern, Some(values), &mut errors);
    errors.is_empty().then(|| text.into_owned())
}

/// The first language that is wanted and is there.
fn best(wanted: &[String]) -> Texts {
    let known = |tag: &String| {
        let wanted: LanguageIdentifier = tag.parse().ok()?;
        TEXTS.into_iter().find(|(tag, _)| wanted.language.as_str() == *tag)
    };
    wanted.iter().find_map(known).unwrap_or(TEXTS[0])
}

fn bundle_of_fallback() -> (FluentBundle<FluentResource>, Vec<String>) {
    bundle(TEXTS.into_iter().find(|(tag, _)| *tag == FALLBACK).unwrap_or(TEXTS[0]))
}

/// The texts of one language, and their ids.
fn bundle((tag, files): Texts) -> (FluentBundle<FluentResource>, Vec<String>) {
    let mut bundle = FluentBundle::new_concurrent(vec![tag.parse().expect("our tags are valid")]);
    // Marks around values would be shown as boxes by menus of some desktops.
    bundle.set_use_isolating(false);
    let mut ids = Vec::new();
    for file in files {
        // What is wrong in one message does not take the others along; a test sees that nothing is.
        let resource = FluentResource::try_new(file.to_owned()).unwrap_or_else(|(resource, _)| resource);
        ids.extend(resource.entries().filter_map(|entry| match entry {
            fluent_syntax::ast::Entry::Message(message) => Some(message.id.name.to_owned()),
            _ => None,
        }));
        let _ = bundle.add_resource(resource);
    }
    (bundle, ids)
}

#[cfg(test)]
mod tests;
