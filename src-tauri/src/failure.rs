//! Why there is no node to show, in words for the error page.

use std::error::Error;
use std::path::PathBuf;

use tauri::Url;

use crate::navigation;

/// What the error page says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What went wrong, with its causes.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
    /// The folder with the logs, where the configuration could be read.
    pub(crate) logs: Option<PathBuf>,
}

impl Failure {
    /// Describes an error with its causes.
    pub(crate) fn new(error: &dyn Error, hint: Option<String>, logs: Option<PathBuf>) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        Self { message, hint, logs }
    }

    /// Returns the address of the error page that shows this.
    pub(crate) fn page(&self) -> Url {
        let mut url = navigation::page("error.html");
        url.query_pairs_mut()
            .append_pair("message", &sentence(&self.message))
            .append_pair("hint", &sentence(self.hint.as_deref().unwrap_or_default()))
            .append_pair("log", &self.logs.as_ref().map(|path| path.display().to_string()).unwrap_or_default());
        url
    }
}

/// Makes a sentence of an error message, which has neither a capital nor a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return String::new() };
    let stop = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{}{}{stop}", first.to_uppercase(), letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_says_what_happened_with_causes_and_hint() {
        let cause = std::io::Error::other("disk & <b>gone</b>");
        let error = std::io::Error::other(cause);
        let failure = Failure::new(&error, Some("look at the disk".to_owned()), Some(PathBuf::from("/a/logs")));
        let pairs: Vec<(String, String)> = failure.page().query_pairs().into_owned().collect();
        let value = |key: &str| pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone()).unwrap();
        assert!(value("message").starts_with("Disk & <b>gone</b>"), "{pairs:?}");
        assert_eq!(value("hint"), "Look at the disk.");
        assert_eq!(value("log"), "/a/logs");
    }

    #[test]
    fn what_is_not_known_stays_empty() {
        let failure = Failure { message: "no".to_owned(), hint: None, logs: None };
        let page = failure.page();
        assert!(page.query_pairs().any(|(name, value)| name == "hint" && value.is_empty()), "{page}");
    }
}
