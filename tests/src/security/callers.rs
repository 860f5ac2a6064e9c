//! A node, one caller of every class, and every route of its table.

use anyhow::{Context, ensure};
use flowork_gateway::{Permission, RouteEntry, route_table};
use flowork_test_support::{TestHome, TestNode};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

/// Requests that are on their way at a time; a node on two cores has no use for more.
pub(super) const AT_ONCE: usize = 16;
/// An id of nothing that is there.
const ID_DIGITS: &str = "01930c5ea2f07a3c8000000000000000";

/// Every scope of an admin token.
pub(super) const SCOPES: [&str; 6] =
    ["members:write", "engines:write", "keys:rotate", "audit:read", "ops:drain", "policies:write"];

/// A node and somebody of each class, all signed in.
pub(super) struct Callers {
    pub(super) node: TestNode,
    client: reqwest::Client,
    /// A token of the owner, of a script.
    pub(super) owner: String,
    pub(super) operator: Signed,
    /// Two members, so that one can reach for what is the other's.
    pub(super) ada: Signed,
    pub(super) bob: Signed,
    pub(super) viewer: Signed,
    pub(super) guest: String,
    /// `fle_…`
    pub(super) engine_token: String,
    /// What that was exchanged for.
    pub(super) engine_access: String,
    /// With every scope.
    pub(super) admin: String,
}

/// A member with a session.
pub(super) struct Signed {
    pub(super) subject: String,
    pub(super) token: String,
}

impl Callers {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let node = TestHome::new()?.start().await?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        let owner = node.token().to_owned();
        let guest = made(client.post(format!("{}/v1/auth/guest", node.url())).json(&json!({}))).await?;
        let engine = made(node.request(Method::POST, "/v1/engines").json(&json!({"name": "elsewhere"}))).await?;
        let engine_token = text(&engine, "/token")?;
        let exchange = client.post(format!("{}/v1/engine/token", node.url())).header("x-engine-token", &engine_token);
        let engine_access = text(&made(exchange).await?, "/access_token")?;
        let admin = json!({"scopes": SCOPES, "ttl_seconds": 900});
        let admin = made(node.request(Method::POST, "/v1/admin-tokens").json(&admin)).await?;
        Ok(Self {
            operator: member(&node, &client, "operator", "Olga").await?,
            ada: member(&node, &client, "member", "Ada").await?,
            bob: member(&node, &client, "member", "Bob").await?,
            viewer: member(&node, &client, "viewer", "Vera").await?,
            guest: text(&guest, "/access_token")?,
            engine_token,
            engine_access,
            admin: text(&admin, "/token")?,
            node,
            client,
            owner,
        })
    }

    /// A request without credentials.
    pub(super) fn plain(&self, method: &Method, path: &str) -> RequestBuilder {
        self.client.request(method.clone(), format!("{}{path}", self.node.url()))
    }

    /// A request of somebody with a bearer token.
    pub(super) fn with(&self, token: &str, method: &Method, path: &str) -> RequestBuilder {
        self.plain(method, path).bearer_auth(token)
    }
}

/// Routes that ask for credentials.
pub(super) fn guarded() -> Vec<RouteEntry> {
    route_table().into_iter().filter(|route| route.permission != Permission::Public).collect()
}

/// A route's path with something in the place of each name in braces.
pub(super) fn path_of(route: &RouteEntry) -> String {
    filled(&route.path, |name| match name {
        "target" => "kind:noop".to_owned(),
        "queue" | "kind" => "default".to_owned(),
        "subject" => format!("m_{ID_DIGITS}"),
        "address" => format!("0x{}", "11".repeat(20)),
        "engine_id" => format!("eng_{ID_DIGITS}"),
        "schedule_id" => format!("sch_{ID_DIGITS}"),
        "batch_id" => format!("bat_{ID_DIGITS}"),
        "session_id" => format!("ses_{ID_DIGITS}"),
        _ => format!("job_{ID_DIGITS}"),
    })
}

/// Puts a value in the place of each name in braces.
pub(super) fn filled(path: &str, value: impl Fn(&str) -> String) -> String {
    let parts = path.split('/').map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        Some(name) => value(name),
        None => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Adds a parameter to the request's query.
pub(super) fn with_query(request: RequestBuilder, name: &str, value: &str) -> RequestBuilder {
    let (client, request) = request.build_split();
    let mut request = request.expect("the request is sound so far");
    request.url_mut().query_pairs_mut().append_pair(name, value);
    RequestBuilder::from_parts(client, request)
}

/// The status and the code of the error, if it is one; the body of a success is left alone, as some have no end.
pub(super) async fn outcome(answer: Response) -> anyhow::Result<(u16, String)> {
    let status = answer.status().as_u16();
    if status < 400 {
        return Ok((status, String::new()));
    }
    let body: Value = serde_json::from_str(&answer.text().await?).unwrap_or_default();
    Ok((status, body["error"]["code"].as_str().unwrap_or_default().to_owned()))
}

/// Makes a member and signs them in by a link of theirs.
async fn member(node: &TestNode, client: &reqwest::Client, role: &str, name: &str) -> anyhow::Result<Signed> {
    let body = json!({"name": name, "role": role});
    let subject = text(&made(node.request(Method::POST, "/v1/members").json(&body)).await?, "/subject")?;
    let body = json!({"subject": subject});
    let link = text(&made(node.request(Method::POST, "/v1/auth/links").json(&body)).await?, "/url")?;
    let (_, code) = link.split_once("#pair=").context("a code")?;
    let pair = client.post(format!("{}/v1/auth/pair", node.url())).json(&json!({"code": code}));
    Ok(Signed { subject, token: text(&made(pair).await?, "/access_token")? })
}

async fn made(request: RequestBuilder) -> anyhow::Result<Value> {
    let answer = request.send().await?;
    let (status, body) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "{status} {body}");
    Ok(serde_json::from_str(&body)?)
}

fn text(value: &Value, pointer: &str) -> anyhow::Result<String> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    Ok(text.with_context(|| format!("no {pointer} in {value}"))?.to_owned())
}
