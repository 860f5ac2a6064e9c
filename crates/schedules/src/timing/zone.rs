//! Time zones by their IANA names, from the system's database or else the one that was compiled in.

use flowork_engine::kind::nearest;
use jiff::tz::{self, TimeZone};

/// The most of a wrong name that is said back.
const NAME_CHARS_SHOWN: usize = 80;

/// A name that no time zone has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone {name:?}")]
pub struct UnknownTimeZone {
    /// As it was given.
    pub name: String,
    /// Names that read like it.
    pub nearest: Vec<String>,
}

impl UnknownTimeZone {
    pub(super) fn hint(&self) -> String {
        match self.nearest.as_slice() {
            [] => "use an IANA name such as Europe/Berlin, America/New_York or UTC".to_owned(),
            near => format!("did you mean {}?", near.join(" or ")),
        }
    }
}

/// Finds a time zone; upper and lower case are the same.
pub(super) fn find(name: &str) -> Result<TimeZone, UnknownTimeZone> {
    TimeZone::get(name).ok().filter(|zone| !zone.is_unknown()).ok_or_else(|| UnknownTimeZone {
        name: name.chars().take(NAME_CHARS_SHOWN).collect(),
        nearest: suggestions(name),
    })
}

/// Names like the one given, or those of cities like it when no region was given: `Berlin`, `New York`.
fn suggestions(name: &str) -> Vec<String> {
    let wanted: String = name.trim().replace(' ', "_").chars().take(NAME_CHARS_SHOWN).collect();
    let known: Vec<String> = tz::db().available().map(|known| known.as_str().to_owned()).collect();
    if wanted.contains('/') {
        return nearest(&wanted, known.iter().map(String::as_str));
    }
    let city = |name: &str| name.rsplit('/').next().unwrap_or_default().to_lowercase();
    let cities: Vec<(String, &String)> = known.iter().map(|name| (city(name), name)).collect();
    let found = nearest(&wanted.to_lowercase(), cities.iter().map(|(city, _)| city.as_str()));
    let first = |found: &String| cities.iter().find(|(city, _)| city == found).map(|(_, name)| (*name).clone());
    let mut names: Vec<String> = found.iter().filter_map(first).collect();
    names.dedup();
    names
}
