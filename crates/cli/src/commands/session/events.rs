//! `flowork session events`

use flowork_api_types::{
    SyncSessionId,
    session::{ListSessionEventsQuery, SESSION_EVENT_PAGE_MAX, SessionData, SessionEvent, SessionEventList},
};

use super::{
    clock,
    socket::{Followed, Heard},
};
use crate::{
    client::Client,
    exit::{Exit, Failure},
    output::{Format, table},
};

/// What a person is shown of an event.
const HEADINGS: [&str; 8] = ["VERSION", "AT", "EVENT", "ACTOR", "STATUS", "PARTICIPANT", "LEFT", "USED"];
/// How wide each is where nobody knows what comes: as the longest name, an instant, an id.
const WIDTHS: [usize; 8] = [7, 24, 19, 8, 9, 36, 10, 10];

/// Show what happened to a session, oldest first; also to one that is gone
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The session
    id: SyncSessionId,
    /// At most this many
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Go on from here: what an earlier answer gave as next_cursor
    #[arg(long)]
    cursor: Option<i64>,
    /// Go on with what happens, until the session is deleted
    #[arg(long, short, conflicts_with = "limit")]
    follow: bool,
}

pub(super) async fn run(args: Args, client: &Client, format: Format) -> Result<(), Failure> {
    if !args.follow {
        return list(&args, client, format).await;
    }
    tokio::select! {
        followed = follow(args.id, args.cursor, client, format) => followed,
        _ = tokio::signal::ctrl_c() => {
            Err(Failure::new(Exit::Interrupted, "INTERRUPTED", format!("stopped following; {} goes on", args.id)))
        }
    }
}

async fn list(args: &Args, client: &Client, format: Format) -> Result<(), Failure> {
    let mut list = SessionEventList { items: Vec::new(), next_cursor: None };
    let mut cursor = args.cursor;
    loop {
        let missing = args.limit.saturating_sub(list.items.len() as u32);
        let page = page(args.id, cursor, missing.clamp(1, SESSION_EVENT_PAGE_MAX), client).await?;
        cursor = page.items.last().map(|event| event.sequence).or(cursor);
        list.items.extend(page.items);
        list.next_cursor = page.next_cursor;
        if list.next_cursor.is_none() || list.items.len() as u32 >= args.limit {
            break;
        }
    }
    format.print(&list, |list| {
        let rows: Vec<_> = list.items.iter().map(row).collect();
        let mut text = table(&HEADINGS, &rows);
        if let Some(cursor) = &list.next_cursor {
            text += "\nThere are more: raise --limit, or go on with --cursor ";
            text += cursor;
            text.push('.');
        }
        text
    })
}

/// Asks for new events whenever the session's socket says that it has changed.
async fn follow(id: SyncSessionId, cursor: Option<i64>, client: &Client, format: Format) -> Result<(), Failure> {
    let mut printed = Printed { id, cursor, version: 0 };
    // Listening comes first, so that no event falls between the two.
    let mut followed = Followed::open(id, client).await?;
    loop {
        match followed.next().await {
            Ok(Heard::State(state)) if state.version <= printed.version => {}
            Ok(Heard::State(_)) => printed.go_on(client, format).await?,
            Ok(Heard::Deleted) => return printed.go_on(client, format).await,
            // What happened to it is there all the same, unless there never was one.
            Err(failure) if failure.exit == Exit::NotFound => return printed.go_on(client, format).await,
            Err(failure) => return Err(failure),
        }
    }
}

/// How far a history was printed.
struct Printed {
    id: SyncSessionId,
    cursor: Option<i64>,
    version: u64,
}

impl Printed {
    /// Prints what has come since, an event a line.
    async fn go_on(&mut self, client: &Client, format: Format) -> Result<(), Failure> {
        loop {
            let page = page(self.id, self.cursor, SESSION_EVENT_PAGE_MAX, client).await?;
            for event in &page.items {
                (self.cursor, self.version) = (Some(event.sequence), event.version);
                format.print(event, describe)?;
            }
            if page.next_cursor.is_none() {
                return Ok(());
            }
        }
    }
}

async fn page(
    id: SyncSessionId,
    cursor: Option<i64>,
    limit: u32,
    client: &Client,
) -> Result<SessionEventList, Failure> {
    let query = ListSessionEventsQuery { cursor, limit: Some(limit) };
    let answer: SessionData<SessionEventList> = client.get_with(&format!("/v1/sessions/{id}/events"), &query).await?;
    Ok(answer.data)
}

/// An event as a line of its own.
fn describe(event: &SessionEvent) -> String {
    let cells = row(event).into_iter().zip(WIDTHS).map(|(cell, width)| format!("{cell:<width$}"));
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

fn row(event: &SessionEvent) -> Vec<String> {
    let name = event.event.as_str();
    // Only of cycles that ran out while the node was down.
    let name = if event.cycles > 1 { format!("{name} x{}", event.cycles) } else { name.to_owned() };
    let balance = event.balances.iter().find(|balance| Some(balance.participant_id) == event.participant_id);
    vec![
        event.version.to_string(),
        event.at.to_string(),
        name,
        event.actor.clone().unwrap_or_else(|| "the node".to_owned()),
        event.status.as_str().to_owned(),
        event.participant_id.map_or_else(|| "-".to_owned(), |id| id.to_string()),
        balance.map(|balance| clock(balance.total_time_ms)).unwrap_or_default(),
        balance.map(|balance| clock(balance.time_used_ms)).unwrap_or_default(),
    ]
}
