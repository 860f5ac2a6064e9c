//! `flowork status`

use std::fmt::Write as _;

use flowork_api_types::node::{Notice, Status};

use super::drain::describe as describe_drain;
use crate::{client::Client, exit::Failure, output::Format};

pub(super) async fn run(client: &Client, format: Format) -> Result<(), Failure> {
    let status: Status = client.get("/v1/status").await?;
    format.print(&status, describe)
}

fn describe(status: &Status) -> String {
    let mut text = format!(
        "flowork {} at {} (pid {})\nsince     {}\ndata      {}\nvault     {}\nmemory    {} MiB",
        status.version,
        status.url,
        status.pid,
        status.started_at,
        status.data_dir,
        describe_vault(&status.vault),
        status.memory_bytes >> 20,
    );
    if let Some(public_url) = &status.public_url {
        let _ = write!(text, "\npublic    {public_url}");
    }
    if status.drain.on {
        let _ = write!(text, "\ndrain     {}", describe_drain(&status.drain));
    }
    for engine in &status.engines {
        let _ = write!(
            text,
            "\nengine    {}: {} of {} workers busy, {} queued, {} scheduled, {} leased",
            engine.name, engine.busy, engine.workers, engine.queued, engine.scheduled, engine.leased
        );
    }
    for notice in &status.notices {
        let _ = write!(text, "\n{}", describe_notice(notice));
    }
    text
}

/// The back end and what it protects.
fn describe_vault(name: &str) -> String {
    flowork_vault::BackEnd::parse(name)
        .map_or_else(|| name.to_owned(), |back_end| format!("{name}: {}", back_end.protection()))
}

/// A notice on one line, with its hint on the next.
pub(super) fn describe_notice(notice: &Notice) -> String {
    let hint = notice.hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    format!("note: {}{hint}", notice.message)
}
