//! Every route with every class of caller, against a table of who may call what.

use std::time::Duration;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use flowork_api_types::{
    EngineId,
    admin::{Scope, Scopes},
    auth::Role,
    engine::EngineLocation,
    member::{GuestArea, GuestPolicy},
};
use flowork_control::MemberChange;
use flowork_gateway::{Permission, RouteEntry, TokenKeys, route_table};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::{
    gateway::{Answer, Gateway, new_key, read},
    permission_table::{is_open, lets},
};

/// Whom the table knows a caller as; `None` for credentials that must be refused.
type Known = Option<Vec<&'static str>>;

/// What a caller sends, and as whom that counts.
struct Class {
    name: String,
    headers: Vec<(&'static str, String)>,
    known: Known,
}

impl Class {
    fn new(name: &str, headers: &[(&'static str, String)], known: Known) -> Self {
        Self { name: name.to_owned(), headers: headers.to_vec(), known }
    }

    fn bearer(name: &str, token: &str, known: Known) -> Self {
        Self::new(name, &[("authorization", format!("Bearer {token}"))], known)
    }
}

#[tokio::test]
async fn every_route_lets_exactly_those_pass_whom_the_table_names() {
    let gateway = Gateway::start().await;
    let classes = classes(&gateway).await;
    let table = route_table();
    let mut checked = 0;
    for route in &table {
        for class in &classes {
            let answer = read(request(&gateway, route, class)).await;
            check(route, class, &answer);
            checked += 1;
        }
    }
    assert_eq!(checked, table.len() * classes.len());
    for permission in Permission::ALL {
        assert!(table.iter().any(|route| route.permission == permission), "{permission:?} is used");
    }
}

/// The table says it for each route; this says what must hold for whatever is added to it.
#[test]
fn what_is_open_to_all_and_what_to_the_owner_only_is_written_down_here_too() {
    let with = |permission| -> Vec<String> {
        let table = route_table();
        let routes = table.iter().filter(|route| route.permission == permission);
        routes.map(|route| format!("{} {}", route.method, route.path)).collect()
    };
    let public = [
        "GET /health",
        "GET /ready",
        "GET /openapi.json",
        "GET /.well-known/jwks.json",
        "POST /v1/auth/challenge",
        "POST /v1/auth/verify",
        "POST /v1/auth/pair",
        "POST /v1/auth/guest",
        "POST /v1/auth/refresh",
        "GET /v1/time",
    ];
    assert_eq!(with(Permission::Public), public);
    // Also not with an admin token: these make others strong, or sign them in.
    assert_eq!(with(Permission::OwnerOnly), ["POST /v1/auth/links", "POST /v1/auth/reset", "POST /v1/admin-tokens"]);
    assert_eq!(with(Permission::Status), ["GET /v1/status"], "what guests see as a rule");
    assert_eq!(with(Permission::OpsDrain), ["POST /drain"]);
    // A preview has a body, and keeps nothing of it.
    let reads = |route: &String| route.starts_with("GET ") || route == "POST /v1/schedules/preview";
    assert!(with(Permission::Read).iter().all(reads), "reading changes nothing");
    assert!(with(Permission::EngineCall).iter().all(|route| route.contains(" /v1/engine/")));
}

#[tokio::test]
async fn head_asks_for_what_get_asks_for() {
    let gateway = Gateway::start().await;
    for route in route_table().iter().filter(|route| route.method == "GET") {
        let path = route.path.replace("{job_id}", "job_01930c5ea2f07a3c8000000000000000");
        let status = gateway.plain(Method::HEAD, &path).send().await.unwrap().status();
        assert_eq!(status == 401, !is_open("GET", &route.path), "{path}: {status}");
    }
}

fn check(route: &RouteEntry, class: &Class, answer: &Answer) {
    let case = format!("{} {} as {}: {} {}", route.method, route.path, class.name, answer.status, answer.text);
    // These routes refuse what is in this test's bodies, or the carrier, with a 401 or 403 of their own.
    let of_route =
        ["LINK_UNKNOWN", "REFRESH_UNKNOWN", "ENGINE_TOKEN_REQUIRED"].iter().any(|code| answer.text.contains(code));
    let passed = of_route || !matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    match &class.known {
        _ if is_open(route.method.as_str(), &route.path) => assert!(passed, "{case}"),
        None => {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{case}");
            assert_eq!(answer.header("www-authenticate"), "Bearer", "{case}");
        }
        Some(known) => {
            assert_eq!(passed, lets(route.method.as_str(), &route.path, known), "{case}");
            if !passed && known.is_empty() {
                assert_eq!(answer.code(), "UNAUTHENTICATED", "{case}");
            } else if !passed {
                assert_eq!(answer.code(), "FORBIDDEN", "{case}");
            }
        }
    }
}

fn request(gateway: &Gateway, route: &RouteEntry, class: &Class) -> RequestBuilder {
    let mut path = route.path.replace("{job_id}", "job_01930c5ea2f07a3c8000000000000000");
    if route.path == "/v1/events" {
        // A parameter that is not there, so that the stream does not start once the caller has passed.
        path.push_str("?none=1");
    }
    let mut request = gateway.plain(route.method.clone(), &path).header("Idempotency-Key", "k");
    // Bodies that pass the parser where that has no lasting effect, and fail in it elsewhere.
    let body = match route.path.as_str() {
        "/v1/auth/pair" => json!({"code": "no such code"}),
        "/v1/auth/refresh" => json!({"refresh_token": "no such token"}),
        "/v1/engine/claim" => json!({"max": 1}),
        "/v1/engine/renew" | "/v1/engine/release" => json!({"jobs": []}),
        "/v1/engine/finish" => json!({"results": []}),
        _ => json!({"no such field": 1}),
    };
    if route.method == "POST" {
        request = request.json(&body);
    }
    class.headers.iter().fold(request, |request, (name, value)| request.header(*name, value))
}

async fn classes(gateway: &Gateway) -> Vec<Class> {
    let owner = gateway.owner.as_str();
    let engine = gateway
        .state
        .control
        .create_engine("elsewhere", EngineLocation::External, 1, gateway.state.clock.now())
        .await
        .unwrap();
    let engine_token = engine.token.expose().to_owned();
    let foreign = TokenKeys::from_pkcs8(&new_key()).unwrap();
    let ended = gateway.sign_in().await;
    let ended = ended["access_token"].as_str().unwrap();
    read(gateway.plain(reqwest::Method::POST, "/v1/auth/logout").bearer_auth(ended)).await;

    let mut classes = vec![Class::new("nobody", &[], Some(Vec::new()))];
    for role in Role::ALL {
        classes.push(Class::bearer(role.as_str(), &gateway.token("p", role), Some(vec![role.as_str()])));
    }
    classes.push(Class::new("an engine", &[("x-engine-token", engine_token.clone())], Some(vec!["engine"])));
    classes.extend(members(gateway).await);
    classes.extend(admins(gateway));
    classes.extend(engines(gateway, engine.record.id).await);

    let claims = claims();
    let bad = |change: fn(&mut Value)| {
        let mut claims = claims.clone();
        change(&mut claims);
        sign(gateway, &header(gateway), &claims)
    };
    let signed = |header: Value| sign(gateway, &header, &claims);
    let (head, rest) = owner.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let kid = header(gateway)["kid"].clone();
    let tokens = [
        ("expired long ago", bad(|claims| claims["exp"] = json!(1_000_000_000))),
        ("not yet valid", bad(|claims| claims["nbf"] = json!(4_000_000_000_u64))),
        ("wrong audience", bad(|claims| claims["aud"] = json!("flowork-engine"))),
        ("wrong issuer", bad(|claims| claims["iss"] = json!("somebody"))),
        ("no audience", bad(|claims| drop(claims.as_object_mut().unwrap().remove("aud")))),
        ("no issuer", bad(|claims| drop(claims.as_object_mut().unwrap().remove("iss")))),
        ("no expiry", bad(|claims| drop(claims.as_object_mut().unwrap().remove("exp")))),
        ("no subject", bad(|claims| drop(claims.as_object_mut().unwrap().remove("sub")))),
        ("empty subject", bad(|claims| claims["sub"] = json!(""))),
        ("no id", bad(|claims| drop(claims.as_object_mut().unwrap().remove("jti")))),
        ("no start time", bad(|claims| drop(claims.as_object_mut().unwrap().remove("nbf")))),
        ("issued in the future", bad(|claims| claims["iat"] = json!(claims["iat"].as_u64().unwrap() + 300))),
        ("a life too long", bad(|claims| claims["exp"] = json!(claims["iat"].as_u64().unwrap() + 25 * 3600))),
        ("times as text", bad(|claims| claims["exp"] = json!(claims["exp"].to_string()))),
        ("several audiences", bad(|claims| claims["aud"] = json!(["flowork-user", "flowork-admin"]))),
        ("no issue time", bad(|claims| drop(claims.as_object_mut().unwrap().remove("iat")))),
        ("unknown role", bad(|claims| claims["role"] = json!("root"))),
        ("no role", bad(|claims| drop(claims.as_object_mut().unwrap().remove("role")))),
        ("unknown session", bad(|claims| claims["sid"] = json!("ses_01930c5ea2f07a3c8000000000000000"))),
        ("ended session", ended.to_owned()),
        ("another type", signed(json!({"alg": "RS256", "typ": "JWT", "kid": kid}))),
        ("no type", signed(json!({"alg": "RS256", "kid": kid}))),
        ("another key id", signed(json!({"alg": "RS256", "typ": "at+jwt", "kid": "other"}))),
        ("another RSA algorithm", signed(json!({"alg": "RS512", "typ": "at+jwt", "kid": kid}))),
        ("what must be understood", signed(json!({"alg": "RS256", "typ": "at+jwt", "kid": kid, "crit": ["exp"]}))),
        ("a key of its own", signed(json!({"alg": "RS256", "typ": "at+jwt", "kid": kid, "jwk": {"kty": "RSA"}}))),
        ("the prefix of another sort", format!("fla_{owner}")),
        ("another key", foreign.sign_access("p", Role::Owner, None, Duration::from_mins(5))),
        ("no signature", format!("{head}.{payload}.")),
        ("two parts", format!("{head}.{payload}")),
        ("torn signature", format!("{head}.{payload}.{}", &signature[2..])),
        ("another payload", format!("{head}.{}.{signature}", encode(&claims))),
        ("alg none", format!("{}.{payload}.", encode(&json!({"alg": "none", "typ": "at+jwt"})))),
        ("HS256 with the public key", hs256(gateway, &claims)),
        ("empty", String::new()),
        ("an engine's token", engine_token.clone()),
        ("very long", "a".repeat(8 << 10)),
    ];
    for (name, token) in &tokens {
        classes.push(Class::bearer(name, token, None));
    }
    // Signed by this test's own code and accepted, so that the refusals above are not due to that code.
    let good = sign(gateway, &header(gateway), &claims);
    classes.push(Class::bearer("a good token by hand", &good, Some(vec!["owner"])));

    let half = format!("{}{}", &engine_token[..engine_token.len() - 64], "0".repeat(64));
    classes.push(Class::new("an engine with another secret", &[("x-engine-token", half)], None));
    classes.push(Class::new("an owner's token as an engine's", &[("x-engine-token", owner.to_owned())], None));
    classes.push(Class::new("basic", &[("authorization", "Basic b3duZXI6b3duZXI=".to_owned())], None));
    let both = [("authorization", format!("Bearer {owner}")), ("x-engine-token", engine_token)];
    classes.push(Class::new("both carriers", &both, None));
    let twice = [("authorization", format!("Bearer {owner}")), ("authorization", format!("Bearer {owner}"))];
    classes.push(Class::new("twice", &twice, None));
    classes
}

/// Members: records decide, whatever the token says.
async fn members(gateway: &Gateway) -> Vec<Class> {
    let (control, now) = (&gateway.state.control, gateway.state.clock.now());
    let demoted = control.create_member("demoted", Role::Viewer, now).await.unwrap().subject;
    let disabled = control.create_member("disabled", Role::Operator, now).await.unwrap().subject;
    let keep_out = MemberChange { disabled: Some(true), ..MemberChange::default() };
    control.update_member(&disabled, keep_out, now).await.unwrap();
    let removed = control.create_member("removed", Role::Operator, now).await.unwrap().subject;
    control.delete_member(&removed, now).await.unwrap();
    let token = |subject: &str| gateway.token(subject, Role::Owner);
    vec![
        Class::bearer("a viewer whose token says owner", &token(&demoted), Some(vec!["viewer"])),
        Class::bearer("a member who is kept out", &token(&disabled), None),
        Class::bearer("a member who was removed", &token(&removed), None),
        Class::bearer("nobody's subject", &token(&format!("m_{}", "0".repeat(32))), None),
    ]
}

/// Admin tokens: one of each scope, and one of all.
fn admins(gateway: &Gateway) -> Vec<Class> {
    let sign = |name: &str, scopes: Scopes, session| {
        let ttl = Duration::from_mins(10);
        let made = gateway.state.tokens.sign_admin("owner", scopes, session, ttl, gateway.state.clock.now());
        let (token, _) = made.unwrap();
        let known = session.is_none().then(|| scopes.iter().map(Scope::as_str).collect());
        Class::bearer(name, &token, known)
    };
    let all: Scopes = Scope::ALL.into_iter().collect();
    let ended = "ses_01930c5ea2f07a3c8000000000000000".parse().unwrap();
    let mut classes = vec![sign("an admin of all scopes", all, None), sign("of an ended session", all, Some(ended))];
    for scope in Scope::ALL {
        classes.push(sign(scope.as_str(), [scope].into_iter().collect(), None));
    }
    let (token, _) =
        gateway.state.tokens.sign_admin("p", all, None, Duration::from_mins(9), gateway.state.clock.now()).unwrap();
    classes.push(Class::bearer("an admin token of somebody else", &token, None));
    let Some((_, bare)) = token.split_once("fla_") else { panic!("it has its prefix") };
    classes.push(Class::bearer("an admin token without its prefix", bare, None));
    classes
}

/// Engines: by short tokens, during a grace, and after their token was revoked.
async fn engines(gateway: &Gateway, id: EngineId) -> Vec<Class> {
    let (control, now) = (&gateway.state.control, gateway.state.clock.now());
    let short = |id, generation| gateway.state.tokens.sign_engine(id, generation, None, now).unwrap().0;
    let made = control.create_engine("replaced", EngineLocation::External, 1, now).await.unwrap();
    let new = control.rotate_engine_token(made.record.id, Duration::from_hours(1), now).await.unwrap().unwrap();
    let revoked = control.create_engine("revoked", EngineLocation::External, 1, now).await.unwrap();
    control.revoke_engine_token(revoked.record.id, now).await.unwrap();
    let token = |token: &str| [("x-engine-token", token.to_owned())];
    vec![
        Class::bearer("an engine by a short token", &short(id, 0), Some(vec!["engine"])),
        Class::new("an engine by a short token in the wrong place", &token(&short(id, 0)), None),
        Class::bearer("an engine of another generation", &short(id, 1), None),
        Class::new("an engine by its old token", &token(made.token.expose()), Some(vec!["engine"])),
        Class::new("an engine by its new token", &token(new.expose()), Some(vec!["engine"])),
        Class::new("an engine by a revoked token", &token(revoked.token.expose()), None),
        Class::bearer("an engine by a short token of a revoked one", &short(revoked.record.id, 0), None),
    ]
}

#[tokio::test]
async fn guests_pass_where_the_owner_opened_something() {
    let gateway = Gateway::start().await;
    let guest = gateway.token("guest", Role::Guest);
    for (open, known) in [
        (vec![GuestArea::Jobs], vec!["guest", "guest+jobs"]),
        (vec![GuestArea::Sessions], vec!["guest", "guest+sessions"]),
        (vec![GuestArea::Jobs, GuestArea::Sessions], vec!["guest", "guest+jobs", "guest+sessions"]),
        (vec![], vec!["guest"]),
    ] {
        gateway.state.control.set_guest_policy(GuestPolicy { enabled: true, open }).await.unwrap();
        let class = Class::bearer("a guest", &guest, Some(known));
        for route in &route_table() {
            check(route, &class, &read(request(&gateway, route, &class)).await);
        }
    }
}

fn claims() -> Value {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    json!({
        "iss": "flowork", "aud": "flowork-user", "sub": "p", "jti": "1", "role": "owner",
        "iat": now, "nbf": now, "exp": now + 600,
    })
}

fn header(gateway: &Gateway) -> Value {
    let (header, _) = gateway.owner.split_once('.').unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()
}

fn sign(gateway: &Gateway, header: &Value, claims: &Value) -> String {
    let text = format!("{}.{}", encode(header), encode(claims));
    let key = RsaKeyPair::from_pkcs8(&gateway.key).unwrap();
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// The classic: signed with HMAC, the public key (which everybody can fetch) as the secret.
fn hs256(gateway: &Gateway, claims: &Value) -> String {
    use aws_lc_rs::{encoding::AsDer, hmac, signature::KeyPair};
    let public = RsaKeyPair::from_pkcs8(&gateway.key).unwrap();
    let public: aws_lc_rs::encoding::PublicKeyX509Der<'_> = public.public_key().as_der().unwrap();
    let mut head = header(gateway);
    head["alg"] = json!("HS256");
    let text = format!("{}.{}", encode(&head), encode(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, public.as_ref()), text.as_bytes());
    format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
}

fn encode(part: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(part.to_string())
}
