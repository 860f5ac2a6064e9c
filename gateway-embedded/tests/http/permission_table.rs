//! Who may call what, written down a second time.
//!
//! The gateway derives this from a permission for each route and a rule for each permission. Neither is asked here: a
//! route that is declared for more people, and a rule that gives more to somebody, must both disagree with this table.

use std::collections::BTreeSet;

use flowork_api_types::{admin::Scope, auth::Role};
use flowork_gateway::route_table;

/// Who needs no credentials, and whose are not even looked at.
const ANYBODY: &str = "anybody";

/// Each route with all who may call it: roles, `engine`, scopes of admin tokens, and guests where the owner opened an
/// area to them (`guest+jobs`, `guest+sessions`). Whoever is not named is refused.
#[rustfmt::skip]
const TABLE: &[(&str, &str)] = &[
    ("GET /health", "anybody"),
    ("GET /ready", "anybody"),
    ("GET /openapi.json", "anybody"),
    ("GET /.well-known/jwks.json", "anybody"),
    ("POST /v1/auth/challenge", "anybody"),
    ("POST /v1/auth/verify", "anybody"),
    ("POST /v1/auth/pair", "anybody"),
    ("POST /v1/auth/guest", "anybody"),
    ("POST /v1/auth/refresh", "anybody"),
    ("GET /v1/time", "anybody"),
    ("GET /v1/auth/me", "owner operator member viewer guest"),
    ("POST /v1/auth/logout", "owner operator member viewer guest"),
    ("POST /v1/auth/ticket", "owner operator member viewer guest"),
    ("GET /v1/auth/sessions", "owner operator member viewer guest"),
    ("DELETE /v1/auth/sessions/{session_id}", "owner operator member viewer guest"),
    ("POST /v1/auth/sign-out-everywhere", "owner operator member viewer guest"),
    ("GET /v1/status", "owner operator member viewer guest"),
    ("GET /v1/kinds", "owner operator member viewer guest+jobs"),
    ("GET /v1/engines", "owner operator member viewer guest+jobs"),
    ("GET /v1/autoscaler", "owner operator member viewer guest+jobs"),
    ("GET /drain", "owner operator member viewer guest+jobs"),
    ("GET /v1/queues", "owner operator member viewer guest+jobs"),
    ("GET /v1/limits", "owner operator member viewer guest+jobs"),
    ("GET /v1/events", "owner operator member viewer guest+jobs"),
    ("GET /v1/jobs", "owner operator member viewer guest+jobs"),
    ("GET /v1/jobs/{job_id}", "owner operator member viewer guest+jobs"),
    ("GET /v1/jobs/{job_id}/attempts", "owner operator member viewer guest+jobs"),
    ("GET /v1/jobs/{job_id}/logs", "owner operator member viewer guest+jobs"),
    ("GET /v1/jobs/{job_id}/events", "owner operator member viewer guest+jobs"),
    ("GET /v1/batches/{batch_id}", "owner operator member viewer guest+jobs"),
    ("GET /v1/schedules", "owner operator member viewer guest+jobs"),
    ("GET /v1/schedules/{schedule_id}", "owner operator member viewer guest+jobs"),
    ("POST /v1/schedules/preview", "owner operator member viewer guest+jobs"),
    ("GET /v1/sessions", "owner operator member viewer guest+sessions"),
    ("GET /v1/sessions/{session_id}", "owner operator member viewer guest+sessions"),
    ("GET /v1/sessions/{session_id}/events", "owner operator member viewer guest+sessions"),
    ("GET /ws", "owner operator member viewer guest+sessions"),
    ("POST /v1/jobs", "owner operator member"),
    ("POST /v1/jobs/batch", "owner operator member"),
    ("POST /v1/jobs/{job_id}/cancel", "owner operator member"),
    ("POST /v1/jobs/{job_id}/requeue", "owner operator member"),
    ("POST /v1/jobs/requeue", "owner operator member"),
    ("POST /v1/schedules", "owner operator member"),
    ("PATCH /v1/schedules/{schedule_id}", "owner operator member"),
    ("DELETE /v1/schedules/{schedule_id}", "owner operator member"),
    ("POST /v1/schedules/{schedule_id}/run", "owner operator member"),
    ("POST /v1/sessions", "owner operator member"),
    ("DELETE /v1/sessions/{session_id}", "owner operator member"),
    ("POST /v1/sessions/{session_id}/start", "owner operator member"),
    ("POST /v1/sessions/{session_id}/switch", "owner operator member"),
    ("POST /v1/sessions/{session_id}/pause", "owner operator member"),
    ("POST /v1/sessions/{session_id}/resume", "owner operator member"),
    ("POST /v1/sessions/{session_id}/complete", "owner operator member"),
    ("POST /v1/sessions/{session_id}/cancel", "owner operator member"),
    ("POST /drain", "owner operator ops:drain"),
    ("POST /v1/queues/{name}/pause", "owner operator"),
    ("POST /v1/queues/{name}/resume", "owner operator"),
    ("PUT /v1/engines/{engine_id}/workers", "owner operator"),
    ("PUT /v1/limits/{target}", "owner operator"),
    ("DELETE /v1/limits/{target}", "owner operator"),
    ("POST /v1/engine/token", "engine"),
    ("POST /v1/engine/claim", "engine"),
    ("POST /v1/engine/renew", "engine"),
    ("POST /v1/engine/finish", "engine"),
    ("POST /v1/engine/release", "engine"),
    ("GET /v1/engine/directives", "engine"),
    ("POST /v1/engine/heartbeat", "engine"),
    ("POST /v1/auth/links", "owner"),
    ("POST /v1/auth/reset", "owner"),
    ("POST /v1/admin-tokens", "owner"),
    ("POST /v1/engines", "owner engines:write"),
    ("POST /v1/engines/{engine_id}/token/rotate", "owner engines:write"),
    ("POST /v1/engines/{engine_id}/token/revoke", "owner engines:write"),
    ("GET /v1/members", "owner members:write"),
    ("GET /v1/members/{subject}", "owner members:write"),
    ("POST /v1/members", "owner members:write"),
    ("PATCH /v1/members/{subject}", "owner members:write"),
    ("DELETE /v1/members/{subject}", "owner members:write"),
    ("POST /v1/members/{subject}/keys", "owner members:write"),
    ("DELETE /v1/members/{subject}/keys/{address}", "owner members:write"),
    ("GET /v1/audit", "owner audit:read"),
    ("GET /v1/audit/export", "owner audit:read"),
    ("GET /v1/audit/verify", "owner audit:read"),
    ("GET /v1/keys", "owner keys:rotate"),
    ("POST /v1/keys/rotate", "owner keys:rotate"),
    ("GET /v1/guests", "owner policies:write"),
    ("PUT /v1/guests", "owner policies:write"),
    ("PUT /v1/kinds/{kind}/roles", "owner policies:write"),
];

