//! Sound tokens in every place where one could be put, on every route: only the places that are declared count.

use anyhow::ensure;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use flowork_gateway::{Permission, RouteEntry};
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::callers::{AT_ONCE, Callers, guarded, outcome, path_of, with_query};

/// A place for a token, and how a request carries it there.
struct Carrier {
    name: &'static str,
    put: fn(RequestBuilder, &str) -> RequestBuilder,
}

const fn carrier(name: &'static str, put: fn(RequestBuilder, &str) -> RequestBuilder) -> Carrier {
    Carrier { name, put }
}

/// Where servers have been known to look.
const NOWHERE: &[Carrier] = &[
    carrier("query access_token", |request, token| with_query(request, "access_token", token)),
    carrier("query token", |request, token| with_query(request, "token", token)),
    carrier("query authorization", |request, token| with_query(request, "authorization", &format!("Bearer {token}"))),
    carrier("query api_key", |request, token| with_query(request, "api_key", token)),
    carrier("query ticket", |request, token| with_query(request, "ticket", token)),
    carrier("cookie token", |request, token| request.header("cookie", format!("token={token}"))),
    carrier("cookie access_token", |request, token| request.header("cookie", format!("access_token={token}; a=b"))),
    carrier("cookie authorization", |request, token| request.header("cookie", format!("Authorization=Bearer {token}"))),
    carrier("cookie session", |request, token| request.header("cookie", format!("__Host-session={token}"))),
    carrier("X-Access-Token", |request, token| request.header("x-access-token", token)),
    carrier("X-Auth-Token", |request, token| request.header("x-auth-token", token)),
    carrier("X-Api-Key", |request, token| request.header("x-api-key", token)),
    carrier("X-Authorization", |request, token| request.header("x-authorization", format!("Bearer {token}"))),
    carrier("Proxy-Authorization", |request, token| request.header("proxy-authorization", format!("Bearer {token}"))),
    carrier("X-Forwarded-User", |request, _| {
        request.header("x-forwarded-user", "owner").header("x-remote-user", "owner")
    }),
    carrier("X-Forwarded-Access-Token", |request, token| request.header("x-forwarded-access-token", token)),
    carrier("Cf-Access-Jwt-Assertion", |request, token| {
        request
            .header("cf-access-jwt-assertion", token)
            .header("cf-access-authenticated-user-email", "owner@example.com")
    }),
    carrier("Sec-WebSocket-Protocol", |request, token| {
        request.header("sec-websocket-protocol", format!("bearer, {token}"))
    }),
    carrier("X-HTTP-Method-Override", |request, _| request.header("x-http-method-override", "OPTIONS")),
    carrier("basic, as the password", |request, token| request.basic_auth("owner", Some(token))),
    carrier("basic, as the name", |request, token| {
        request.header("authorization", format!("Basic {}", BASE64_STANDARD.encode(format!("{token}:"))))
    }),
    carrier("Authorization without a scheme", |request, token| request.header("authorization", token)),
    carrier("Authorization: Token", |request, token| request.header("authorization", format!("Token {token}"))),
    carrier("a field of the body", |request, token| request.json(&json!({"access_token": token, "token": token}))),
];

