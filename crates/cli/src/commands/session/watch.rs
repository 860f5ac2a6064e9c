//! `flowork session watch`

use flowork_api_types::SyncSessionId;

use super::{
    describe,
    socket::{Followed, Heard},
};
use crate::{
    client::Client,
    exit::{Exit, Failure},
    output::{Format, say},
};

pub(super) async fn run(id: SyncSessionId, client: &Client, format: Format) -> Result<(), Failure> {
    tokio::select! {
        watched = watch(id, client, format) => watched,
        _ = tokio::signal::ctrl_c() => {
            Err(Failure::new(Exit::Interrupted, "INTERRUPTED", format!("stopped watching; {id} goes on")))
        }
    }
}

/// Prints every state, once.
async fn watch(id: SyncSessionId, client: &Client, format: Format) -> Result<(), Failure> {
    let mut last = 0;
    let mut followed = Followed::open(id, client).await?;
    loop {
        match followed.next().await? {
            Heard::State(state) if state.version > last => {
                last = state.version;
                format.print(&*state, describe)?;
            }
            Heard::State(_) => {}
            Heard::Deleted => {
                if !format.is_json() {
                    say(&format!("{id} was deleted"));
                }
                return Ok(());
            }
        }
    }
}
