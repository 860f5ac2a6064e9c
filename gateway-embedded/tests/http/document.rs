//! The OpenAPI document says what the router does.

use std::collections::BTreeSet;

use flowork_gateway::{Permission, route_table};
use reqwest::Method;
use serde_json::Value;

use super::gateway::{Gateway, read};

#[tokio::test]
async fn the_served_document_lists_exactly_the_routes_with_their_permissions() {
    let gateway = Gateway::start().await;
    let answer = read(gateway.plain(Method::GET, "/openapi.json")).await;
    assert_eq!(answer.header("content-type"), "application/json");
    let document = answer.json();
    assert_eq!(document, serde_json::to_value(flowork_gateway::openapi()).unwrap());

    let listed: BTreeSet<_> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(move |(method, operation)| {
                let scheme = operation["security"]
                    .get(0)
                    .map_or("none", |scheme| scheme.as_object().unwrap().keys().next().map(String::as_str).unwrap());
                format!("{} {path} {scheme}", method.to_uppercase())
            })
        })
        .collect();
    let declared: BTreeSet<_> = route_table()
        .iter()
        .map(|route| {
            let scheme = match route.permission {
                Permission::Public => "none",
                Permission::EngineCall => "engineToken",
                _ => "bearer",
            };
            format!("{} {} {scheme}", route.method, route.path)
        })
        .collect();
    assert_eq!(listed, declared);
    assert!(declared.len() > 20, "the table is the real one");
}

#[tokio::test]
async fn every_route_of_the_table_answers_and_nothing_beside_it() {
    let gateway = Gateway::start().await;
    let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let table = route_table();
    for path in table.iter().map(|route| &route.path).collect::<BTreeSet<_>>() {
        for method in &methods {
            let declared = table.iter().any(|route| route.path == *path && route.method == *method);
            let response = gateway
                .plain(method.clone(), &path.replace("{job_id}", "job_01930c5ea2f07a3c8000000000000000"))
                .send()
                .await
                .unwrap();
            assert_eq!(response.status() != 405, declared, "{method} {path}: {}", response.status());
        }
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_error_has_the_envelope() {
    let document = serde_json::to_value(flowork_gateway::openapi()).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    for reference in &references {
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        assert!(schemas.contains_key(name), "{reference}");
    }
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "operation ids are unique");
            assert!(operation["summary"].is_string(), "{path} has a summary");
            for (status, response) in operation["responses"].as_object().unwrap() {
                if status.starts_with(['4', '5']) && path != "/ready" {
                    let schema = &response["content"]["application/json"]["schema"]["$ref"];
                    assert_eq!(schema, "#/components/schemas/ErrorEnvelope", "{path} {status}");
                }
            }
        }
    }
}

fn collect_references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(reference) if name == "$ref" => found.push(reference),
                    _ => collect_references(field, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
