//! The audit log: who did what to this node, so that nobody can change it unnoticed.
//!
//! Each entry holds the keyed hash of itself and the entry before ([`chain`]); the key is in the vault, so that whoever
//! can write the file can't make the hashes anew. One row, the *tip*, says under the same key where the chain ends and
//! begins, so that cutting its tail is found too. Once a day the owner's key signs the day's last hash (a *head*), which
//! others can check without the vault. Entries older than what is kept are cut at a signed checkpoint, from which the
//! chain goes on.
//!
//! Start at [`Audit`]: [`Audit::record`] for one entry, [`Audit::record_all`] for a batch that others need not wait for,
//! [`verify_file`] for the check, [`leave_note`] for programs that do not have the log open.
//!
//! What it can't tell by itself is that the whole file is an older copy of itself, put in place while the node was
//! stopped: such a file is sound. The daily heads tell, where somebody keeps them elsewhere; the export has them.
//!
//! Not here: which calls are audited (the gateway's table of routes says) and where the keys are.

mod chain;
mod cloud_event;
mod detail;
mod entry;
mod export;
mod flood;
pub mod fuzzing;
mod head;
mod keeper;
mod list;
mod log;
mod owed;
mod row;
mod schema;
mod seen_time;
mod signer;
mod tip;
mod verify;
mod writer;

pub use chain::{AuditKey, KEY_BYTES, KEY_ITEM};
pub use cloud_event::EVENT_TYPE_PREFIX;
pub use entry::{Actor, Entry};
pub use export::Export;
pub use list::{ListError, list_file};
pub use log::{Audit, AuditOptions, OpenError, Trouble};
pub use owed::leave_note;
pub use signer::{HeadSigner, PersonalSignatures, SignError, SignatureCheck};
pub use verify::{VerifyError, verify_file};
