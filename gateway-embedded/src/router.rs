//! The one list of routes, grouped by audience, each with its one permission.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    middleware::from_fn_with_state,
    response::Response,
};
use flowork_engine::kind::nearest;
use http::{Method, StatusCode};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use crate::{
    app::{App, AppState},
    auth::permission::Permission,
    edge::{self, audit::AuditRule, scope},
    error::ApiError,
    gui, openapi, routes,
};

/// Why calls that change something are not written to the audit log.
const PREPARES: &str = "nothing is done with it yet; the sign-in that uses it is audited";
const OPENS_STREAM: &str = "it opens one stream that only reads, and browsers ask for one each time";
const PREVIEW: &str = "it changes nothing, and only has too much to say for a query";
const JOBS: &str = "jobs are too many, and each keeps who made it, its attempts and how it ended";
const ENGINES: &str = "engines call all the time, and jobs keep who ran them";

/// One method of one path, and what it asks of its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteEntry {
    /// `GET`, `POST` …
    pub method: Method,
    /// With parameters in braces.
    pub path: String,
    /// What it asks.
    pub permission: Permission,
    /// Whether its calls are written to the audit log; calls that only read need not say.
    pub audit: Option<AuditRule>,
}

/// Every route of the gateway but the GUI's files.
pub fn route_table() -> Vec<RouteEntry> {
    all().entries
}

/// Routes as they are put together: handlers, document and permissions from one source.
pub(crate) struct RouteTable {
    pub(crate) router: Router<AppState>,
    pub(crate) entries: Vec<RouteEntry>,
    /// What the routes say about themselves, where somebody wants to know: it takes megabytes and milliseconds.
    document: Option<OpenApi>,
}

/// Every route, without what it says about itself.
pub(crate) fn all() -> RouteTable {
    filled(None)
}

/// Adds what every route says about itself to a document.
pub(crate) fn described(base: OpenApi) -> OpenApi {
    filled(Some(base)).document.unwrap_or_default()
}

