//! `flowork audit list`

use flowork_api_types::audit::{AUDIT_PAGE_MAX, AuditEntry, AuditList, AuditQuery};

use super::Log;
use crate::{
    exit::{Exit, Failure},
    output::{Format, table},
};

pub(super) async fn run(mut query: AuditQuery, limit: u32, log: &Log, format: Format) -> Result<(), Failure> {
    let mut list = AuditList::default();
    loop {
        let missing = limit.saturating_sub(list.items.len() as u32);
        query.limit = Some(missing.clamp(1, AUDIT_PAGE_MAX));
        query.cursor = list.next_cursor.take();
        let page: AuditList = match log {
            Log::Running(client) => client.get_with("/v1/audit", &query).await?,
            Log::Stopped { audit, .. } => {
                audit.list(&query).map_err(|error| Failure::from_error(Exit::Failed, "AUDIT", &error))?
            }
        };
        list.items.extend(page.items);
        list.next_cursor = page.next_cursor;
        if list.next_cursor.is_none() || list.items.len() as u32 >= limit {
            break;
        }
    }
    format.print(&list, |list| {
        let rows: Vec<_> = list.items.iter().map(row).collect();
        let mut text = table(&["SEQ", "AT", "ACTOR", "FROM", "ACTION", "OBJECT", "OUTCOME"], &rows);
        if list.next_cursor.is_some() {
            text.push_str("\nThere are more: raise --limit.");
        }
        if list.items.iter().any(|entry| !entry.intact) {
            text.push_str("\nEntries with ! are not what was written, or follow one that is not: flowork audit verify");
        }
        text
    })
}

fn row(entry: &AuditEntry) -> Vec<String> {
    let actor = entry.actor.subject.clone().unwrap_or_else(|| entry.actor.kind.as_str().to_owned());
    let outcome = match &entry.code {
        Some(code) => format!("{} ({code})", entry.outcome.as_str()),
        None => entry.outcome.as_str().to_owned(),
    };
    vec![
        format!("{}{}", entry.seq, if entry.intact { "" } else { "!" }),
        entry.at.to_string(),
        actor,
        entry.ip.clone().unwrap_or_else(|| "-".to_owned()),
        entry.action.clone(),
        entry.object.clone().unwrap_or_else(|| "-".to_owned()),
        outcome,
    ]
}
