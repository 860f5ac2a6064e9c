//! Secrets that must never be committed, and hosts that lock files must not name.

use super::Problem;

/// The only source that a lock file of cargo may name.
const CRATES_SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// A real token has an id of 32 digits and a secret of more than 40 letters; examples and made-up ones are shorter.
const TOKEN_LETTERS_MIN: usize = 60;

pub(super) fn check(file: &str, text: &str, problems: &mut Vec<Problem>) {
    let name = file.rsplit('/').next().unwrap_or(file);
    for (index, line) in text.lines().enumerate() {
        if line.contains(concat!("-----BE", "GIN ")) && line.contains(concat!("PRIV", "ATE KEY-----")) {
            problems.push(Problem::at(file, index, "a private key"));
        }
        if ["fle_", "fla_"].iter().any(|prefix| holds_token(line, prefix)) {
            problems.push(Problem::at(file, index, "looks like a real token"));
        }
        if name == "Cargo.lock" && line.starts_with("source = ") && !line.contains(CRATES_SOURCE) {
            problems.push(Problem::at(file, index, "a dependency from somewhere else than crates.io"));
        }
        if name == "package-lock.json" && line.trim_start().starts_with("\"resolved\": \"http") {
            problems.push(Problem::at(file, index, "names a registry host; write the lock file without them"));
        }
    }
}

fn holds_token(line: &str, prefix: &str) -> bool {
    line.match_indices(prefix).any(|(at, _)| {
        let rest = &line[at + prefix.len()..];
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '-');
        rest[..end.unwrap_or(rest.len())].chars().filter(char::is_ascii_alphanumeric).count() >= TOKEN_LETTERS_MIN
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
    fn keys_and_tokens_are_breaches() {
        assert_eq!(breaches("a.pem", concat!("-----BE", "GIN RSA PRIV", "ATE KEY-----\n")), 1);
        let token =
            format!("{}{}", "fle_", "0199aabbccddeeff0011223344556677_s3cr3ts3cr3ts3cr3ts3cr3ts3cr3ts3cr3ts3cr3t");
        assert_eq!(breaches("docs/a.md", &token), 1);
        assert_eq!(breaches("docs/a.md", "`fle_<engine id>_<secret>`"), 0, "a pattern is no token");
        assert_eq!(breaches("docs/a.md", "profile_name"), 0);
    }

    #[test]
    fn lock_files_name_no_other_host() {
        assert_eq!(breaches("Cargo.lock", "source = \"registry+https://github.com/rust-lang/crates.io-index\""), 0);
        assert_eq!(breaches("Cargo.lock", "source = \"registry+https://mirror.invalid/index\""), 1);
        assert_eq!(breaches("ui/package-lock.json", "      \"resolved\": \"https://mirror.invalid/a.tgz\","), 1);
        assert_eq!(breaches("ui/package-lock.json", "      \"version\": \"1.0.0\","), 0);
    }
}
