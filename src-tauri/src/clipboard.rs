//! Putting text into the system's clipboard.

use std::sync::{Mutex, PoisonError};

use arboard::Clipboard;

/// What was copied. On some systems it is only there as long as whoever copied it keeps this.
#[derive(Default)]
pub(crate) struct Copied(Mutex<Option<Clipboard>>);

impl Copied {
    /// Puts text into the clipboard. May block for a moment.
    ///
    /// # Errors
    /// There is none, or it is busy.
    pub(crate) fn copy(&self, text: String) -> Result<(), arboard::Error> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let clipboard = match &mut *kept {
            Some(clipboard) => clipboard,
            none => none.insert(Clipboard::new()?),
        };
        clipboard.set_text(text)
    }
}
