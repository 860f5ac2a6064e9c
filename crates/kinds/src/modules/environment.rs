//! What a module gets of the node's environment.

use std::ffi::OsString;

/// Variables a module gets. Not the others: they hold what was meant for the node alone.
const ENVIRONMENT: [&str; 18] = [
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    // Windows programs do not start without these.
    "SystemRoot",
    "SystemDrive",
    "windir",
    "TEMP",
    "TMP",
    "PATHEXT",
    "COMSPEC",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "ProgramFiles",
];

/// Those of the node's variables that a module gets.
pub(super) fn environment() -> Vec<(OsString, OsString)> {
    let is_allowed =
        |name: &str| name.starts_with("LC_") || ENVIRONMENT.iter().any(|allowed| name.eq_ignore_ascii_case(allowed));
    std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_allowed)).collect()
}
