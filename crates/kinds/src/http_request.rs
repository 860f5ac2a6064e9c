//! `http.request`: one HTTP request, any method.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use encoding_rs::Encoding;
use flowork_api_types::kind::KindDescriptor;
use flowork_egress::{
    Egress, Limits, Method, Request, Response,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use flowork_engine::{JobContext, JobFailure, JobKind};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    failure::{from_egress, parse_payload, retry_after, until_cancelled},
    json_text::json_bytes,
};

/// Where the payload does not say.
const RESPONSE_BYTES_DEFAULT: u64 = 256 << 10;
/// As base64 this is 933 KiB: a result holds 1 MiB of JSON.
const RESPONSE_BYTES_MAX: u64 = 700 << 10;
/// Text that needs more than this as JSON goes out as base64.
const JSON_TEXT_BYTES_MAX: usize = 960 << 10;
/// Headers in the result, in bytes.
const HEADER_BYTES_MAX: usize = 32 << 10;
/// Of the body, in the details of a failure.
const EXCERPT_BYTES: usize = 2 << 10;
const TIMEOUT_MS_DEFAULT: u64 = 30_000;
const TIMEOUT_MS_MAX: u64 = 300_000;
const REDIRECTS_MAX: usize = 5;

/// The kind `http.request`.
pub struct HttpRequest {
    descriptor: KindDescriptor,
    egress: Egress,
}

#[derive(Debug, Deserialize)]
struct Payload {
    #[serde(default = "get")]
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    json: Option<Value>,
    timeout_ms: Option<u64>,
    response_bytes_max: Option<u64>,
    follow_redirects: Option<bool>,
    expect_status: Option<Vec<u16>>,
}

fn get() -> String {
    "GET".to_owned()
}

impl HttpRequest {
    /// The kind, going out by `egress`.
    pub fn new(egress: Egress) -> Self {
        let descriptor = KindDescriptor {
            name: "http.request".to_owned(),
            title: "HTTP request".to_owned(),
            description: "Sends one HTTP request and keeps status, headers and body of the answer. Addresses that are \
                          not the public internet are refused unless the owner allows them."
                .to_owned(),
            payload_schema: schema(),
            timeout_ms: TIMEOUT_MS_MAX + 30_000,
            reaches_machine: false,
        };
        Self { descriptor, egress }
    }
}

#[async_trait]
impl JobKind for HttpRequest {
    fn descriptor(&self) -> &KindDescriptor {
        &self.descriptor
    }

    async fn run(&self, context: JobContext) -> Result<Value, JobFailure> {
        let payload: Payload = parse_payload(&context)?;
        let expect_status = payload.expect_status.clone();
        let request = request(payload, &context)?;
        let host = request.url.host_str().unwrap_or_default().to_owned();
        context.reporter.progress(None, Some(&format!("waiting for {host}")));
        until_cancelled(&context, async {
            let started = Instant::now();
            let mut response = self.egress.send(request).await.map_err(|error| from_egress(&error))?;
            let body = response.bytes().await.map_err(|error| from_egress(&error))?;
            let elapsed_ms = started.elapsed().as_millis() as u64;
            check_status(&response, &body, expect_status.as_deref())?;
            Ok(result(&response, &body, elapsed_ms))
        })
        .await
    }
}

fn request(payload: Payload, context: &JobContext) -> Result<Request, JobFailure> {
    let method = Method::from_bytes(payload.method.to_ascii_uppercase().as_bytes())
        .map_err(|_| JobFailure::permanent("INVALID_METHOD", format!("{:?} is not a method", payload.method)))?;
    let mut request = Request::new(method, &payload.url).map_err(|error| from_egress(&error))?;
    for (name, value) in &payload.headers {
        let invalid =
            |what| JobFailure::permanent("INVALID_HEADER", format!("the {what} of the header {name:?} is not valid"));
        request.headers.insert(
            name.parse::<HeaderName>().map_err(|_| invalid("name"))?,
            value.parse::<HeaderValue>().map_err(|_| invalid("value"))?,
        );
    }
    request.body = match (payload.body, payload.json) {
        (Some(_), Some(_)) => {
            return Err(
                JobFailure::permanent("INVALID_PAYLOAD", "body and json exclude each other").hint("leave one out")
            );
        }
        (Some(body), None) => Some(body.into()),
        (None, Some(json)) => {
            request.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
            Some(json.to_string().into())
        }
        (None, None) => None,
    };
    let timeout = Duration::from_millis(payload.timeout_ms.unwrap_or(TIMEOUT_MS_DEFAULT).min(TIMEOUT_MS_MAX));
    let left = context.deadline.saturating_duration_since(tokio::time::Instant::now());
    request.limits = Limits {
        total_timeout: timeout.min(left),
        read_timeout: timeout,
        response_bytes_max: payload.response_bytes_max.unwrap_or(RESPONSE_BYTES_DEFAULT).min(RESPONSE_BYTES_MAX),
        redirects_max: if payload.follow_redirects.unwrap_or(true) { REDIRECTS_MAX } else { 0 },
    };
    Ok(request)
}

