//! Members over HTTP: who may do what, and how fast that changes.

use flowork_api_types::{
    Timestamp,
    auth::Role,
    kind::BrokenModule,
    member::{GuestArea, GuestPolicy},
};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::gateway::{Answer, Gateway, read};

const ADDRESS: &str = "0x52908400098527886e0f7030069857d2e4169ee7";

struct Signed {
    subject: String,
    token: String,
}

impl Signed {
    fn request(&self, gateway: &Gateway, method: Method, path: &str) -> RequestBuilder {
        gateway.plain(method, path).bearer_auth(&self.token)
    }

    async fn get(&self, gateway: &Gateway, path: &str) -> Answer {
        read(self.request(gateway, Method::GET, path)).await
    }

    async fn enqueue(&self, gateway: &Gateway, key: &str, kind: &str) -> Answer {
        let body = json!({"kind": kind, "payload": {}});
        read(self.request(gateway, Method::POST, "/v1/jobs").header("Idempotency-Key", key).json(&body)).await
    }
}

async fn add(gateway: &Gateway, name: &str, role: &str) -> Value {
    let answer = read(gateway.post("/v1/members").json(&json!({"name": name, "role": role}))).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    answer.json()
}

/// A member who is signed in, as a link of the owner signs them in.
async fn signed_in(gateway: &Gateway, name: &str, role: &str) -> Signed {
    let subject = add(gateway, name, role).await["subject"].as_str().unwrap().to_owned();
    let link = read(gateway.post("/v1/auth/links").json(&json!({"subject": subject}))).await.json();
    let (_, code) = link["url"].as_str().unwrap().split_once("/#pair=").expect("the code is in the fragment");
    let session = read(gateway.plain(Method::POST, "/v1/auth/pair").json(&json!({"code": code}))).await.json();
    Signed { subject, token: session["access_token"].as_str().unwrap().to_owned() }
}

async fn change(gateway: &Gateway, subject: &str, body: Value) -> Answer {
    read(gateway.request(Method::PATCH, &format!("/v1/members/{subject}")).json(&body)).await
}

