//! `flowork session …`

mod create;
mod events;
mod socket;
mod watch;

use clap::{
    Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use flowork_api_types::{
    ParticipantId, SyncSessionId,
    session::{
        ChangeSessionRequest, Computed, ListSessionsQuery, Participant, SessionData, SessionList, SessionState,
        SessionStatus, SessionSummary, SwitchSessionRequest, SwitchedSession,
    },
};

use crate::{
    client::Client,
    exit::Failure,
    output::{Format, line, pretty, table},
};

/// Keep many clients agreed on who is active and how much time is left
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a session
    Create(create::Args),
    /// List sessions, newest first
    List {
        /// Only those that stand so
        #[arg(long, value_parser = statuses())]
        status: Option<SessionStatus>,
    },
    /// Show a session as it is now
    Get {
        /// The session
        id: SyncSessionId,
    },
    /// Begin with the first participant
    Start(Change),
    /// Make the next participant active, or another one
    Switch {
        #[command(flatten)]
        change: Change,
        /// Who is next, in place of the next in the list
        #[arg(long, value_name = "PARTICIPANT_ID")]
        to: Option<ParticipantId>,
    },
    /// Let time stand still
    Pause(Change),
    /// Let time run again
    Resume(Change),
    /// End a session
    Complete(Change),
    /// Call a session off
    Cancel(Change),
    /// Delete a session; its events stay
    Delete {
        /// The session
        id: SyncSessionId,
    },
    Events(events::Args),
    /// Print every state of a session until it is deleted
    Watch {
        /// The session
        id: SyncSessionId,
    },
}

/// A change of a session.
#[derive(Debug, clap::Args)]
pub(crate) struct Change {
    /// The session
    id: SyncSessionId,
    /// Change nothing unless the session is at this version
    #[arg(long, value_name = "VERSION")]
    expected_version: Option<u64>,
}

pub(super) async fn run(command: Command, client: &Client, format: Format) -> Result<(), Failure> {
    match command {
        Command::Create(args) => create::run(args, client, format).await,
        Command::List { status } => list(status, client, format).await,
        Command::Get { id } => {
            let answer: SessionData<SessionState> = client.get(&format!("/v1/sessions/{id}")).await?;
            format.print(&answer.data, describe)
        }
        Command::Start(change) => act("start", &change, client, format).await,
        Command::Switch { change, to } => switch(&change, to, client, format).await,
        Command::Pause(change) => act("pause", &change, client, format).await,
        Command::Resume(change) => act("resume", &change, client, format).await,
        Command::Complete(change) => act("complete", &change, client, format).await,
        Command::Cancel(change) => act("cancel", &change, client, format).await,
        Command::Delete { id } => {
            client.delete(&format!("/v1/sessions/{id}")).await?;
            if format.is_json() { Ok(()) } else { line(&format!("{id} is gone")) }
        }
        Command::Events(args) => events::run(args, client, format).await,
        Command::Watch { id } => watch::run(id, client, format).await,
    }
}

/// Names of how sessions stand, which shells complete.
fn statuses() -> impl TypedValueParser<Value = SessionStatus> {
    let names = PossibleValuesParser::new(SessionStatus::ALL.iter().map(|status| status.as_str()));
    names.map(|name| SessionStatus::from_name(&name).expect("it is one of them"))
}

async fn list(status: Option<SessionStatus>, client: &Client, format: Format) -> Result<(), Failure> {
    let mut all = SessionList { items: Vec::new(), next_cursor: None };
    let mut query = ListSessionsQuery { status, ..ListSessionsQuery::default() };
    loop {
        let page: SessionData<SessionList> = client.get_with("/v1/sessions", &query).await?;
        all.items.extend(page.data.items);
        if page.data.next_cursor.is_none() {
            break;
        }
        query.cursor = page.data.next_cursor;
    }
    format.print(&all, |all| {
        let rows: Vec<_> = all.items.iter().map(row).collect();
        table(&["ID", "MODE", "STATUS", "VERSION", "PEOPLE", "ACTIVE", "LEFT"], &rows)
    })
}

async fn act(verb: &str, change: &Change, client: &Client, format: Format) -> Result<(), Failure> {
    let request = ChangeSessionRequest { expected_version: change.expected_version };
    let answer: SessionData<SessionState> =
        client.post(&format!("/v1/sessions/{}/{verb}", change.id), Some(&request)).await?;
    format.print(&answer.data, describe)
}

async fn switch(change: &Change, to: Option<ParticipantId>, client: &Client, format: Format) -> Result<(), Failure> {
    let request = SwitchSessionRequest { next_participant_id: to, expected_version: change.expected_version };
    let answer: SessionData<SwitchedSession> =
        client.post(&format!("/v1/sessions/{}/switch", change.id), Some(&request)).await?;
    format.print(&answer.data, |switched| {
        let mut lines =
            vec![format!("{} {} version {}", switched.session_id, switched.status.as_str(), switched.version)];
        lines.extend(switched.expired_participant_id.map(|id| format!("ran out   {id}")));
        lines.extend(switched.participants.iter().map(participant));
        lines.join("\n")
    })
}

fn row(session: &SessionSummary) -> Vec<String> {
    let active = session.active_participant.as_ref();
    vec![
        session.session_id.to_string(),
        session.sync_mode.as_str().to_owned(),
        session.status.as_str().to_owned(),
        session.version.to_string(),
        session.participant_count.to_string(),
        active.map_or_else(|| "nobody".to_owned(), |one| one.participant_index.to_string()),
        left(&session.computed),
    ]
}

fn left(computed: &Computed) -> String {
    computed.active_remaining_ms.map(clock).unwrap_or_default()
}

/// A session for a person.
fn describe(session: &SessionState) -> String {
    let mut lines = vec![
        format!("{} {}", session.session_id, session.status.as_str()),
        format!("mode      {}", session.sync_mode.as_str()),
        format!("version   {}", session.version),
        format!("created   {} by {}", session.created_at, session.created_by),
        format!("at zero   {}", session.action_on_timeout.as_str()),
    ];
    if let Some(computed) = &session.computed {
        lines.push(format!("left      {}", left(computed)));
    }
    lines.extend(session.metadata.as_ref().map(|metadata| format!("metadata  {}", pretty(metadata))));
    lines.extend(session.participants.iter().map(participant));
    lines.join("\n")
}

fn participant(one: &Participant) -> String {
    let mark = if one.is_active { ">" } else { " " };
    let expired = if one.has_expired { "  out of time" } else { "" };
    let (left, used) = (clock(one.total_time_ms), clock(one.time_used_ms));
    format!("{mark} {:>3}  {}  left {left}  used {used}{expired}", one.participant_index, one.participant_id)
}

/// Time as a clock shows it.
fn clock(ms: u64) -> String {
    let (seconds, tenths) = (ms / 1_000, ms % 1_000 / 100);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}.{tenths}"),
        hours => format!("{hours}:{minutes:02}:{seconds:02}.{tenths}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_shown_as_a_clock_shows_it() {
        assert_eq!(clock(0), "0:00.0");
        assert_eq!(clock(61_999), "1:01.9");
        assert_eq!(clock(86_400_000), "24:00:00.0");
    }
}
