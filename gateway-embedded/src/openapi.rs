//! The OpenAPI document: what the routes say about themselves, plus what holds for all of them.

use flowork_api_types::{
    error::{ErrorBody, ErrorEnvelope, FieldError},
    event::{Event, EventEnvelope},
    queue::QueueName,
};
use http::Method;
use utoipa::{
    OpenApi,
    openapi::{
        Content, Ref, RefOr, Response,
        path::{Operation, PathItem},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use crate::{auth::permission::Permission, router};

const BEARER: &str = "bearer";
const ENGINE_TOKEN: &str = "engineToken";

/// The document of every route, as `/openapi.json` serves it.
pub fn openapi() -> utoipa::openapi::OpenApi {
    router::described(base())
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Flowork",
        description = "Every call of a Flowork node. Errors, everywhere, have the form of `ErrorEnvelope`; programs \
                       decide by `error.code`. Times are RFC 3339, UTC, milliseconds; durations carry their unit in \
                       the name."
    ),
    components(schemas(ErrorEnvelope, ErrorBody, FieldError, Event, EventEnvelope, QueueName)),
    tags(
        (name = "jobs", description = "Enqueue work and follow it."),
        (name = "events", description = "What changes, as it changes."),
        (name = "kinds", description = "What can be run."),
        (name = "queues", description = "Holding work back, and letting it go on."),
        (name = "schedules", description = "Enqueuing by the clock."),
        (name = "sessions", description = "Who is active and how much time is left, for many clients at once."),
        (name = "members", description = "Who may do what."),
        (name = "engines", description = "Who runs it."),
        (name = "engine", description = "What engines say to the node."),
        (name = "auth", description = "Signing in."),
        (name = "audit", description = "Who did what to the node."),
        (name = "node", description = "The node itself.")
    )
)]
struct Document;

/// The document without routes.
fn base() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(
        BEARER,
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .bearer_format("JWT")
                .description(Some("An access token: from POST /v1/auth/pair, or `flowork token create`."))
                .build(),
        ),
    );
    components.add_security_scheme(
        ENGINE_TOKEN,
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
            "X-Engine-Token",
            "An engine's token, shown once by POST /v1/engines.",
        ))),
    );
    document
}

/// The operations of a path with their methods.
pub(crate) fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (Method::GET, &mut item.get),
        (Method::POST, &mut item.post),
        (Method::PUT, &mut item.put),
        (Method::PATCH, &mut item.patch),
        (Method::DELETE, &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}

/// Adds a path, or more methods of one that is there.
pub(crate) fn add_path(document: &mut utoipa::openapi::OpenApi, path: String, item: PathItem) {
    match document.paths.paths.get_mut(&path) {
        Some(there) => there.merge_operations(item),
        None => {
            document.paths.paths.insert(path, item);
        }
    }
}

/// Writes down how a call ends that the audit log can't take.
pub(crate) fn describe_audit(document: &mut utoipa::openapi::OpenApi, path: &str) {
    let Some(item) = document.paths.paths.get_mut(path) else { return };
    for (_, operation) in operations(item) {
        let description = "`AUDIT_UNAVAILABLE`: it may have been done, and could not be written to the audit log";
        let response = operation.responses.responses.entry("503".to_owned()).or_insert_with(|| {
            let envelope = Content::new(Some(Ref::from_schema_name("ErrorEnvelope")));
            let mut response = Response::new("");
            response.content.insert("application/json".to_owned(), envelope.into());
            response.into()
        });
        if let RefOr::T(response) = response
            && !response.description.contains("AUDIT_UNAVAILABLE")
        {
            let others = std::mem::take(&mut response.description);
            let parts = [others.as_str(), description];
            response.description = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
        }
    }
}

/// Writes down what the permission means for callers, and gives every error the one envelope.
pub(crate) fn describe_permission(operation: &mut Operation, permission: Permission) {
    let schemes: &[&str] = match permission {
        Permission::Public => &[],
        Permission::EngineCall => &[ENGINE_TOKEN, BEARER],
        _ => &[BEARER],
    };
    let none: [&str; 0] = [];
    operation.security = Some(schemes.iter().map(|scheme| SecurityRequirement::new(*scheme, none)).collect());
    let responses = &mut operation.responses.responses;
    let mut missing = |status: &str, description: String| {
        responses.entry(status.to_owned()).or_insert_with(|| Response::new(description).into());
    };
    if permission != Permission::Public {
        missing(
            "401",
            "`UNAUTHENTICATED`, `TOKEN_INVALID`, `TOKEN_EXPIRED`, `TOKEN_NOT_YET`, `SESSION_ENDED`".to_owned(),
        );
        missing("403", format!("`FORBIDDEN`: asks for the permission `{}`", permission.as_str()));
    }
    missing("403", "`ORIGIN_NOT_ALLOWED`: a web page of elsewhere asks".to_owned());
    let takes_input =
        operation.request_body.is_some() || operation.parameters.as_ref().is_some_and(|all| !all.is_empty());
    if takes_input {
        missing("400", "`VALIDATION_ERROR`: `details` names the field".to_owned());
    }
    if operation.request_body.is_some() {
        missing("408", "`BODY_TIMEOUT`: the body did not come in time".to_owned());
        missing("413", "`BODY_TOO_LARGE`; `details` has the bound".to_owned());
        missing("415", "`UNSUPPORTED_MEDIA_TYPE`: the body is not declared as JSON".to_owned());
    }
    missing("414", "`URI_TOO_LONG`".to_owned());
    missing("421", "`HOST_NOT_ALLOWED`: the request is for a host that this node is not".to_owned());
    missing("429", "`RATE_LIMITED`: asked too often; `Retry-After` says when to ask again".to_owned());
    missing("500", "`INTERNAL`; the node's log has the reason under the request id".to_owned());
    missing("503", "`OVERLOADED`, `SHUTTING_DOWN`, with `Retry-After`".to_owned());
    for (status, response) in responses.iter_mut() {
        if let RefOr::T(response) = response
            && status.as_str() >= "400"
            && response.content.is_empty()
        {
            let envelope = Content::new(Some(Ref::from_schema_name("ErrorEnvelope")));
            response.content.insert("application/json".to_owned(), envelope.into());
        }
    }
}
