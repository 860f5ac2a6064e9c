//! The control store: sign-in sessions, pairing codes, engines and their token hashes, schedules, settings,
//! and what people decided about the work: paused queues, limits, the drain.
//!
//! One small SQLite file, `control.db`. Secrets are never in it: of codes and tokens it holds hashes only, and as these
//! secrets are random and at least 160 bits long, a plain hash is enough. What every request asks (is this session
//! live, whose token is this) is answered from memory; the file is read once, at [`ControlStore::open`].
//!
//! Not here: access tokens and keys (the gateway and the vault), jobs (the engine).

mod engines;
mod pairing;
mod policies;
mod schedules;
mod schema;
mod secret;
mod sessions;
mod settings;
mod store;

pub use engines::{CreateEngineError, EngineRecord, NewEngine};
pub use flowork_sqlite::StoreError;
pub use pairing::{OpenSessionError, PAIRING_CODE_TTL, PairingCode};
pub use policies::{DrainRecord, LimitRecord, PAUSED_QUEUES_MAX, PausedQueue, Policies, PolicyError};
pub use schedules::{RunEnd, ScheduleRecord, ScheduleState, ScheduleText};
pub use secret::SecretText;
pub use sessions::{OpenedSession, REFRESH_IDLE_TTL, RefreshError, SESSIONS_MAX};
pub use settings::SETTING_BYTES_MAX;
pub use store::{ControlStore, OpenError};
