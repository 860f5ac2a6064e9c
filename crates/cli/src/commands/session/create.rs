//! `flowork session create`

use std::time::Duration;

use flowork_api_types::{
    GroupId, ParticipantId, SyncSessionId,
    session::{CreateSessionRequest, NewParticipant, SessionData, SessionState, SyncMode, TimeoutAction},
};
use uuid::Uuid;

use super::describe;
use crate::{client::Client, commands::job::read_payload, duration, exit::Failure, output::Format};

/// Make a session
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What counts down: per_participant, per_cycle, per_group, global or count_up
    #[arg(value_parser = parse_mode)]
    mode: SyncMode,
    /// How many take part
    #[arg(long, short, value_name = "NUMBER", default_value_t = 2)]
    participants: u32,
    /// What each of them begins with; together they have as much as the session
    #[arg(long, short, value_name = "DURATION", default_value = "5m", value_parser = duration::parse)]
    time: Duration,
    /// Put participants into so many groups, in turn; each group shares one balance
    #[arg(long, value_name = "NUMBER")]
    groups: Option<u32>,
    /// What all have together in mode global; without it as much as one of them has
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    total: Option<Duration>,
    /// What each cycle counts down from
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    per_cycle: Option<Duration>,
    /// What the one who leaves gets
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    increment: Option<Duration>,
    /// Where a stopwatch stops
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    max: Option<Duration>,
    /// What the node does when time has run out: none, auto_advance or end_session
    #[arg(long, value_name = "ACTION", default_value = "none", value_parser = parse_action)]
    on_timeout: TimeoutAction,
    /// What everybody sees of it: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
    /// Its id; without it a random one is made
    #[arg(long, value_name = "UUID")]
    id: Option<SyncSessionId>,
}

pub(super) async fn run(args: Args, client: &Client, format: Format) -> Result<(), Failure> {
    let milliseconds = |duration: Duration| duration.as_millis() as u64;
    let time_ms = milliseconds(args.time);
    let groups: Vec<_> = (0..args.groups.unwrap_or(0)).map(|_| GroupId::from_uuid(Uuid::new_v4())).collect();
    let participants = (0..args.participants).map(|index| NewParticipant {
        participant_id: ParticipantId::from_uuid(Uuid::new_v4()),
        participant_index: index,
        total_time_ms: time_ms,
        group_id: groups.get(index as usize % groups.len().max(1)).copied(),
    });
    let request = CreateSessionRequest {
        session_id: args.id.unwrap_or_else(|| SyncSessionId::from_uuid(Uuid::new_v4())),
        sync_mode: args.mode,
        participants: participants.collect(),
        total_time_ms: args.total.map_or(time_ms, milliseconds),
        time_per_cycle_ms: args.per_cycle.map(milliseconds),
        increment_ms: args.increment.map(milliseconds),
        max_time_ms: args.max.map(milliseconds),
        action_on_timeout: args.on_timeout,
        metadata: args.metadata.as_deref().map(read_payload).transpose()?,
    };
    let answer: SessionData<SessionState> = client.post("/v1/sessions", Some(&request)).await?;
    format.print(&answer.data, describe)
}

fn parse_mode(text: &str) -> Result<SyncMode, String> {
    let names: Vec<_> = SyncMode::ALL.iter().map(|mode| mode.as_str()).collect();
    SyncMode::from_name(text).ok_or_else(|| format!("modes are {}", names.join(", ")))
}

fn parse_action(text: &str) -> Result<TimeoutAction, String> {
    let names: Vec<_> = TimeoutAction::ALL.iter().map(|action| action.as_str()).collect();
    TimeoutAction::from_name(text).ok_or_else(|| format!("actions are {}", names.join(", ")))
}
