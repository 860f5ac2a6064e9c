//! Why there is no node to show, in words for a person.

use std::error::Error;
use std::net::IpAddr;
use std::path::PathBuf;

use flowork_api_types::node::Notice;
use flowork_node::StartError;

/// The code of the notice that says that no node could be started.
const CODE: &str = "NODE_NOT_STARTED";

/// What the error page and the tray say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What went wrong, with its causes.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
    /// The folder with the logs, where the configuration could be read.
    pub(crate) logs: Option<PathBuf>,
    /// Another port would do, and that can be had from here.
    pub(crate) elsewhere: Option<Elsewhere>,
}

/// What the error page offers where the port is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    /// Where the port is to be.
    pub(crate) ip: IpAddr,
    /// The id of the text that says what that means.
    pub(crate) hint: &'static str,
}

impl Failure {
    /// Describes an error with its causes.
    pub(crate) fn new(error: &dyn Error, hint: Option<String>, logs: Option<PathBuf>) -> Self {
        Self { message: with_causes(error), hint, logs, elsewhere: None }
    }

    /// Describes why the node did not start.
    pub(crate) fn of_start(error: &StartError, logs: PathBuf) -> Self {
        let of_another_account = error.is_taken_by_another_account();
        let hint = if of_another_account { "start-own-port-hint" } else { "start-free-port-hint" };
        let elsewhere = error.can_serve_elsewhere().map(|ip| Elsewhere { ip, hint });
        Self { elsewhere, ..Self::new(error, error.hint(), Some(logs)) }
    }

    /// The same for the tray and the list of notices.
    pub(crate) fn notice(&self) -> Notice {
        Notice { code: CODE.to_owned(), message: sentence(&self.message), hint: self.hint.clone() }
    }
}

/// An error and its causes in one line.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message.push_str(": ");
        message.push_str(&error.to_string());
        cause = error.source();
    }
    message
}

/// Makes a sentence of an error message, which has neither a capital nor a full stop.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return String::new() };
    let stop = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{}{}{stop}", first.to_uppercase(), letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notice_says_what_happened_with_causes_and_hint() {
        let cause = std::io::Error::other("disk & <b>gone</b>");
        let error = std::io::Error::other(cause);
        let failure = Failure::new(&error, Some("look at the disk".to_owned()), Some(PathBuf::from("/a/logs")));
        let notice = failure.notice();
        assert!(notice.message.starts_with("Disk & <b>gone</b>"), "{notice:?}");
        assert_eq!(notice.hint.as_deref(), Some("look at the disk"));
    }

    #[test]
    fn sentences_are_made_once() {
        for (text, expected) in [("", ""), ("no", "No."), ("Is it there?", "Is it there?"), ("école", "École.")] {
            assert_eq!(sentence(text), expected);
        }
    }
}