fn filled(document: Option<OpenApi>) -> RouteTable {
    let mut table = RouteTable { router: Router::new(), entries: Vec::new(), document };

    // For anybody who reaches the listener.
    table.add(Permission::Public, routes!(routes::health::health));
    table.add(Permission::Public, routes!(routes::health::ready));
    table.add(Permission::Public, routes!(routes::openapi::openapi_document));
    table.add(Permission::Public, routes!(routes::auth::keys::key_set));
    table.add(Permission::Public, routes!(routes::auth::challenge::challenge)).not_audited(PREPARES);
    table.add(Permission::Public, routes!(routes::auth::verify::verify)).audited("session.sign_in");
    table.add(Permission::Public, routes!(routes::auth::pair::pair)).audited("session.pair");
    table.add(Permission::Public, routes!(routes::auth::guest::guest)).audited("session.guest");
    table.add(Permission::Public, routes!(routes::auth::refresh::refresh)).audited("session.refresh");
    table.add(Permission::Public, routes!(routes::time::server_time));

    // For every person.
    table.add(Permission::SignedIn, routes!(routes::auth::me::me));
    table.add(Permission::SignedIn, routes!(routes::auth::logout::logout)).audited("session.sign_out");
    table.add(Permission::SignedIn, routes!(routes::auth::ticket::ticket)).not_audited(OPENS_STREAM);
    table.add(Permission::SignedIn, routes!(routes::auth::sessions::list_sessions));
    table.add(Permission::SignedIn, routes!(routes::auth::sessions::end_session)).audited("session.end");
    table.add(Permission::SignedIn, routes!(routes::auth::sessions::sign_out_everywhere)).audited("session.end_all");
    table.add(Permission::Status, routes!(routes::status::status));
    table.add(Permission::Read, routes!(routes::kinds::list_kinds));
    table.add(Permission::Read, routes!(routes::engines::list_engines));
    table.add(Permission::Read, routes!(routes::autoscaler::get_autoscaler));
    table.add(Permission::Read, routes!(routes::drain::get_drain));
    table.add(Permission::Read, routes!(routes::queues::list::list_queues));
    table.add(Permission::Read, routes!(routes::limits::list_limits));
    table.add(Permission::Read, routes!(routes::events::events));
    table.add(Permission::Read, routes!(routes::jobs::list::list_jobs));
    table.add(Permission::Read, routes!(routes::jobs::get::get_job));
    table.add(Permission::Read, routes!(routes::jobs::attempts::list_attempts));
    table.add(Permission::Read, routes!(routes::jobs::logs::list_logs));
    table.add(Permission::Read, routes!(routes::jobs::events::job_events));
    table.add(Permission::Read, routes!(routes::jobs::batch::get_batch));
    table.add(Permission::Read, routes!(routes::schedules::list::list_schedules));
    table.add(Permission::Read, routes!(routes::schedules::get::get_schedule));
    table.add(Permission::Read, routes!(routes::schedules::preview::preview_schedule)).not_audited(PREVIEW);
    table.add(Permission::SessionsRead, routes!(routes::sessions::list::list_sync_sessions));
    table.add(Permission::SessionsRead, routes!(routes::sessions::get::get_session));
    table.add(Permission::SessionsRead, routes!(routes::sessions::events::list_session_events));
    table.add(Permission::SessionsRead, routes!(routes::ws::socket));

    // For those who run jobs.
    table.add(Permission::JobsWrite, routes!(routes::jobs::enqueue::enqueue_job)).not_audited(JOBS);
    table.add(Permission::JobsWrite, routes!(routes::jobs::batch::enqueue_batch)).not_audited(JOBS);
    table.add(Permission::JobsWrite, routes!(routes::jobs::cancel::cancel_job)).not_audited(JOBS);
    table.add(Permission::JobsWrite, routes!(routes::jobs::requeue::requeue_job)).not_audited(JOBS);
    table.add(Permission::JobsWrite, routes!(routes::jobs::requeue::requeue_jobs)).audited("jobs.requeue");
    table.add(Permission::JobsWrite, routes!(routes::schedules::create::create_schedule)).audited("schedule.create");
    table.add(Permission::JobsWrite, routes!(routes::schedules::update::update_schedule)).audited("schedule.update");
    table.add(Permission::JobsWrite, routes!(routes::schedules::delete::delete_schedule)).audited("schedule.delete");
    table.add(Permission::JobsWrite, routes!(routes::schedules::run::run_schedule)).audited("schedule.run");

    // For those who take part in sync sessions.
    for route in [
        routes!(routes::sessions::create::create_session),
        routes!(routes::sessions::delete::delete_session),
        routes!(routes::sessions::start::start_session),
        routes!(routes::sessions::switch::switch_session),
        routes!(routes::sessions::pause::pause_session),
        routes!(routes::sessions::pause::resume_session),
        routes!(routes::sessions::complete::complete_session),
        routes!(routes::sessions::complete::cancel_session),
    ] {
        table.add(Permission::SessionsWrite, route).not_audited("sync sessions keep events of their own");
    }

    // For those who decide about the work of all.
    table.add(Permission::OpsDrain, routes!(routes::drain::set_drain)).audited("node.drain");
    table.add(Permission::Operate, routes!(routes::queues::pause::pause_queue)).audited("queue.pause");
    table.add(Permission::Operate, routes!(routes::queues::resume::resume_queue)).audited("queue.resume");
    table.add(Permission::Operate, routes!(routes::engines::workers::set_workers)).audited("engine.workers");
    table.add(Permission::Operate, routes!(routes::limits::set_limit)).audited("limit.set");
    table.add(Permission::Operate, routes!(routes::limits::remove_limit)).audited("limit.remove");

    // For engines.
    table.add(Permission::EngineCall, routes!(routes::engine::token::exchange)).not_audited(ENGINES);
    table.add(Permission::EngineCall, routes!(routes::engine::claim::claim)).not_audited(ENGINES);
    table.add(Permission::EngineCall, routes!(routes::engine::renew::renew)).not_audited(ENGINES);
    table.add(Permission::EngineCall, routes!(routes::engine::finish::finish)).not_audited(ENGINES);
    table.add(Permission::EngineCall, routes!(routes::engine::release::release)).not_audited(ENGINES);
    table.add(Permission::EngineCall, routes!(routes::engine::directives::directives));
    table.add(Permission::EngineCall, routes!(routes::engine::heartbeat::heartbeat)).not_audited(ENGINES);

    // For the owner.
    table.add(Permission::OwnerOnly, routes!(routes::auth::links::create_link)).audited("session.link");
    table.add(Permission::OwnerOnly, routes!(routes::auth::reset::reset)).audited("session.reset");
    table.add(Permission::OwnerOnly, routes!(routes::admin_tokens::create_admin_token)).audited("token.create");

    // For the owner, and for admin tokens made for it.
    table.add(Permission::EnginesWrite, routes!(routes::engines::create_engine)).audited("engine.create");
    table.add(Permission::EnginesWrite, routes!(routes::engines::token::rotate_token)).audited("engine.token.rotate");
    table.add(Permission::EnginesWrite, routes!(routes::engines::token::revoke_token)).audited("engine.token.revoke");
    table.add(Permission::MembersWrite, routes!(routes::members::list::list_members));
    table.add(Permission::MembersWrite, routes!(routes::members::get::get_member));
    table.add(Permission::MembersWrite, routes!(routes::members::create::create_member)).audited("member.create");
    table.add(Permission::MembersWrite, routes!(routes::members::update::update_member)).audited("member.update");
    table.add(Permission::MembersWrite, routes!(routes::members::update::delete_member)).audited("member.delete");
    table.add(Permission::MembersWrite, routes!(routes::members::keys::add_key)).audited("member.key.add");
    table.add(Permission::MembersWrite, routes!(routes::members::keys::remove_key)).audited("member.key.remove");
    table.add(Permission::AuditRead, routes!(routes::audit::list_audit));
    table.add(Permission::AuditRead, routes!(routes::audit::export_audit)).audited("audit.export");
    table.add(Permission::AuditRead, routes!(routes::audit::verify_audit));
    table.add(Permission::KeysRotate, routes!(routes::keys::list_keys));
    table.add(Permission::KeysRotate, routes!(routes::keys::rotate_keys)).audited("key.rotate");
    table.add(Permission::PoliciesWrite, routes!(routes::guests::get_guests));
    table.add(Permission::PoliciesWrite, routes!(routes::guests::set_guests)).audited("policy.guests");
    table.add(Permission::PoliciesWrite, routes!(routes::kinds::set_kind_roles)).audited("policy.kind");

    table
}