/// Both declared carriers at once, each with something sound: nobody can say who calls.
const AMBIGUOUS: &[Carrier] = &[
    carrier("bearer and engine header", |request, token| request.bearer_auth(token).header("x-engine-token", token)),
    carrier("two bearers", |request, token| request.bearer_auth(token).bearer_auth(token)),
    carrier("two engine headers", |request, token| {
        request.header("x-engine-token", token).header("x-engine-token", token)
    }),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_counts_only_where_it_belongs() -> anyhow::Result<()> {
    let callers = Callers::start().await?;
    let routes = guarded();
    let tokens = tokens(&callers);
    let mut cases: Vec<(&RouteEntry, String, RequestBuilder)> = Vec::new();
    for route in &routes {
        for (sort, token) in &tokens {
            for carrier in NOWHERE.iter().chain(AMBIGUOUS) {
                let request = (carrier.put)(callers.plain(&route.method, &path_of(route)), token);
                cases.push((route, format!("{sort} by {}", carrier.name), request));
            }
        }
        // Each declared carrier takes its own sort of token and no other.
        for (sort, token) in &tokens {
            let (own, other) = match *sort {
                "an engine's token" => ("x-engine-token", ("authorization", format!("Bearer {token}"))),
                _ => ("authorization", ("x-engine-token", (*token).to_owned())),
            };
            let request = callers.plain(&route.method, &path_of(route)).header(other.0, other.1);
            cases.push((route, format!("{sort} outside of {own}"), request));
        }
    }
    let count = cases.len();
    let wrong: Vec<String> = stream::iter(cases)
        .map(|(route, name, request)| async move {
            let (status, code) = outcome(request.send().await?).await?;
            anyhow::Ok((status != 401).then(|| format!("{} {}: {name}: {status} {code}", route.method, route.path)))
        })
        .buffer_unordered(AT_ONCE)
        .try_filter_map(|wrong| async move { Ok(wrong) })
        .try_collect()
        .await?;
    ensure!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    println!("{count} requests with a sound token at the wrong place: 0 let in");
    // The same tokens where they belong.
    for (sort, token) in &tokens {
        let (method, path) = match *sort {
            "an engine's token" | "an engine's access token" => (Method::POST, "/v1/engine/renew"),
            "an admin token" => (Method::GET, "/v1/members"),
            _ => (Method::GET, "/v1/auth/me"),
        };
        let request = match *sort {
            "an engine's token" => callers.plain(&method, path).header("x-engine-token", *token),
            _ => callers.with(token, &method, path),
        };
        let (status, code) = outcome(request.json(&json!({"jobs": []})).send().await?).await?;
        ensure!(status == 200, "{sort} where it belongs: {status} {code}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_opens_its_own_stream_once_and_nothing_else() -> anyhow::Result<()> {
    let callers = Callers::start().await?;
    let ticket = || async {
        let request = callers.with(&callers.ada.token, &Method::POST, "/v1/auth/ticket");
        let answer = request.json(&json!({"path": "/v1/events"})).send().await?;
        ensure!(answer.status() == 201, "{}", answer.status());
        let body: Value = serde_json::from_str(&answer.text().await?)?;
        Ok(body["ticket"].as_str().unwrap_or_default().to_owned())
    };
    let opened = with_query(callers.plain(&Method::GET, "/v1/events"), "ticket", &ticket().await?).send().await?;
    ensure!(opened.status() == 200, "a ticket opens the stream it was made for: {}", opened.status());

    let spent = ticket().await?;
    let first = with_query(callers.plain(&Method::GET, "/v1/events"), "ticket", &spent).send().await?;
    let again = with_query(callers.plain(&Method::GET, "/v1/events"), "ticket", &spent).send().await?;
    ensure!((first.status().as_u16(), again.status().as_u16()) == (200, 401), "{} {}", first.status(), again.status());

    for route in guarded().iter().filter(|route| route.path != "/v1/events") {
        let request = with_query(callers.plain(&route.method, &path_of(route)), "ticket", &ticket().await?);
        let (status, code) = outcome(request.send().await?).await?;
        ensure!(status == 401, "{} {} by a ticket for another path: {status} {code}", route.method, route.path);
    }
    for (name, put) in [
        (
            "beside a bearer token",
            (|request, _| request.bearer_auth("x")) as fn(RequestBuilder, &str) -> RequestBuilder,
        ),
        ("twice", |request, ticket| with_query(request, "ticket", ticket)),
        ("as a bearer token", |request, ticket| request.bearer_auth(ticket)),
    ] {
        let ticket = ticket().await?;
        let request = match name {
            "as a bearer token" => callers.plain(&Method::GET, "/v1/events"),
            _ => with_query(callers.plain(&Method::GET, "/v1/events"), "ticket", &ticket),
        };
        let (status, code) = outcome(put(request, &ticket).send().await?).await?;
        ensure!(status == 401, "a ticket {name}: {status} {code}");
    }
    Ok(())
}

fn tokens(callers: &Callers) -> Vec<(&'static str, &str)> {
    vec![
        ("the owner's token", &callers.owner),
        ("a member's token", &callers.ada.token),
        ("a guest's token", &callers.guest),
        ("an engine's token", &callers.engine_token),
        ("an engine's access token", &callers.engine_access),
        ("an admin token", &callers.admin),
    ]
}

#[test]
fn every_route_declares_a_permission_that_somebody_has() {
    let routes = guarded();
    assert!(routes.len() > 50, "the table is there: {}", routes.len());
    assert!(routes.iter().any(|route| route.permission == Permission::EngineCall), "engines have theirs");
}
