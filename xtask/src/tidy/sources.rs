//! Rules over source code: length, what belongs to one place only, and words that mean unfinished.

use super::{Problem, extension, is_generated, is_source};

/// Lines of a file before its tests; the habit is about 400, this is where it stops.
const LINES_MAX: usize = 450;

/// Where SQL may stand: the stores, the engine's tests, which damage its files from outside, and the bare loop over
/// SQLite that benchmarks compare with.
const SQL_HOMES: &[&str] = &[
    "engine/src/store",
    "engine/tests/",
    "crates/sqlite/",
    "crates/audit/",
    "crates/control/",
    "crates/sync/",
    "crates/bench/src/contenders/floor.rs",
];

/// Words of SQL that must all stand in a line for it to be a statement. Written in two halves, or this file would be
/// a breach of its own rule.
const SQL: &[&[&str]] = &[
    &[concat!("SELE", "CT "), concat!(" FR", "OM ")],
    &[concat!("INSERT", " INTO ")],
    &[concat!("UPD", "ATE "), concat!(" S", "ET ")],
    &[concat!("DELETE", " FROM ")],
    &[concat!("CREATE", " TABLE ")],
    &[concat!("CREATE", " INDEX ")],
    &[concat!("BEGIN", " IMMEDIATE")],
    &[concat!("PRAG", "MA ")],
];

/// What a session is decided without: it is told the time, and does nothing but calculate.
const PURE: &str = "crates/sync-machine/src/";
const IMPURE: &[&str] =
    &["Instant", "SystemTime", " time::", " fs::", " net::", " thread::", " io::", " env::", "::time", "::fs", "::io"];

/// Words of work that is not finished, in the same two halves.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("#[ign", "ore"),
    concat!("it.sk", "ip("),
    concat!("test.sk", "ip("),
    concat!("describe.sk", "ip("),
    concat!("it.on", "ly("),
    concat!("test.on", "ly("),
    concat!("describe.on", "ly("),
];

pub(super) fn check(file: &str, text: &str, problems: &mut Vec<Problem>) {
    if is_generated(file) {
        return;
    }
    if is_source(file) {
        length(file, text, problems);
        homes(file, text, problems);
    }
    if is_source(file) || ["sh", "toml", "yml", "css"].contains(&extension(file)) {
        for (index, line) in text.lines().enumerate() {
            for word in UNFINISHED.iter().filter(|word| line.contains(**word)) {
                problems.push(Problem::at(
                    file,
                    index,
                    format!("`{word}`: finish it, or open an issue and leave it out"),
                ));
            }
        }
    }
}

fn length(file: &str, text: &str, problems: &mut Vec<Problem>) {
    let lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
    if lines > LINES_MAX {
        problems
            .push(Problem::in_file(file, format!("{lines} lines before its tests, more than {LINES_MAX}: split it")));
    }
}

/// Things that only one place may hold.
fn homes(file: &str, text: &str, problems: &mut Vec<Problem>) {
    let sql = extension(file) == "rs" && !SQL_HOMES.iter().any(|home| file.starts_with(home));
    let gui = file.starts_with("ui/src/");
    for (index, line) in text.lines().enumerate() {
        let comment = line.trim_start().starts_with("//");
        if let Some(word) = IMPURE.iter().find(|word| file.starts_with(PURE) && !comment && line.contains(**word)) {
            problems.push(Problem::at(file, index, format!("`{word}` in the pure machine of sync sessions")));
        }
        if sql && !comment && SQL.iter().any(|words| words.iter().all(|word| line.contains(word))) {
            problems.push(Problem::at(file, index, "SQL outside the stores"));
        }
        if gui && !file.starts_with("ui/src/platform/") && line.contains("@tauri-apps") {
            problems.push(Problem::at(file, index, "`@tauri-apps` outside ui/src/platform"));
        }
        let writes_urls = file.starts_with("ui/src/api/") || file == "ui/src/paths.ts";
        if gui && !writes_urls && !comment && writes_url(line) {
            problems.push(Problem::at(file, index, "a URL of the node outside ui/src/api and ui/src/paths.ts"));
        }
    }
}

/// Says whether a line writes a URL of the node out. The typed client's calls name a route, which the compiler checks
/// against the generated document; everything else is text that nobody checks.
fn writes_url(line: &str) -> bool {
    const CALLS: &[&str] = &[".GET(", ".POST(", ".PUT(", ".PATCH(", ".DELETE("];
    ["\"/v1/", "'/v1/", "`/v1/"].iter().flat_map(|url| line.match_indices(url)).any(|(at, _)| {
        let before = line[..at].trim_end();
        !CALLS.iter().any(|call| before.ends_with(call))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches(file: &str, text: &str) -> usize {
        let mut problems = Vec::new();
        check(file, text, &mut problems);
        problems.len()
    }

    #[test]
    fn long_file_is_a_breach_unless_its_tests_make_it_long() {
        let long = "let a = 1;\n".repeat(LINES_MAX + 1);
        assert_eq!(breaches("engine/src/lib.rs", &long), 1);
        assert_eq!(breaches("ui/src/api/__generated__/client.ts", &long), 0, "nobody reads generated code");
        let tested = format!("let a = 1;\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
        assert_eq!(breaches("engine/src/lib.rs", &tested), 0);
    }

    #[test]
    fn sql_is_a_breach_outside_the_stores() {
        let sql = concat!("let a = \"SELE", "CT id FR", "OM jobs\";\n");
        assert_eq!(breaches("gateway-embedded/src/router.rs", sql), 1);
        assert_eq!(breaches("engine/src/store/jobs.rs", sql), 0);
        assert_eq!(breaches("engine/src/jobs.rs", sql), 1, "the engine's rules have none either");
        assert_eq!(breaches("gateway-embedded/src/router.rs", &format!("// {sql}")), 0, "a comment may explain");
    }

    #[test]
    fn machine_of_sync_sessions_is_told_the_time() {
        assert_eq!(breaches("crates/sync-machine/src/lib.rs", "use std::time::Instant;\n"), 1);
        assert_eq!(breaches("crates/sync-machine/src/lib.rs", "use std::{\n    fs::File,\n    sync::Arc,\n};\n"), 1);
        assert_eq!(breaches("crates/sync/src/time.rs", "use std::time::Instant;\n"), 0);
    }

    #[test]
    fn gui_keeps_the_shell_and_the_urls_in_their_places() {
        assert_eq!(breaches("ui/src/features/jobs/page.tsx", "import { invoke } from \"@tauri-apps/api\";\n"), 1);
        assert_eq!(breaches("ui/src/platform/window.ts", "import { invoke } from \"@tauri-apps/api\";\n"), 0);
        assert_eq!(breaches("ui/src/features/jobs/page.tsx", "fetch(\"/v1/jobs\");\n"), 1);
        assert_eq!(breaches("ui/src/api/client.ts", "fetch(\"/v1/jobs\");\n"), 0);
        assert_eq!(breaches("ui/src/features/jobs/queries.ts", "node.GET(\"/v1/jobs\");\n"), 0, "a typed route");
    }

    #[test]
    fn unfinished_work_is_a_breach_everywhere() {
        let word = concat!("// TO", "DO later\n");
        assert_eq!(breaches("engine/src/lib.rs", word), 1);
        assert_eq!(breaches("installers/build.sh", word), 1);
        assert_eq!(breaches("engine/src/lib.rs", concat!("#[ign", "ore]\n")), 1);
        assert_eq!(breaches("docs/ARCHITECTURE.md", word), 0, "documents are prose");
    }
}
