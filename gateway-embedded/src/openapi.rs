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
    router::all().router.into_openapi()
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
        (name = "engines", description = "Who runs it."),
        (name = "engine", description = "What engines say to the node."),
        (name = "auth", description = "Signing in."),
        (name = "node", description = "The node itself.")
    )
)]
struct Document;

/// The document without routes.
pub(crate) fn base() -> utoipa::openapi::OpenApi {
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

/// Writes down what the permission means for callers, and gives every error the one envelope.
pub(crate) fn describe_permission(operation: &mut Operation, permission: Permission) {
    let schemes: &[&str] = match permission {
        Permission::Public => &[],
        Permission::SignedIn
        | Permission::Read
        | Permission::JobsWrite
        | Permission::Operate
        | Permission::OwnerOnly => &[BEARER],
        Permission::EngineCall => &[ENGINE_TOKEN],
    };
    let none: [&str; 0] = [];
    operation.security = Some(schemes.iter().map(|scheme| SecurityRequirement::new(*scheme, none)).collect());
    let responses = &mut operation.responses.responses;
    let mut missing = |status: &str, description: String| {
        responses.entry(status.to_owned()).or_insert_with(|| Response::new(description).into());
    };
    if permission != Permission::Public {
        missing("401", "`UNAUTHENTICATED`, `TOKEN_INVALID`, `TOKEN_EXPIRED`, `SESSION_ENDED`".to_owned());
        missing("403", format!("`FORBIDDEN`: asks for the permission `{}`", permission.as_str()));
    }
    missing("500", "`INTERNAL`; the node's log has the reason under the request id".to_owned());
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
