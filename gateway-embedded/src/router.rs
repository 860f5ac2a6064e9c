//! The one list of routes, grouped by audience, each with its one permission.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{from_fn, from_fn_with_state},
    response::Response,
};
use flowork_engine::kind::nearest;
use http::{Method, StatusCode};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouter},
    routes,
};

use crate::{
    app::{App, AppState},
    auth::{credentials, permission::Permission},
    edge::{allow_list, scope},
    error::ApiError,
    gui, openapi, routes,
};

/// One method of one path, and what it asks of its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteEntry {
    /// `GET`, `POST` …
    pub method: Method,
    /// With parameters in braces.
    pub path: String,
    /// What it asks.
    pub permission: Permission,
}

/// Every route of the gateway but the GUI's files.
pub fn route_table() -> Vec<RouteEntry> {
    all().entries
}

/// Routes as they are put together: handlers, document and permissions from one source.
pub(crate) struct RouteTable {
    pub(crate) router: OpenApiRouter<AppState>,
    pub(crate) entries: Vec<RouteEntry>,
}

pub(crate) fn all() -> RouteTable {
    let mut table = RouteTable { router: OpenApiRouter::with_openapi(openapi::base()), entries: Vec::new() };

    // For anybody who reaches the listener.
    table.add(Permission::Public, routes!(routes::health::health));
    table.add(Permission::Public, routes!(routes::health::ready));
    table.add(Permission::Public, routes!(routes::openapi::openapi_document));
    table.add(Permission::Public, routes!(routes::auth::keys::key_set));
    table.add(Permission::Public, routes!(routes::auth::pair::pair));
    table.add(Permission::Public, routes!(routes::auth::refresh::refresh));

    // For every person.
    table.add(Permission::SignedIn, routes!(routes::auth::me::me));
    table.add(Permission::SignedIn, routes!(routes::auth::logout::logout));
    table.add(Permission::Read, routes!(routes::status::status));
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
    table.add(Permission::Read, routes!(routes::schedules::preview::preview_schedule));

    // For those who run jobs.
    table.add(Permission::JobsWrite, routes!(routes::jobs::enqueue::enqueue_job));
    table.add(Permission::JobsWrite, routes!(routes::jobs::batch::enqueue_batch));
    table.add(Permission::JobsWrite, routes!(routes::jobs::cancel::cancel_job));
    table.add(Permission::JobsWrite, routes!(routes::jobs::requeue::requeue_job));
    table.add(Permission::JobsWrite, routes!(routes::jobs::requeue::requeue_jobs));
    table.add(Permission::JobsWrite, routes!(routes::schedules::create::create_schedule));
    table.add(Permission::JobsWrite, routes!(routes::schedules::update::update_schedule));
    table.add(Permission::JobsWrite, routes!(routes::schedules::delete::delete_schedule));
    table.add(Permission::JobsWrite, routes!(routes::schedules::run::run_schedule));

    // For those who decide about the work of all.
    table.add(Permission::Operate, routes!(routes::drain::set_drain));
    table.add(Permission::Operate, routes!(routes::queues::pause::pause_queue));
    table.add(Permission::Operate, routes!(routes::queues::resume::resume_queue));
    table.add(Permission::Operate, routes!(routes::limits::set_limit));
    table.add(Permission::Operate, routes!(routes::limits::remove_limit));

    // For engines.
    table.add(Permission::EngineCall, routes!(routes::engine::claim::claim));
    table.add(Permission::EngineCall, routes!(routes::engine::renew::renew));
    table.add(Permission::EngineCall, routes!(routes::engine::finish::finish));
    table.add(Permission::EngineCall, routes!(routes::engine::release::release));
    table.add(Permission::EngineCall, routes!(routes::engine::directives::directives));
    table.add(Permission::EngineCall, routes!(routes::engine::heartbeat::heartbeat));

    // For the owner.
    table.add(Permission::OwnerOnly, routes!(routes::auth::links::create_link));
    table.add(Permission::OwnerOnly, routes!(routes::engines::create_engine));

    table
}

impl RouteTable {
    fn add(&mut self, permission: Permission, (schemas, mut paths, methods): UtoipaMethodRouter<AppState>) {
        for (path, item) in &mut paths.paths {
            for (method, operation) in openapi::operations(item) {
                openapi::describe_permission(operation, permission);
                self.entries.push(RouteEntry { method, path: path.clone(), permission });
            }
        }
        let router = std::mem::take(&mut self.router);
        self.router = router.routes((schemas, paths, methods));
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

/// The router with everything around it, outermost layer last.
pub(crate) fn build(router: Router<AppState>, app: &Arc<App>) -> Router {
    router
        .fallback(not_a_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(app.clone(), credentials::authorize))
        .layer(from_fn_with_state(app.clone(), allow_list::check))
        .layer(CatchPanicLayer::custom(scope::answer_panic))
        .layer(from_fn(scope::enter))
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