fn check_status(response: &Response, body: &[u8], expected: Option<&[u16]>) -> Result<(), JobFailure> {
    let status = response.status;
    let good = match expected {
        Some(expected) => expected.contains(&status.as_u16()),
        None => status.as_u16() < 400,
    };
    if good {
        return Ok(());
    }
    let host = response.url.host_str().unwrap_or_default();
    let excerpt = String::from_utf8_lossy(&body[..body.len().min(EXCERPT_BYTES)]).into_owned();
    let retryable = status.as_u16() == 429 || status.is_server_error();
    let mut failure =
        JobFailure { retryable, ..JobFailure::permanent("HTTP_STATUS", format!("{host} answered {status}")) }
            .details(json!({"status": status.as_u16(), "body": excerpt}))
            .hint(match status.as_u16() {
                401 | 403 => "check the credentials in the headers",
                404 | 410 => "check the path of the URL",
                429 => "the server wants fewer requests; the job is tried again later",
                _ if retryable => "the server has a problem of its own; the job is tried again later",
                _ => "if this answer is fine, list it in expect_status",
            });
    if retryable {
        failure.retry_after = retry_after(&response.headers);
    }
    Err(failure)
}

fn result(response: &Response, body: &[u8], elapsed_ms: u64) -> Value {
    let redirects: Vec<_> = response
        .redirects
        .iter()
        .map(|redirect| json!({"status": redirect.status.as_u16(), "url": redirect.url.as_str()}))
        .collect();
    let mut result = json!({
        "status": response.status.as_u16(),
        "headers": headers(&response.headers),
        "bytes": body.len(),
        "elapsed_ms": elapsed_ms,
        "url": response.url.as_str(),
        "redirects": redirects,
    });
    let content_type = response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match text(body, content_type) {
        Some(text) => result["body"] = text.into(),
        None => result["body_base64"] = STANDARD.encode(body).into(),
    }
    result
}

/// Headers by name; those that come more than once are joined, and what is over the bound is left out.
fn headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut by_name: BTreeMap<String, String> = BTreeMap::new();
    let mut bytes = 0;
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        bytes += name.as_str().len() + value.len();
        if bytes > HEADER_BYTES_MAX {
            break;
        }
        by_name
            .entry(name.to_string())
            .and_modify(|joined| {
                joined.push_str(", ");
                joined.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    by_name
}

/// The body as text, if it is text and fits into a result as such.
fn text(body: &[u8], content_type: &str) -> Option<String> {
    let charset = content_type.split(';').skip(1).find_map(|part| part.trim().strip_prefix("charset="));
    let encoding = charset.and_then(|charset| Encoding::for_label(charset.trim_matches('"').as_bytes()));
    let text = match encoding {
        Some(encoding) => encoding.decode_without_bom_handling_and_without_replacement(body)?.into_owned(),
        None => std::str::from_utf8(body).ok().filter(|text| !text.contains('\0'))?.to_owned(),
    };
    (json_bytes(&text) <= JSON_TEXT_BYTES_MAX).then_some(text)
}

fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": false,
        "required": ["url"],
        "properties": {
            "url": {
                "type": "string", "format": "uri", "pattern": "^[hH][tT][tT][pP][sS]?://", "maxLength": 8192,
                "title": "URL", "description": "An http or https address.", "examples": ["https://example.com/api"]
            },
            "method": {
                "type": "string", "title": "Method", "default": "GET",
                "enum": ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
            },
            "headers": {
                "type": "object", "title": "Headers", "additionalProperties": {"type": "string"}, "maxProperties": 100,
                "description": "By name. They are stored with the job.", "examples": [{"accept": "application/json"}]
            },
            "body": {
                "type": "string", "title": "Body", "x-multiline": true, "description": "Sent as it is. Excludes JSON."
            },
            "json": {"title": "JSON body", "description": "Sent as application/json. Excludes body."},
            "timeout_ms": {
                "type": "integer", "title": "Patience (ms)", "minimum": 1, "maximum": TIMEOUT_MS_MAX,
                "default": TIMEOUT_MS_DEFAULT, "description": "From start to last byte, redirects included."
            },
            "response_bytes_max": {
                "type": "integer", "title": "Longest answer (bytes)", "minimum": 0, "maximum": RESPONSE_BYTES_MAX,
                "default": RESPONSE_BYTES_DEFAULT, "description": "A longer one fails the job."
            },
            "follow_redirects": {
                "type": "boolean", "title": "Follow redirects", "default": true,
                "description": "At most five. Credentials stay with the first origin."
            },
            "expect_status": {
                "type": "array", "title": "Good statuses", "minItems": 1, "maxItems": 100,
                "items": {"type": "integer", "minimum": 100, "maximum": 599}, "examples": [[200, 404]],
                "description": "Any other fails the job. Without it, 400 and above do."
            }
        },
        "not": {"required": ["body", "json"]}
    })
}