/// Whether somebody who counts as each of `callers` may call this route.
pub(crate) fn lets(method: &str, path: &str, callers: &[&str]) -> bool {
    let route = format!("{method} {path}");
    let row = TABLE.iter().find(|(name, _)| *name == route);
    let (_, who) = row.unwrap_or_else(|| panic!("{route} is not in the table of this test: say who may call it"));
    *who == ANYBODY || who.split(' ').any(|name| callers.contains(&name))
}

/// Whether a route asks for no credentials.
pub(crate) fn is_open(method: &str, path: &str) -> bool {
    lets(method, path, &[])
}

#[test]
fn every_route_of_the_router_is_in_the_table_once_and_nothing_else_is() {
    let routes: Vec<String> = route_table().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    let (declared, written): (BTreeSet<_>, BTreeSet<_>) =
        (routes.iter().map(String::as_str).collect(), TABLE.iter().map(|(route, _)| *route).collect());
    assert_eq!(declared.len(), routes.len(), "no route is declared twice");
    assert_eq!(written.len(), TABLE.len(), "no route is written down twice");
    let only = |these: &BTreeSet<&str>, those: &BTreeSet<&str>| -> Vec<String> {
        these.difference(those).map(|route| (*route).to_owned()).collect()
    };
    assert_eq!(only(&declared, &written), Vec::<String>::new(), "routes that the table does not have");
    assert_eq!(only(&written, &declared), Vec::<String>::new(), "rows without a route");
}

#[test]
fn every_name_in_the_table_is_somebody() {
    let mut known: BTreeSet<&str> = ["engine", "guest+jobs", "guest+sessions"].into();
    known.extend(Role::ALL.map(Role::as_str));
    known.extend(Scope::ALL.map(Scope::as_str));
    let mut named = BTreeSet::new();
    for (route, who) in TABLE.iter().filter(|(_, who)| *who != ANYBODY) {
        for name in who.split(' ') {
            assert!(known.contains(name), "{route}: nobody is {name:?}");
            named.insert(name);
        }
    }
    assert_eq!(named, known, "everybody may do something");
}
