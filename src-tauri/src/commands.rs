//! What the app's own windows may call, and only they: the capabilities name the commands of each. What a page is handed
//! is all it shows, words included; no answer has a secret in it.

pub(crate) mod leaving;
pub(crate) mod reset;
pub(crate) mod settings;

use std::error::Error;

use serde::Serialize;

use crate::failure::{sentence, with_causes};

/// Why something was not done, for the person who asked for it.
#[derive(Debug, Serialize)]
pub(crate) struct Refusal {
    message: String,
    hint: Option<String>,
}

impl Refusal {
    /// Tells an error with its causes.
    fn of(error: &dyn Error, hint: Option<String>) -> Self {
        Self { message: sentence(&with_causes(error)), hint: hint.map(|hint| sentence(&hint)) }
    }

    /// Says a text as it is.
    fn saying(message: String) -> Self {
        Self { message, hint: None }
    }
}

/// Runs what waits for a disk or a keychain where that holds up nobody.
async fn blocking<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    tauri::async_runtime::spawn_blocking(run).await.map_err(|error| Refusal::of(&error, None))
}

/// Waits until there is something that the page has not seen; `None` when the app ends.
async fn unseen<T: Clone>(
    sender: &tokio::sync::watch::Sender<T>,
    seen: Option<u64>,
    revision: impl Fn(&T) -> u64,
) -> Option<T> {
    let mut receiver = sender.subscribe();
    let found = receiver.wait_for(|value| Some(revision(value)) != seen).await;
    found.ok().map(|value| value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn page_is_answered_when_there_is_something_new() {
        let sender = tokio::sync::watch::Sender::new(7_u64);
        assert_eq!(unseen(&sender, None, |value| *value).await, Some(7), "the first time at once");
        assert_eq!(unseen(&sender, Some(6), |value| *value).await, Some(7), "what it missed at once, too");
        let waiting = unseen(&sender, Some(7), |value| *value);
        let ((), answer) = tokio::join!(async { sender.send_modify(|value| *value += 1) }, waiting);
        assert_eq!(answer, Some(8));
    }

    #[test]
    fn refusals_are_sentences() {
        let refusal = Refusal::of(&std::io::Error::other("disk full"), Some("make room".to_owned()));
        assert_eq!((refusal.message.as_str(), refusal.hint.as_deref()), ("Disk full.", Some("Make room.")));
    }
}