impl RouteTable {
    fn add(&mut self, permission: Permission, (schemas, paths, methods): UtoipaMethodRouter<AppState>) -> Added<'_> {
        let first = self.entries.len();
        for (path, mut item) in paths.paths {
            self.router = std::mem::take(&mut self.router).route(&path, methods.clone());
            for (method, operation) in openapi::operations(&mut item) {
                if self.document.is_some() {
                    openapi::describe_permission(operation, permission);
                }
                self.entries.push(RouteEntry { method, path: path.clone(), permission, audit: None });
            }
            if let Some(document) = &mut self.document {
                openapi::add_path(document, path, item);
            }
        }
        if let Some(document) = &mut self.document {
            document.components.get_or_insert_default().schemas.extend(schemas);
        }
        Added { table: self, first }
    }
}

/// A route that was just added.
struct Added<'a> {
    table: &'a mut RouteTable,
    first: usize,
}

impl Added<'_> {
    /// Its calls are written to the audit log, as this action.
    fn audited(self, action: &'static str) {
        for entry in &mut self.table.entries[self.first..] {
            entry.audit = Some(AuditRule::Action(action));
            if let Some(document) = &mut self.table.document {
                openapi::describe_audit(document, &entry.path);
            }
        }
    }

    /// Its calls change something and are not written to the audit log, for this reason.
    fn not_audited(self, reason: &'static str) {
        for entry in &mut self.table.entries[self.first..] {
            entry.audit = Some(AuditRule::Exempt(reason));
        }
    }
}

/// The permission of each method of each path.
#[derive(Debug)]
pub(crate) struct Permissions(HashMap<String, Vec<(Method, Permission)>>);

impl Permissions {
    pub(crate) fn new(entries: &[RouteEntry]) -> Self {
        let mut paths: HashMap<String, Vec<_>> = HashMap::new();
        for entry in entries {
            paths.entry(entry.path.clone()).or_default().push((entry.method.clone(), entry.permission));
        }
        Self(paths)
    }

    pub(crate) fn has_path(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// `HEAD` is served by the handler of `GET`, so it asks the same.
    pub(crate) fn of(&self, method: &Method, path: &str) -> Option<Permission> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.0.get(path)?.iter().find(|(own, _)| own == method).map(|(_, permission)| *permission)
    }

    /// The methods of a path, as the `Allow` header lists them.
    pub(crate) fn methods(&self, path: &str) -> Option<String> {
        let mut names: Vec<_> = self.0.get(path)?.iter().map(|(method, _)| method.as_str()).collect();
        if names.contains(&"GET") {
            names.push("HEAD");
        }
        names.push("OPTIONS");
        names.sort_unstable();
        Some(names.join(", "))
    }
}

/// The router with everything around it.
pub(crate) fn build(router: Router<AppState>, app: &Arc<App>) -> Router {
    router
        .fallback(not_a_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(app.clone(), edge::pass))
        .with_state(app.clone())
}

async fn not_a_route(State(app): State<AppState>, request: Request) -> Result<Response, ApiError> {
    if let Some(response) = gui::serve(&request) {
        return Ok(response);
    }
    let path = request.uri().path();
    let near = nearest(path, app.routes.iter().map(|route| route.path.as_str()));
    Err(scope::route_not_found(path, near.first().map(String::as_str)))
}

async fn wrong_method(State(app): State<AppState>, request: Request) -> ApiError {
    let path = request.extensions().get::<axum::extract::MatchedPath>().map(axum::extract::MatchedPath::as_str);
    let methods = path.and_then(|path| app.permissions.methods(path)).unwrap_or_default();
    let message = format!("{} is not a method of this route", request.method());
    let error = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message)
        .hint(format!("its methods are {methods}"));
    match http::HeaderValue::from_str(&methods) {
        Ok(methods) => error.header(http::header::ALLOW, methods),
        Err(_) => error,
    }
}
