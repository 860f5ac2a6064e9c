//! Things that belong to somebody, on every route that names one: who may see them, who may act on them, and to whom they
//! do not exist.
//!
//! The routes come from the table of the gateway; who may do what is written down here once more, so that nobody changes
//! it by accident.

use anyhow::{Context, bail, ensure};
use flowork_gateway::{Permission, RouteEntry};
use reqwest::Method;
use serde_json::{Value, json};

use super::callers::{Callers, filled, guarded, outcome};

/// How a call ends, as far as rights go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The caller's rights are enough, whatever the call came to.
    Passes,
    /// As if it did not exist.
    Hidden,
    /// The caller may not do this to anything.
    Refused,
}

/// Whose thing it is that Ada made, by the name that stands for it in paths.
const OWNED: [&str; 4] = ["job_id", "schedule_id", "batch_id", "session_id"];
/// Names in paths of things that are the node's.
const COMMON: [&str; 7] = ["engine_id", "subject", "address", "kind", "target", "name", "queue"];

/// Who calls: Ada's thing is her own, and somebody else's for everybody else.
const CALLERS: [&str; 8] = ["owner", "operator", "ada", "bob", "viewer", "guest", "engine", "admin"];

/// The rule: one row for each kind of call, one column for each of [`CALLERS`].
fn expected(route: &RouteEntry, caller: &str) -> anyhow::Result<End> {
    use End::{Hidden, Passes, Refused};
    let row = match route.permission {
        Permission::Read | Permission::SessionsRead => {
            [Passes, Passes, Passes, Hidden, Passes, Refused, Refused, Refused]
        }
        Permission::JobsWrite | Permission::SessionsWrite => {
            [Passes, Passes, Passes, Hidden, Refused, Refused, Refused, Refused]
        }
        // Sign-in sessions: their own, and the owner anybody's. Nobody else learns of them.
        Permission::SignedIn => [Passes, Hidden, Passes, Hidden, Hidden, Hidden, Refused, Refused],
        other => bail!("{} {} names something that is somebody's and asks for {other:?}", route.method, route.path),
    };
    let column = CALLERS.iter().position(|name| *name == caller).context("a caller")?;
    Ok(row[column])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_somebody_elses_is_not_there_for_a_member() -> anyhow::Result<()> {
    let callers = Callers::start().await?;
    let routes: Vec<RouteEntry> = guarded().into_iter().filter(|route| owned_name(route).is_some()).collect();
    ensure!(routes.len() >= 12, "{} routes name something that is somebody's", routes.len());
    let (mut wrong, mut cases) = (Vec::new(), 0);
    for route in &routes {
        for caller in CALLERS {
            // A new one each time: the last caller may have ended it.
            let id = make(&callers, route).await?;
            let path = filled(&route.path, |name| if OWNED.contains(&name) { id.clone() } else { "x".to_owned() });
            let (status, code) = call(&callers, route, &path, caller).await?;
            let end = match status {
                401 | 403 => End::Refused,
                404 => End::Hidden,
                // Deleting a session that does not exist succeeds; what was really done is for Ada to see.
                204 if path.starts_with("/v1/sessions/") && is_there(&callers, &path).await? => End::Hidden,
                _ => End::Passes,
            };
            cases += 1;
            if end != expected(route, caller)? {
                wrong.push(format!("{} {} as {caller}: {status} {code}", route.method, route.path));
            }
        }
    }
    ensure!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
    println!("{} routes, {cases} cases of own and somebody else's: 0 mismatches", routes.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_and_bulk_calls_leave_out_what_is_somebody_elses() -> anyhow::Result<()> {
    let callers = Callers::start().await?;
    let job = make_job(&callers).await?;
    let schedule = make_schedule(&callers).await?;
    for (path, id) in [("/v1/jobs", &job), ("/v1/schedules", &schedule)] {
        for (caller, sees) in [("owner", true), ("operator", true), ("ada", true), ("viewer", true), ("bob", false)] {
            let answer = callers.with(token(&callers, caller), &Method::GET, path).send().await?;
            let text = answer.text().await?;
            ensure!(text.contains(id.as_str()) == sees, "{path} as {caller}: {text}");
        }
    }
    // A job that has failed can be requeued; Bob asks for it by its id, and for everything there is.
    let failed = failed_job(&callers).await?;
    for body in [json!({"ids": [failed]}), json!({"kind": "http.request"})] {
        let request = callers.with(&callers.bob.token, &Method::POST, "/v1/jobs/requeue").json(&body);
        let answer: Value = serde_json::from_str(&request.send().await?.text().await?)?;
        let job = callers.with(&callers.ada.token, &Method::GET, &format!("/v1/jobs/{failed}")).send().await?;
        let job: Value = serde_json::from_str(&job.text().await?)?;
        ensure!(job["state"] == "failed", "Bob got Ada's job to run by {body}: {answer} {job}");
    }
    let request = callers.with(&callers.ada.token, &Method::POST, "/v1/jobs/requeue").json(&json!({"ids": [failed]}));
    let answer = request.send().await?;
    ensure!(answer.status().is_success(), "Ada can: {}", answer.text().await?);
    Ok(())
}

#[test]
fn every_name_in_a_path_is_somebodys_or_the_nodes() {
    for route in guarded() {
        let names = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        for name in names {
            assert!(OWNED.contains(&name) || COMMON.contains(&name), "{}: say whose {name} is", route.path);
        }
        if owned_name(&route).is_some() {
            assert!(CALLERS.iter().all(|caller| expected(&route, caller).is_ok()), "{}", route.path);
        }
    }
}

fn owned_name(route: &RouteEntry) -> Option<&'static str> {
    OWNED.into_iter().find(|name| route.path.contains(&format!("{{{name}}}")))
}

fn token<'a>(callers: &'a Callers, caller: &str) -> &'a str {
    match caller {
        "owner" => &callers.owner,
        "operator" => &callers.operator.token,
        "ada" => &callers.ada.token,
        "bob" => &callers.bob.token,
        "viewer" => &callers.viewer.token,
        "guest" => &callers.guest,
        "admin" => &callers.admin,
        _ => &callers.engine_access,
    }
}

