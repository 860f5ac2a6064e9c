//! The control store: members, sign-in sessions, pairing codes, engines and their token hashes, schedules, settings,
//! and what people decided about the work: paused queues, limits, numbers of workers, the drain.
//!
//! One small SQLite file, `control.db`. Secrets are never in it: of codes and tokens it holds hashes only, and as these
//! secrets are random and at least 160 bits long, a plain hash is enough. What every request asks (is this session
//! live, whose token is this) is answered from memory; the file is read once, at [`ControlStore::open`].
//!
//! Not here: access tokens and keys (the gateway and the vault), jobs (the engine).

mod challenges;
mod engine_kinds;
mod engines;
mod kind_grants;
mod members;
mod pairing;
mod policies;
mod schedules;
mod schema;
mod secret;
mod sessions;
mod settings;
mod sign_in;
mod store;
mod workers;

pub use challenges::{CHALLENGE_TTL, CHALLENGES_MAX, CHALLENGES_PER_CLIENT_MAX, Challenge};
pub use engines::{CreateEngineError, EngineProof, EngineRecord, EngineTokenState, NewEngine, TokenLife};
pub use flowork_sqlite::StoreError;
pub use kind_grants::{KIND_GRANTS_MAX, KindGrantError};
pub use members::{MemberChange, MemberError, MemberKeyRecord, MemberRecord};
pub use pairing::{OpenSessionError, PAIRING_CODE_TTL, PairingCode};
pub use policies::{DrainRecord, LimitRecord, PAUSED_QUEUES_MAX, PausedQueue, Policies, PolicyError};
pub use schedules::{RunEnd, ScheduleRecord, ScheduleState, ScheduleText};
pub use secret::SecretText;
pub use sessions::{
    AccessReset, Forget, OpenedSession, REFRESH_AGAIN_WITHIN, REFRESH_IDLE_TTL, RefreshError, SESSIONS_MAX,
    SESSIONS_PER_SUBJECT_MAX, SessionRecord,
};
pub use settings::SETTING_BYTES_MAX;
pub use sign_in::SignInError;
pub use store::{ControlStore, OpenError};
pub use workers::WorkersRecord;
