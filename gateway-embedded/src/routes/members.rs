//! The people of the node: `/v1/members`.
//!
//! Who is kept out or removed is signed out at once, their event streams end, and so do links that were made for them.
//! Jobs of theirs that run go on: stopping them is a decision about work, which operators take with a cancel. Jobs of
//! theirs that wait are not run any more; an engine that claims one ends it with `OWNER_NOT_MEMBER`.

pub(crate) mod create;
pub(crate) mod get;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod update;

use std::collections::HashMap;

use flowork_api_types::member::{Member, MemberKey, OWNER_SUBJECT};
use flowork_control::{MemberError, MemberKeyRecord, MemberRecord};
use http::StatusCode;

use crate::{
    app::App,
    auth::{credentials::Person, permission::Permission},
    error::ApiError,
};

/// A member as the caller sees them.
async fn describe(app: &App, caller: &Person, subject: &str) -> Result<Member, ApiError> {
    let control = &app.state.control;
    let unknown = || MemberError::Unknown { subject: subject.chars().take(80).collect() };
    let record = control.member(subject).ok_or_else(unknown)?;
    let sessions = control.sessions(Some(subject)).await?.len();
    Ok(to_wire(app, caller, record, sessions as u64))
}

/// Whether the caller may change this member at all. An admin token ends soon and does only what it was made for; with a
/// key of the owner's, or without those that are theirs, whoever holds it would be the owner for good.
fn may_change(caller: &Person, subject: &str) -> bool {
    caller.scopes.is_none() || subject != OWNER_SUBJECT
}

/// Refuses changes of the owner that come with an admin token.
fn check_change(caller: &Person, subject: &str) -> Result<(), ApiError> {
    if may_change(caller, subject) {
        return Ok(());
    }
    Err(ApiError::new(StatusCode::FORBIDDEN, "FORBIDDEN", "an admin token changes nothing about the owner")
        .hint("sign in as the owner for this; an admin token with members:write changes all other members"))
}

/// All members as the caller sees them.
pub(super) async fn describe_all(app: &App, caller: &Person) -> Result<Vec<Member>, ApiError> {
    let control = &app.state.control;
    let mut open: HashMap<String, u64> = HashMap::new();
    for session in control.sessions(None).await? {
        *open.entry(session.subject).or_default() += 1;
    }
    let members = control.members().into_iter();
    Ok(members
        .map(|record| {
            let sessions = open.get(&record.subject).copied().unwrap_or(0);
            to_wire(app, caller, record, sessions)
        })
        .collect())
}

fn to_wire(app: &App, caller: &Person, record: MemberRecord, sessions: u64) -> Member {
    let is_owner = record.subject == OWNER_SUBJECT;
    let mut allowed_actions =
        if may_change(caller, &record.subject) { vec!["update", "add_key", "remove_key"] } else { Vec::new() };
    match (is_owner, record.disabled_at) {
        (true, _) => {}
        (false, None) => allowed_actions.extend(["disable", "delete"]),
        (false, Some(_)) => allowed_actions.extend(["enable", "delete"]),
    }
    // A link signs in as that member, so only the owner makes one, and not with an admin token.
    if record.disabled_at.is_none() && Permission::OwnerOnly.allows(caller.standing()) {
        allowed_actions.push("link");
    }
    Member {
        keys: app.state.control.member_keys(&record.subject).into_iter().map(key_to_wire).collect(),
        subject: record.subject,
        name: record.name,
        role: record.role,
        created_at: record.created_at,
        disabled_at: record.disabled_at,
        sessions,
        allowed_actions: allowed_actions.into_iter().map(str::to_owned).collect(),
    }
}

fn key_to_wire(key: MemberKeyRecord) -> MemberKey {
    MemberKey {
        address: key.address,
        kind: key.kind,
        name: key.name,
        created_at: key.created_at,
        last_used_at: key.last_used_at,
    }
}