#[tokio::test]
async fn members_are_added_changed_and_removed() {
    let gateway = Gateway::start().await;
    let ada = add(&gateway, "Ada", "operator").await;
    let subject = ada["subject"].as_str().unwrap();
    assert!(subject.starts_with("m_") && subject.len() == 34, "{ada}");
    let key = json!({"address": ADDRESS.to_uppercase().replace("0X", "0x"), "kind": "wallet", "name": "hers"});
    let path = format!("/v1/members/{subject}");
    let keys = format!("{path}/keys");
    let with_key = read(gateway.post(&keys).json(&key)).await;
    assert_eq!((with_key.status, &with_key.json()["keys"][0]["address"]), (StatusCode::CREATED, &json!(ADDRESS)));
    let again = read(gateway.post("/v1/members/owner/keys").json(&key)).await;
    assert_eq!((again.status, again.code().as_str()), (StatusCode::CONFLICT, "ADDRESS_TAKEN"));
    let elsewhere = read(gateway.request(Method::DELETE, &format!("/v1/members/owner/keys/{ADDRESS}"))).await;
    assert_eq!(elsewhere.code(), "KEY_NOT_FOUND", "it is not the owner's");

    let list = read(gateway.get("/v1/members")).await.json();
    let names: Vec<_> = list["items"].as_array().unwrap().iter().map(|member| member["name"].clone()).collect();
    assert_eq!(names, ["Owner", "Ada"]);
    assert_eq!(list["items"][0]["allowed_actions"], json!(["update", "add_key", "remove_key", "link"]));
    let before = list["version"].as_u64().unwrap();
    assert_eq!(change(&gateway, subject, json!({"name": "Countess", "role": "viewer"})).await.status, StatusCode::OK);
    assert!(read(gateway.get("/v1/members")).await.json()["version"].as_u64().unwrap() > before);
    assert_eq!(read(gateway.get(&path)).await.json()["role"], "viewer");
    assert_eq!(
        read(gateway.request(Method::DELETE, &format!("{keys}/{ADDRESS}"))).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(read(gateway.request(Method::DELETE, &path)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(read(gateway.get(&path)).await.code(), "MEMBER_NOT_FOUND");
}

#[tokio::test]
async fn what_can_not_be_is_refused_with_a_hint() {
    let gateway = Gateway::start().await;
    add(&gateway, "Ada", "member").await;
    for (request, code) in [
        (gateway.post("/v1/members").json(&json!({"name": "ada", "role": "viewer"})), "MEMBER_NAME_TAKEN"),
        (gateway.post("/v1/members").json(&json!({"name": " ", "role": "viewer"})), "VALIDATION_ERROR"),
        (gateway.post("/v1/members").json(&json!({"name": "x", "role": "owner"})), "VALIDATION_ERROR"),
        (gateway.post("/v1/members").json(&json!({"name": "x", "role": "guest"})), "VALIDATION_ERROR"),
        (gateway.request(Method::DELETE, "/v1/members/owner"), "OWNER_STAYS"),
        (gateway.request(Method::PATCH, "/v1/members/owner").json(&json!({"disabled": true})), "OWNER_STAYS"),
        (gateway.request(Method::PATCH, "/v1/members/owner").json(&json!({"role": "viewer"})), "OWNER_STAYS"),
        (gateway.request(Method::PATCH, "/v1/members/m_0").json(&json!({})), "MEMBER_NOT_FOUND"),
        (gateway.request(Method::DELETE, "/v1/members/owner/keys/0x12"), "INVALID_ID"),
        (gateway.request(Method::PUT, "/v1/kinds/no.such/roles").json(&json!({"roles": null})), "KIND_NOT_FOUND"),
        (gateway.request(Method::PUT, "/v1/kinds/noop/roles").json(&json!({"roles": ["viewer"]})), "VALIDATION_ERROR"),
        (gateway.post("/v1/admin-tokens").json(&json!({"scopes": []})), "VALIDATION_ERROR"),
        (
            gateway.post("/v1/admin-tokens").json(&json!({"scopes": ["ops:drain"], "ttl_seconds": 901})),
            "VALIDATION_ERROR",
        ),
    ] {
        let answer = read(request).await;
        assert_eq!(answer.code(), code, "{}", answer.text);
        let explains = code == "VALIDATION_ERROR" || code == "INVALID_ID";
        assert!(explains || answer.json()["error"]["hint"].is_string(), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_new_role_counts_from_the_next_request_on_whatever_the_token_says() {
    let gateway = Gateway::start().await;
    let ada = signed_in(&gateway, "Ada", "operator").await;
    let pause = || ada.request(&gateway, Method::POST, "/v1/queues/mail/pause");
    assert_eq!(read(pause()).await.status, StatusCode::OK);
    change(&gateway, &ada.subject, json!({"role": "viewer"})).await;
    let refused = read(pause()).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "FORBIDDEN"));
    assert_eq!(ada.get(&gateway, "/v1/auth/me").await.json()["role"], "viewer");
    assert_eq!(ada.get(&gateway, "/v1/jobs").await.status, StatusCode::OK);
    change(&gateway, &ada.subject, json!({"role": "operator"})).await;
    assert_eq!(read(pause()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn who_is_kept_out_or_removed_is_signed_out_at_once_and_their_streams_end() {
    let gateway = Gateway::start().await;
    for (name, act) in [("Ada", json!({"disabled": true})), ("Alan", json!(null)), ("Grace", json!({"role": "viewer"}))]
    {
        let member = signed_in(&gateway, name, "member").await;
        let stream = member.request(&gateway, Method::GET, "/v1/events").send().await.unwrap();
        assert_eq!(stream.status(), StatusCode::OK);
        let reason = match act {
            Value::Null => {
                let removed = gateway.request(Method::DELETE, &format!("/v1/members/{}", member.subject));
                assert_eq!(read(removed).await.status, StatusCode::NO_CONTENT);
                "signed_out"
            }
            change_to => {
                assert_eq!(change(&gateway, &member.subject, change_to.clone()).await.status, StatusCode::OK);
                if change_to["role"].is_null() { "signed_out" } else { "access_changed" }
            }
        };
        // The whole stream: it ends by itself.
        let text = stream.text().await.unwrap();
        assert!(text.contains(&format!(r#"{{"reason":"{reason}"}}"#)), "{name}: {text}");
        let after = member.get(&gateway, "/v1/auth/me").await;
        if reason == "signed_out" {
            assert_eq!((after.status, after.code().as_str()), (StatusCode::UNAUTHORIZED, "SESSION_ENDED"));
        } else {
            assert_eq!(after.status, StatusCode::OK);
        }
    }
    let ada = read(gateway.get("/v1/members")).await.json()["items"][1].clone();
    assert_eq!((&ada["name"], &ada["sessions"]), (&json!("Ada"), &json!(0)));
    let subject = ada["subject"].as_str().unwrap();
    change(&gateway, subject, json!({"disabled": false})).await;
    let link = read(gateway.post("/v1/auth/links").json(&json!({"subject": subject}))).await;
    assert_eq!(link.status, StatusCode::CREATED, "who is let in again may sign in again");
}

#[tokio::test]
async fn a_jobs_owner_has_to_be_a_member_when_it_is_run() {
    let gateway = Gateway::start().await;
    let ada = signed_in(&gateway, "Ada", "member").await;
    read(gateway.post("/v1/queues/default/pause")).await;
    let job = ada.enqueue(&gateway, "1", "noop").await;
    assert_eq!(job.status, StatusCode::ACCEPTED, "{}", job.text);
    let id = job.json()["id"].as_str().unwrap().to_owned();
    change(&gateway, &ada.subject, json!({"disabled": true})).await;
    read(gateway.post("/v1/queues/default/resume")).await;
    let ended = read(gateway.get(&format!("/v1/jobs/{id}?wait_ms=20000"))).await.json();
    assert_eq!((&ended["state"], &ended["error"]["code"]), (&json!("failed"), &json!("OWNER_NOT_MEMBER")), "{ended}");
    change(&gateway, &ada.subject, json!({"disabled": false})).await;
    read(gateway.post(&format!("/v1/jobs/{id}/requeue"))).await;
    let ended = read(gateway.get(&format!("/v1/jobs/{id}?wait_ms=20000"))).await.json();
    assert_eq!(ended["state"], "completed", "once they are back, it can be asked for again: {ended}");
}

#[tokio::test]
async fn the_owner_decides_who_may_enqueue_which_kind() {
    let gateway = Gateway::start().await;
    let member = signed_in(&gateway, "Ada", "member").await;
    let operator = signed_in(&gateway, "Alan", "operator").await;
    let roles = |kind: &str, roles: Value| {
        gateway.request(Method::PUT, &format!("/v1/kinds/{kind}/roles")).json(&json!({"roles": roles}))
    };
    let of_noop =
        |kinds: &Value| kinds["items"].as_array().unwrap().iter().find(|kind| kind["name"] == "noop").cloned();
    let kinds = member.get(&gateway, "/v1/kinds").await.json();
    let noop = of_noop(&kinds).unwrap();
    assert_eq!((&noop["roles"], &noop["roles_decided"]), (&json!(["owner", "operator", "member"]), &json!(false)));
    assert_eq!(noop["allowed_actions"], json!(["enqueue"]));

    let decided = read(roles("noop", json!(["operator"]))).await.json();
    assert_eq!(decided, json!({"kind": "noop", "roles": ["owner", "operator"], "decided": true}));
    assert_eq!(of_noop(&member.get(&gateway, "/v1/kinds").await.json()).unwrap()["allowed_actions"], json!([]));
    let refused = member.enqueue(&gateway, "1", "noop").await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "KIND_NOT_ALLOWED"));
    assert!(refused.json()["error"]["hint"].is_string());
    assert_eq!(operator.enqueue(&gateway, "1", "noop").await.status, StatusCode::ACCEPTED);

    let batch = json!({"jobs": [
        {"idempotency_key": "2", "kind": "noop", "payload": {}},
        {"idempotency_key": "3", "kind": "sleep", "payload": {"duration_ms": 1}},
    ]});
    let batch = read(member.request(&gateway, Method::POST, "/v1/jobs/batch").json(&batch)).await.json();
    assert_eq!(batch["items"][0]["error"]["code"], "KIND_NOT_ALLOWED", "{batch}");
    assert_eq!(batch["items"][1]["job"]["kind"], "sleep", "one refusal does not keep the others out: {batch}");
    let schedule = |kind: &str| {
        let body = json!({"name": "n", "interval_ms": 3_600_000, "job": {"kind": kind, "payload": {"duration_ms": 1}}});
        member.request(&gateway, Method::POST, "/v1/schedules").json(&body)
    };
    assert_eq!(read(schedule("noop")).await.code(), "KIND_NOT_ALLOWED");
    let made = read(schedule("sleep")).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let path = format!("/v1/schedules/{}", made.json()["id"].as_str().unwrap());
    let to_noop = json!({"job": {"kind": "noop", "payload": {}}});
    let changed = read(member.request(&gateway, Method::PATCH, &path).json(&to_noop)).await;
    assert_eq!(changed.code(), "KIND_NOT_ALLOWED", "{}", changed.text);

    assert_eq!(read(roles("noop", json!([]))).await.json()["roles"], json!(["owner"]));
    assert_eq!(operator.enqueue(&gateway, "4", "noop").await.code(), "KIND_NOT_ALLOWED");
    gateway.enqueue("5", json!({"kind": "noop", "payload": {}})).await;
    assert_eq!(read(roles("noop", json!(null))).await.json()["decided"], false);
    assert_eq!(member.enqueue(&gateway, "6", "noop").await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn guests_see_what_the_owner_opened_and_nothing_else() {
    let gateway = Gateway::start().await;
    gateway.enqueue("1", json!({"kind": "noop", "payload": {}})).await;
    let guest = read(gateway.plain(Method::POST, "/v1/auth/guest")).await.json();
    let guest = Signed { subject: "guest".to_owned(), token: guest["access_token"].as_str().unwrap().to_owned() };
    assert_eq!(guest.get(&gateway, "/v1/status").await.status, StatusCode::OK);
    for path in ["/v1/jobs", "/v1/kinds", "/v1/engines", "/v1/members", "/v1/guests", "/v1/keys"] {
        assert_eq!(guest.get(&gateway, path).await.code(), "FORBIDDEN", "{path}");
    }
    let open =
        |open: Vec<GuestArea>, enabled| gateway.request(Method::PUT, "/v1/guests").json(&GuestPolicy { enabled, open });
    assert_eq!(read(open(vec![GuestArea::Jobs], true)).await.status, StatusCode::OK);
    let jobs = guest.get(&gateway, "/v1/jobs").await.json();
    assert_eq!(jobs["items"].as_array().unwrap().len(), 1, "all jobs are open: {jobs}");
    assert_eq!(guest.enqueue(&gateway, "2", "noop").await.code(), "FORBIDDEN", "to look at, not to add to");
    let stream = guest.request(&gateway, Method::GET, "/v1/events").send().await.unwrap();
    assert_eq!(read(open(Vec::new(), true)).await.status, StatusCode::OK);
    assert!(stream.text().await.unwrap().contains("access_changed"), "what is closed again ends at once");
    assert_eq!(guest.get(&gateway, "/v1/jobs").await.code(), "FORBIDDEN");
    assert_eq!(read(open(Vec::new(), false)).await.status, StatusCode::OK);
    let out = guest.get(&gateway, "/v1/status").await;
    assert_eq!((out.status, out.code().as_str()), (StatusCode::UNAUTHORIZED, "GUESTS_NOT_ADMITTED"));
}

#[tokio::test]
async fn modules_that_can_not_be_used_are_told_to_those_who_keep_the_node() {
    let gateway = Gateway::start().await;
    let broken = BrokenModule { id: "torn".to_owned(), reason: "it is torn".to_owned(), hint: None };
    gateway.state.engines.kinds().set_broken_modules(vec![broken]);
    let guests = GuestPolicy { enabled: true, open: vec![GuestArea::Jobs] };
    gateway.state.control.set_guest_policy(guests).await.unwrap();
    for role in Role::ALL {
        let token = gateway.token("somebody", role);
        let answer = read(gateway.plain(Method::GET, "/v1/kinds").bearer_auth(token)).await;
        assert_eq!(answer.status, StatusCode::OK, "{role:?}: {}", answer.text);
        let keeps = matches!(role, Role::Owner | Role::Operator);
        let kinds = answer.json();
        assert_eq!(kinds["broken_modules"].as_array().unwrap().len(), usize::from(keeps), "{role:?}");
        assert_eq!(kinds["items"].as_array().unwrap().len(), 2, "{role:?}");
    }
}

#[tokio::test]
async fn a_schedule_of_who_is_no_member_any_more_enqueues_nothing() {
    let gateway = Gateway::start().await;
    let ada = signed_in(&gateway, "Ada", "member").await;
    let body = json!({"name": "n", "interval_ms": 1_000, "job": {"kind": "noop", "payload": {}}, "missed": "once"});
    let made = read(ada.request(&gateway, Method::POST, "/v1/schedules").json(&body)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let path = format!("/v1/schedules/{}", made.json()["id"].as_str().unwrap());
    gateway.state.control.delete_member(&ada.subject, Timestamp(1)).await.unwrap();
    let mut events = gateway.state.engines.events().subscribe(None);
    loop {
        let schedule = read(gateway.get(&path)).await.json();
        if schedule["last_error"]["code"] == "OWNER_NOT_MEMBER" {
            break;
        }
        // Told whenever a schedule was visited.
        tokio::time::timeout(super::gateway::HANG, events.next()).await.expect("it comes due").unwrap();
    }
}

#[tokio::test]
async fn a_members_script_token_goes_by_the_records_too() {
    let gateway = Gateway::start().await;
    let subject = add(&gateway, "Ada", "viewer").await["subject"].as_str().unwrap().to_owned();
    let token = gateway.token(&subject, Role::Owner);
    let ada = Signed { subject, token };
    assert_eq!(ada.get(&gateway, "/v1/auth/me").await.json()["role"], "viewer");
    assert_eq!(ada.get(&gateway, "/v1/members").await.code(), "FORBIDDEN");
    change(&gateway, &ada.subject, json!({"disabled": true})).await;
    assert_eq!(ada.get(&gateway, "/v1/auth/me").await.code(), "SESSION_ENDED");
}

#[tokio::test]
async fn an_admin_token_changes_members_and_nothing_about_the_owner() {
    let gateway = Gateway::start().await;
    let ada = add(&gateway, "Ada", "member").await["subject"].as_str().unwrap().to_owned();
    let made = read(gateway.post("/v1/admin-tokens").json(&json!({"scopes": ["members:write"]}))).await.json();
    let with = |method, path: &str| gateway.plain(method, path).bearer_auth(made["token"].as_str().unwrap());
    let key = |address: &str| json!({"address": address, "kind": "wallet", "name": "a key"});
    let others = ADDRESS.replace('5', "7");
    assert_eq!(
        read(gateway.post("/v1/members/owner/keys").json(&key(ADDRESS))).await.status,
        StatusCode::CREATED,
        "the owner adds keys of their own"
    );
    let owners_key = format!("/v1/members/owner/keys/{ADDRESS}");
    for request in [
        with(Method::POST, "/v1/members/owner/keys").json(&key(&others)),
        with(Method::POST, "/v1/members/%6fwner/keys").json(&key(&others)),
        with(Method::DELETE, &owners_key),
        with(Method::PATCH, "/v1/members/owner").json(&json!({"name": "Mallory"})),
        with(Method::PATCH, "/v1/members/owner").json(&json!({"disabled": true})),
        with(Method::DELETE, "/v1/members/owner"),
    ] {
        let refused = read(request).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "FORBIDDEN"));
        assert!(refused.json()["error"]["hint"].is_string());
    }
    let path = format!("/v1/members/{ada}");
    for request in [
        with(Method::POST, "/v1/members").json(&json!({"name": "Eve", "role": "owner"})),
        with(Method::PATCH, &path).json(&json!({"role": "owner"})),
    ] {
        assert_eq!(read(request).await.code(), "VALIDATION_ERROR", "there is one owner");
    }
    let owner = read(gateway.get("/v1/members/owner")).await.json();
    assert_eq!((&owner["name"], owner["keys"].as_array().unwrap().len()), (&json!("Owner"), 1), "{owner}");
    for (request, status) in [
        (with(Method::POST, &format!("{path}/keys")).json(&key(&others)), StatusCode::CREATED),
        (with(Method::PATCH, &path).json(&json!({"role": "viewer"})), StatusCode::OK),
        (with(Method::DELETE, &format!("{path}/keys/{others}")), StatusCode::NO_CONTENT),
        (with(Method::DELETE, &path), StatusCode::NO_CONTENT),
        (gateway.request(Method::DELETE, &owners_key), StatusCode::NO_CONTENT),
    ] {
        let answer = read(request).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
}

#[tokio::test]
async fn who_may_not_enqueue_a_kind_brings_no_job_of_it_back_and_resumes_no_schedule_of_it() {
    let gateway = Gateway::start().await;
    let member = signed_in(&gateway, "Ada", "member").await;
    let body = json!({"name": "n", "interval_ms": 3_600_000, "job": {"kind": "noop", "payload": {}}});
    let schedule = read(member.request(&gateway, Method::POST, "/v1/schedules").json(&body)).await.json();
    let schedule = format!("/v1/schedules/{}", schedule["id"].as_str().unwrap());
    read(gateway.post("/v1/queues/default/pause")).await;
    let job = member.enqueue(&gateway, "1", "noop").await.json()["id"].as_str().unwrap().to_owned();
    read(member.request(&gateway, Method::POST, &format!("/v1/jobs/{job}/cancel"))).await;
    let only_operators = gateway.request(Method::PUT, "/v1/kinds/noop/roles").json(&json!({"roles": ["operator"]}));
    assert_eq!(read(only_operators).await.status, StatusCode::OK);

    for request in [json!({"ids": [job]}), json!({"state": "cancelled"})] {
        let answer = read(member.request(&gateway, Method::POST, "/v1/jobs/requeue").json(&request)).await;
        assert_eq!(answer.json(), json!({"requeued": 0, "skipped": 1, "more": false}), "{request}");
    }
    assert_eq!(read(gateway.get(&format!("/v1/jobs/{job}"))).await.json()["state"], "cancelled");
    let unknown = member.enqueue(&gateway, "2", "no.such").await;
    assert_eq!(unknown.code(), "KIND_NOT_ALLOWED", "nobody knows whether it reaches the machine");
    assert!(unknown.json()["error"]["hint"].as_str().unwrap().contains("GET /v1/kinds"));

    let change = |body: Value| read(member.request(&gateway, Method::PATCH, &schedule).json(&body));
    for body in [json!({"name": "m"}), json!({"enabled": false})] {
        assert_eq!(change(body.clone()).await.status, StatusCode::OK, "{body}");
    }
    for body in [json!({"enabled": true}), json!({"interval_ms": 1_000}), json!({"cron": "* * * * *"})] {
        assert_eq!(change(body.clone()).await.code(), "KIND_NOT_ALLOWED", "{body}");
    }
    let as_before = gateway.request(Method::PUT, "/v1/kinds/noop/roles").json(&json!({"roles": null}));
    assert_eq!(read(as_before).await.status, StatusCode::OK);
    assert_eq!(change(json!({"enabled": true})).await.status, StatusCode::OK);
    let all = read(member.request(&gateway, Method::POST, "/v1/jobs/requeue").json(&json!({"ids": [job]}))).await;
    assert_eq!(all.json(), json!({"requeued": 1, "skipped": 0, "more": false}));
}
