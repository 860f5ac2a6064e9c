//! `GET /v1/status`

use std::sync::PoisonError;

use axum::{Json, extract::State};
use flowork_api_types::{auth::Role, drain::Drain, node::Status};
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

use super::{drain, engines::for_person};
use crate::{
    app::{App, AppState},
    auth::credentials::Person,
    edge::client::{Ingress, SiteOrigin},
};

/// Describes the node: where it is, how it is, what to know about it.
#[utoipa::path(
    get,
    path = "/v1/status",
    tag = "node",
    responses((status = 200, description = "The node", body = Status))
)]
pub(crate) async fn status(
    State(app): State<AppState>,
    ingress: Ingress,
    SiteOrigin(site): SiteOrigin,
    person: Person,
) -> Json<Status> {
    if person.role == Role::Guest && person.scopes.is_none() {
        return Json(for_guests(&app));
    }
    let public_url = match ingress {
        Ingress::Local => app.public_url.as_deref(),
        // It has several names, and this one is known to work.
        Ingress::Tunnel => Some(&*site),
    };
    let node = &app.state.node;
    // Reading the process table can block, on some systems for milliseconds.
    let memory_bytes = tokio::task::spawn_blocking(memory_bytes).await.unwrap_or_default();
    let mut notices = node.notices.read().unwrap_or_else(PoisonError::into_inner).clone();
    notices.extend(app.state.engines.notices());
    let engines = app.state.engines.list().into_iter();
    Json(Status {
        version: node.version.clone(),
        url: app.base_url.to_string(),
        public_url: public_url.map(str::to_owned),
        pid: std::process::id(),
        started_at: node.started_at,
        data_dir: node.data_dir.display().to_string(),
        vault: node.vault.clone(),
        draining: app.state.engines.is_draining(),
        drain: drain::describe(&app, &person),
        memory_bytes,
        engines: engines.map(|engine| for_person(&app, engine, person.standing())).collect(),
        notices,
    })
}

/// Anybody can be a guest, so this names no path, no program and no place.
fn for_guests(app: &App) -> Status {
    let draining = app.state.engines.is_draining();
    Status {
        version: app.state.node.version.clone(),
        url: String::new(),
        public_url: None,
        pid: 0,
        started_at: app.state.node.started_at,
        data_dir: String::new(),
        vault: String::new(),
        draining,
        drain: Drain {
            on: draining,
            unstored: false,
            stopping: false,
            since: None,
            by: None,
            reason: None,
            running: 0,
            allowed_actions: Vec::new(),
        },
        memory_bytes: 0,
        engines: Vec::new(),
        notices: Vec::new(),
    }
}

/// Memory this process has in RAM; 0 where the system does not say.
fn memory_bytes() -> u64 {
    let (Ok(pid), Ok(mut system)) = (sysinfo::get_current_pid(), System::new()) else { return 0 };
    let what = ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, what);
    system.process(pid).map_or(0, sysinfo::Process::memory)
}
