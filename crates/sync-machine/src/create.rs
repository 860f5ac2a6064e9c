//! What a session may begin as.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use flowork_api_types::{
    GroupId,
    session::{
        CreateSessionRequest, INCREMENT_MS_MAX, METADATA_BYTES_MAX, NewParticipant, PARTICIPANTS_MAX,
        SESSION_TIME_MS_MAX, SESSION_TIME_MS_MIN, SessionFieldError, SessionStatus, SyncMode,
    },
};

use crate::{Account, Member, Rules, Session};

/// Checks a request, and tells everything that is wrong with it.
///
/// # Errors
/// Each field that is out of range or does not fit the others.
pub fn validate(request: &CreateSessionRequest) -> Result<(), Vec<SessionFieldError>> {
    let mut errors = Vec::new();
    time("/total_time_ms", Some(request.total_time_ms), &mut errors);
    time("/time_per_cycle_ms", request.time_per_cycle_ms, &mut errors);
    time("/max_time_ms", request.max_time_ms, &mut errors);
    if request.increment_ms.is_some_and(|increment_ms| increment_ms > INCREMENT_MS_MAX) {
        errors.push(wrong("/increment_ms", format!("must be between 0 and {INCREMENT_MS_MAX}"), "out_of_range"));
    }
    if request.sync_mode == SyncMode::PerCycle && request.time_per_cycle_ms.is_none() {
        errors.push(wrong("/time_per_cycle_ms", "is required in mode per_cycle".to_owned(), "required"));
    }
    if request.metadata.as_ref().is_some_and(|metadata| !metadata.is_object()) {
        errors.push(wrong("/metadata", "must be an object".to_owned(), "type"));
    }
    let metadata_bytes = request.metadata.as_ref().map_or(0, |metadata| metadata.to_string().len());
    if metadata_bytes > METADATA_BYTES_MAX {
        let message = format!("has {metadata_bytes} bytes as JSON; at most {METADATA_BYTES_MAX} are allowed");
        errors.push(wrong("/metadata", message, "too_long"));
    }
    participants(request, &mut errors);
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn participants(request: &CreateSessionRequest, errors: &mut Vec<SessionFieldError>) {
    let count = request.participants.len();
    if !(1..=PARTICIPANTS_MAX).contains(&count) {
        let message = format!("has {count} items; 1 to {PARTICIPANTS_MAX} are allowed");
        errors.push(wrong("/participants", message, if count == 0 { "too_short" } else { "too_long" }));
        return;
    }
    let (mut seen, mut groups) = (HashSet::new(), HashMap::<GroupId, u64>::new());
    for (position, participant) in request.participants.iter().enumerate() {
        let at = |field: &str| format!("/participants/{position}/{field}");
        let NewParticipant { participant_id, total_time_ms, group_id, .. } = participant;
        time(&at("total_time_ms"), Some(*total_time_ms), errors);
        if !seen.insert(*participant_id) {
            errors.push(wrong(&at("participant_id"), "is there twice".to_owned(), "not_unique"));
        }
        if request.sync_mode != SyncMode::PerGroup {
            continue;
        }
        match group_id {
            None => errors.push(wrong(&at("group_id"), "is required in mode per_group".to_owned(), "required")),
            Some(group_id) => {
                let shared_ms = *groups.entry(*group_id).or_insert(*total_time_ms);
                if shared_ms != *total_time_ms {
                    let message = format!("must be {shared_ms}, as for all others of group {group_id}");
                    errors.push(wrong(&at("total_time_ms"), message, "group_differs"));
                }
            }
        }
    }
}

fn time(field: &str, time_ms: Option<u64>, errors: &mut Vec<SessionFieldError>) {
    if time_ms.is_some_and(|time_ms| !(SESSION_TIME_MS_MIN..=SESSION_TIME_MS_MAX).contains(&time_ms)) {
        let message = format!("must be between {SESSION_TIME_MS_MIN} and {SESSION_TIME_MS_MAX}");
        errors.push(wrong(field, message, "out_of_range"));
    }
}

fn wrong(field: &str, message: String, code: &str) -> SessionFieldError {
    SessionFieldError { field: field.to_owned(), message, code: code.to_owned() }
}

impl Session {
    /// Makes a session out of a request.
    ///
    /// # Errors
    /// Everything that is wrong with the request.
    pub fn new(request: CreateSessionRequest, owner: Arc<str>, now_ms: i64) -> Result<Self, Vec<SessionFieldError>> {
        validate(&request)?;
        let mut pots = Pots::default();
        let shares = request.sync_mode == SyncMode::PerGroup;
        let roster = request.participants.iter().map(|participant| Member {
            id: participant.participant_id,
            index: participant.participant_index,
            group: participant.group_id,
            pot: participant.group_id.filter(|_| shares).map(|id| pots.of(id, participant.total_time_ms as i64)),
        });
        let roster = roster.collect();
        let account = |participant: &NewParticipant| Account {
            balance_ms: participant.total_time_ms as i64,
            ..Account::default()
        };
        Ok(Self {
            accounts: request.participants.iter().map(account).collect(),
            pots: pots.balances,
            rules: Arc::new(Rules {
                id: request.session_id,
                owner,
                mode: request.sync_mode,
                total_ms: request.total_time_ms as i64,
                per_cycle_ms: request.time_per_cycle_ms.map(|ms| ms as i64),
                increment_ms: request.increment_ms.map(|ms| ms as i64),
                max_ms: request.max_time_ms.map(|ms| ms as i64),
                on_timeout: request.action_on_timeout,
                metadata: request.metadata,
                created_at_ms: now_ms,
                roster,
            }),
            status: SessionStatus::Pending,
            version: 1,
            used_ms: 0,
            active: None,
            since_ms: None,
            cycle_ms: 0,
            alone_ms: 0,
            started_at_ms: None,
            ended_at_ms: None,
            updated_at_ms: now_ms,
        })
    }
}

/// The balances of groups, as they are met.
#[derive(Default)]
pub struct Pots {
    places: HashMap<GroupId, usize>,
    /// One for each group, in the order in which they were met.
    pub balances: Vec<i64>,
}

impl Pots {
    /// The place of a group's balance. A group only ever loses time, so of what its members are known to have had the
    /// least is what it has.
    pub fn of(&mut self, group: GroupId, balance_ms: i64) -> usize {
        let place = *self.places.entry(group).or_insert_with(|| {
            self.balances.push(balance_ms);
            self.balances.len() - 1
        });
        self.balances[place] = self.balances[place].min(balance_ms);
        place
    }
}
