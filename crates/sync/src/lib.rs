//! Sync sessions: many clients agreed on who is active and how much time is left.
//!
//! [`machine`] is what a session is: pure, and told the time with every call. [`Sessions`] is what the rest of the node
//! holds: sessions in memory, each owned by one of a few shard tasks (`shard`), which decide one change after the
//! other, write them to `sync.db` (`store`) and then tell everybody (`snapshot`). Reads and subscriptions go past the
//! shards, to what was last stored.
//!
//! Durability: a change is in the write-ahead log before it is answered, so it survives the end of the process, also
//! by `kill -9`. It is synced to disk within a second; a power cut may cost the changes of the last second, never more,
//! and never a part of a change.
//!
//! Not here: HTTP and WebSockets (the gateway), who a caller is.

mod alarm;
mod announcer;
mod directory;
mod operations;
mod pace;
mod quota;
mod sessions;
mod shard;
mod snapshot;
mod store;
mod time;

pub use flowork_sync_machine as machine;
pub use operations::{ChangeError, Changed, CreateError, EventsError, ListError, LookupError};
pub use pace::Pace;
pub use quota::{OwnerBound, PARTICIPANTS_PER_OWNER_MAX, RUNNING_PER_OWNER_MAX, SESSIONS_PER_OWNER_MAX};
pub use sessions::{OpenError, Sessions, SyncOptions};
pub use snapshot::{Published, Snapshot, Subscription};
