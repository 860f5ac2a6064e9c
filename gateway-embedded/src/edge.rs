//! What every request passes on its way to a route, and its answer on the way back: a request id and a span, the
//! client's address, budgets, the audit log, Cloudflare Access on the tunnel's listener, the allow-lists of `Host` and
//! `Origin`, the sign-in, security headers, and the error envelope.
//!
//! All of it is one layer of the router, [`pass`]. A layer of its own for each step would read no better, and would copy
//! every layer inside it for each request.

pub(crate) mod access;
pub(crate) mod admission;
pub(crate) mod allow_list;
pub(crate) mod audit;
pub(crate) mod bounds;
pub(crate) mod client;
pub(crate) mod scope;

use std::panic::AssertUnwindSafe;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use tracing::Instrument;

use self::client::Client;
use crate::{app::AppState, auth::credentials, error::ApiError};

/// Lets a request through to its route, or answers it.
pub(crate) async fn pass(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    let visit = scope::enter(&mut request);
    let response = answered(let_in(&app, request, next)).instrument(visit.span().clone()).await;
    visit.leave(response)
}

/// What needs to know nobody's name.
async fn let_in(app: &AppState, mut request: Request, next: Next) -> Result<Response, ApiError> {
    let client = client::identify(&mut request)?;
    bounds::check(&app.limits, &request)?;
    let stranger = admission::admit_address(app, client, &request)?;
    let route = |request| answered(reach(app.clone(), client, request, next));
    let response = audit::record(app, request, route).await;
    match stranger {
        Some(stranger) => stranger.settle(response),
        None => Ok(response),
    }
}

/// What is asked of a request for our hosts, from our origins.
async fn reach(app: AppState, client: Client, mut request: Request, next: Next) -> Result<Response, ApiError> {
    access::check(&app, client.ingress, request.headers()).await?;
    let origin = allow_list::check(&app, client.ingress, &mut request)?;
    let response = match allow_list::options(&app, &request, &origin) {
        Some(options) => options,
        None => authorized(&app, client, request, next).await.into_response(),
    };
    Ok(origin.allow(response))
}

/// What needs a name, and then the route.
async fn authorized(app: &AppState, client: Client, mut request: Request, next: Next) -> Result<Response, ApiError> {
    credentials::authorize(app, &mut request)?;
    let charge = admission::admit_caller(app, client, &request)?;
    let response = next.run(request).await;
    Ok(charge.tell(response))
}

/// Makes an answer of whatever becomes of a request: a refusal, and a panic too.
async fn answered(answer: impl Future<Output = Result<Response, ApiError>>) -> Response {
    match AssertUnwindSafe(answer).catch_unwind().await {
        Ok(answer) => answer.into_response(),
        Err(panic) => scope::answer_panic(&*panic).into_response(),
    }
}

/// The pattern of the route that a request is for; `None` for the GUI's files and for what is nowhere.
pub(crate) fn route_of(request: &Request) -> Option<&str> {
    request.extensions().get::<MatchedPath>().map(MatchedPath::as_str)
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_without_its_words() {
        let response = answered(async { panic!("the password is hunter2") }).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let error = response.extensions().get::<ApiError>().unwrap();
        let told = serde_json::to_string(&error.body(Some("abc"))).unwrap();
        assert!(told.contains(r#""code":"INTERNAL""#) && !told.contains("hunter2"), "{told}");
    }
}
