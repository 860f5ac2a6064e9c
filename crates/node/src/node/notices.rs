//! What a person should know about a node that runs.

use std::sync::{PoisonError, RwLockWriteGuard};

use flowork_api_types::{event::Event, node::Notice};

use super::NodeHandle;

impl NodeHandle {
    /// What a person should know about it.
    pub fn notices(&self) -> Vec<Notice> {
        let mut notices = self.notices.read().unwrap_or_else(PoisonError::into_inner).clone();
        notices.extend(self.engines.notices());
        notices
    }

    /// Has everybody know this, in the place of what was said before under the same code.
    pub fn set_notice(&self, notice: Notice) {
        {
            let mut notices = self.write_notices();
            if notices.contains(&notice) {
                return;
            }
            match notices.iter_mut().find(|known| known.code == notice.code) {
                Some(known) => *known = notice,
                None => notices.push(notice),
            }
        }
        self.engines.events().publish(None, Event::NoticesChanged);
    }

    /// Takes back what was said under this code.
    pub fn clear_notice(&self, code: &str) {
        let removed = {
            let mut notices = self.write_notices();
            let before = notices.len();
            notices.retain(|notice| notice.code != code);
            notices.len() < before
        };
        if removed {
            self.engines.events().publish(None, Event::NoticesChanged);
        }
    }

    fn write_notices(&self) -> RwLockWriteGuard<'_, Vec<Notice>> {
        self.notices.write().unwrap_or_else(PoisonError::into_inner)
    }
}
