//! The web GUI, embedded: files of `ui/dist`, and `index.html` for the paths of its pages.

use std::borrow::Cow;

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use rust_embed::RustEmbed;

/// Scripts and styles from here only; inline styles, because the GUI's primitives place their pop-ups with them.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'none'; object-src 'none'";
const PERMISSIONS: &str = "camera=(), geolocation=(), microphone=(), payment=(), usb=()";
const INDEX: &str = "index.html";
/// Vite puts the hash of the content into the names below this folder.
const HASHED: &str = "assets/";
/// Paths that are no pages, so that a mistyped call gets an error and not a page.
const NOT_PAGES: [&str; 4] = ["/v1", "/.well-known", "/health", "/ready"];
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Flowork</title>\
    <h1>The GUI is not part of this build</h1>\
    <p>Build it and the node together with <code>cargo xtask serve</code>. The API is there: \
    <a href=\"/openapi.json\">/openapi.json</a>.</p></html>";

#[derive(RustEmbed)]
#[folder = "../ui/dist"]
#[allow_missing = true]
struct Files;

/// Answers with a file or a page; `None` if the request is for neither.
pub(crate) fn serve(request: &Request) -> Option<Response> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return None;
    }
    let path = request.uri().path();
    let name = path.trim_start_matches('/');
    if !name.is_empty()
        && let Some(response) = file(name, request.headers())
    {
        return Some(response);
    }
    if !is_page(path, request.headers()) {
        return None;
    }
    file(INDEX, request.headers()).or_else(|| Some(html(Cow::Borrowed(NOT_BUILT.as_bytes()))))
}

/// A page is asked for by a browser that navigates, at a path that names no file and no part of the API.
fn is_page(path: &str, headers: &HeaderMap) -> bool {
    if path == "/" {
        return true;
    }
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let below = |root: &&str| path.strip_prefix(*root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let last = path.rsplit('/').next().unwrap_or_default();
    accepts.contains("text/html") && !last.contains('.') && !NOT_PAGES.iter().any(below)
}

fn file(name: &str, headers: &HeaderMap) -> Option<Response> {
    let plain = Files::get(name)?;
    let (file, encoding) = match packed(name, headers) {
        Some((file, encoding)) => (file, Some(encoding)),
        None => (plain, None),
    };
    let tag = entity_tag(&file.metadata.sha256_hash());
    let same = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if same { StatusCode::NOT_MODIFIED.into_response() } else { data(file.data) };
    let headers = response.headers_mut();
    let media_type = mime_guess::from_path(name).first_or_octet_stream();
    let charset = if media_type.type_() == mime_guess::mime::TEXT { "; charset=utf-8" } else { "" };
    if let Ok(value) = HeaderValue::from_str(&format!("{}{charset}", media_type.essence_str())) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    let caching = if name.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::ETAG, tag);
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    secure(headers);
    Some(response)
}

/// The compressed twin of a file, if the build made one and the browser takes it.
fn packed(name: &str, headers: &HeaderMap) -> Option<(rust_embed::EmbeddedFile, &'static str)> {
    let accepted = headers.get(header::ACCEPT_ENCODING)?.to_str().ok()?;
    let takes = |encoding: &str| accepted.split(',').any(|part| part.trim() == encoding);
    [("br", "br"), ("gzip", "gz")]
        .into_iter()
        .filter(|(encoding, _)| takes(encoding))
        .find_map(|(encoding, suffix)| Some((Files::get(&format!("{name}.{suffix}"))?, encoding)))
}

fn html(page: Cow<'static, [u8]>) -> Response {
    let mut response = data(page);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    secure(response.headers_mut());
    response
}

fn data(bytes: Cow<'static, [u8]>) -> Response {
    match bytes {
        Cow::Borrowed(bytes) => Body::from(bytes).into_response(),
        Cow::Owned(bytes) => Body::from(bytes).into_response(),
    }
}

fn secure(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert("permissions-policy", HeaderValue::from_static(PERMISSIONS));
}

fn entity_tag(hash: &[u8; 32]) -> HeaderValue {
    let digits: String = blake3::hash(hash).to_hex()[..32].to_owned();
    HeaderValue::from_str(&format!("\"{digits}\"")).expect("hexadecimal digits are header text")
}