async fn call(callers: &Callers, route: &RouteEntry, path: &str, caller: &str) -> anyhow::Result<(u16, String)> {
    let mut request = callers.with(token(callers, caller), &route.method, path);
    if route.method != Method::GET {
        request = request.header("idempotency-key", format!("{caller}-{path}")).json(&json!({}));
    }
    outcome(request.send().await?).await
}

async fn is_there(callers: &Callers, path: &str) -> anyhow::Result<bool> {
    Ok(callers.with(&callers.ada.token, &Method::GET, path).send().await?.status().is_success())
}

/// Makes something of the kind that a route names, as Ada; answers its id.
async fn make(callers: &Callers, route: &RouteEntry) -> anyhow::Result<String> {
    match owned_name(route).context("a name")? {
        "job_id" => make_job(callers).await,
        "schedule_id" => make_schedule(callers).await,
        "batch_id" => make_batch(callers).await,
        _ if route.path.starts_with("/v1/auth/") => make_sign_in(callers).await,
        _ => make_session(callers).await,
    }
}

async fn post(callers: &Callers, path: &str, body: &Value) -> anyhow::Result<Value> {
    let key = format!("{}", std::time::UNIX_EPOCH.elapsed()?.as_nanos());
    let request = callers.with(&callers.ada.token, &Method::POST, path).header("idempotency-key", key).json(body);
    let answer = request.send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "{path}: {status} {text}");
    Ok(serde_json::from_str(&text)?)
}

fn id_at(body: &Value, pointer: &str) -> anyhow::Result<String> {
    Ok(body.pointer(pointer).and_then(Value::as_str).with_context(|| format!("{pointer} of {body}"))?.to_owned())
}

async fn make_job(callers: &Callers) -> anyhow::Result<String> {
    // Not yet due, so that it can be cancelled.
    let body = json!({"kind": "noop", "delay_ms": 3_600_000});
    id_at(&post(callers, "/v1/jobs", &body).await?, "/id")
}

/// A job that the guard of outgoing requests lets fail, without another try.
async fn failed_job(callers: &Callers) -> anyhow::Result<String> {
    let body = json!({"kind": "http.request", "payload": {"url": "http://127.0.0.1:1/"}, "attempts_max": 1});
    let id = id_at(&post(callers, "/v1/jobs", &body).await?, "/id")?;
    let job = callers.node.wait_for(&id).await?;
    ensure!(job["state"] == "failed", "{job}");
    Ok(id)
}

async fn make_schedule(callers: &Callers) -> anyhow::Result<String> {
    let name = format!("s-{}", std::time::UNIX_EPOCH.elapsed()?.as_nanos());
    let body = json!({"name": name, "cron": "0 0 1 1 *", "job": {"kind": "noop"}});
    id_at(&post(callers, "/v1/schedules", &body).await?, "/id")
}

async fn make_batch(callers: &Callers) -> anyhow::Result<String> {
    let key = format!("b-{}", std::time::UNIX_EPOCH.elapsed()?.as_nanos());
    let job = json!({"kind": "noop", "idempotency_key": key, "delay_ms": 3_600_000});
    id_at(&post(callers, "/v1/jobs/batch", &json!({"jobs": [job], "callback": {"kind": "noop"}})).await?, "/batch_id")
}

/// Another session of Ada's, so that ending it does not end the one she calls with.
async fn make_sign_in(callers: &Callers) -> anyhow::Result<String> {
    let body = json!({"subject": callers.ada.subject});
    let link = callers.with(&callers.owner, &Method::POST, "/v1/auth/links").json(&body).send().await?;
    let link: Value = serde_json::from_str(&link.text().await?)?;
    let (_, code) = link["url"].as_str().and_then(|url| url.split_once("#pair=")).context("a code")?;
    let pair = callers.plain(&Method::POST, "/v1/auth/pair").json(&json!({"code": code})).send().await?;
    id_at(&serde_json::from_str(&pair.text().await?)?, "/me/session_id")
}

async fn make_session(callers: &Callers) -> anyhow::Result<String> {
    let nanos = std::time::UNIX_EPOCH.elapsed()?.as_nanos() as u64;
    let id = format!("0f9b2c1e-5d53-4a6e-8d0c-{:012x}", nanos & 0xffff_ffff_ffff);
    let body = json!({
        "session_id": id,
        "sync_mode": "per_participant",
        "total_time_ms": 60_000,
        "participants": [{
            "participant_id": "2b1b2c1e-5d53-4a6e-8d0c-3b1f6a7e8d90",
            "participant_index": 0,
            "total_time_ms": 60_000,
        }],
    });
    post(callers, "/v1/sessions", &body).await?;
    Ok(id)
}
