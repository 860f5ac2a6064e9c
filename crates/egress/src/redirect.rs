//! Where a redirect leads and what goes along. Pure; follows the Fetch standard as browsers do, except that only
//! harmless headers travel to another origin.

use reqwest::{
    Method, StatusCode,
    header::{self, HeaderMap},
};
use url::Url;

use crate::{error::EgressError, request::Request};

/// A redirect that was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: StatusCode,
    /// Where it led.
    pub url: Url,
}

/// Headers that may travel to another origin. A list of what is harmless: a list of what is secret would miss the
/// header some vendor invented for its key.
const CARRIED: [header::HeaderName; 7] = [
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::ACCEPT_ENCODING,
    header::CACHE_CONTROL,
    header::CONTENT_TYPE,
    header::RANGE,
    header::USER_AGENT,
];

/// Whether this answer says to look elsewhere.
pub(crate) fn target(status: StatusCode, headers: &HeaderMap) -> Option<&header::HeaderValue> {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308).then(|| headers.get(header::LOCATION))?
}

/// Turns `request` into the one that follows the redirect.
pub(crate) fn follow(
    request: &mut Request,
    status: StatusCode,
    location: &header::HeaderValue,
) -> Result<Redirect, EgressError> {
    let fail = |reason: &str| EgressError::InvalidRedirect {
        host: request.url.host_str().unwrap_or_default().to_owned(),
        reason: reason.to_owned(),
    };
    let text = std::str::from_utf8(location.as_bytes()).map_err(|_| fail("its Location is not text"))?;
    let mut url = request.url.join(text).map_err(|error| fail(&error.to_string()))?;
    if url.fragment().is_none() {
        url.set_fragment(request.url.fragment());
    }
    let becomes_get = match status.as_u16() {
        301 | 302 => request.method == Method::POST,
        303 => request.method != Method::GET && request.method != Method::HEAD,
        _ => false,
    };
    if becomes_get {
        request.method = Method::GET;
        request.body = None;
        for name in [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LANGUAGE, header::CONTENT_LOCATION]
        {
            request.headers.remove(name);
        }
    }
    if url.origin() != request.url.origin() {
        let kept = CARRIED.iter().filter_map(|name| Some((name.clone(), request.headers.get(name)?.clone())));
        request.headers = kept.collect();
    }
    request.url = url.clone();
    Ok(Redirect { status, url })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: Method) -> Request {
        let mut request = Request::new(method, "https://a.example/start?x=1").unwrap();
        request.body = Some("body".into());
        for (name, value) in [
            ("authorization", "Bearer secret"),
            ("cookie", "a=b"),
            ("x-api-key", "secret"),
            ("x-vendor-thing", "secret"),
            ("content-type", "text/plain"),
            ("accept", "*/*"),
        ] {
            request.headers.insert(name, value.parse().unwrap());
        }
        request
    }

    fn check(method: &Method, status: u16, location: &str, method_after: &Method, header_names: &[&str]) {
        let mut request = request(method.clone());
        let body_kept = method == method_after;
        follow(&mut request, StatusCode::from_u16(status).unwrap(), &location.parse().unwrap()).unwrap();
        assert_eq!(&request.method, method_after, "{method} {status} {location}");
        assert_eq!(request.body.is_some(), body_kept, "{method} {status} {location}");
        let mut names: Vec<_> = request.headers.keys().map(ToString::to_string).collect();
        names.sort();
        assert_eq!(names, header_names, "{method} {status} {location}");
    }

    const ALL: [&str; 6] = ["accept", "authorization", "content-type", "cookie", "x-api-key", "x-vendor-thing"];
    const ALL_BUT_TYPE: [&str; 5] = ["accept", "authorization", "cookie", "x-api-key", "x-vendor-thing"];

    #[test]
    fn methods_change_as_in_browsers() {
        check(&Method::POST, 301, "/next", &Method::GET, &ALL_BUT_TYPE);
        check(&Method::POST, 302, "/next", &Method::GET, &ALL_BUT_TYPE);
        check(&Method::PUT, 302, "/next", &Method::PUT, &ALL);
        check(&Method::PUT, 303, "/next", &Method::GET, &ALL_BUT_TYPE);
        check(&Method::HEAD, 303, "/next", &Method::HEAD, &ALL);
        check(&Method::POST, 307, "/next", &Method::POST, &ALL);
        check(&Method::POST, 308, "/next", &Method::POST, &ALL);
    }

    #[test]
    fn credentials_stay_with_their_origin() {
        for elsewhere in ["https://b.example/", "http://a.example/", "https://a.example:8443/", "//b.example/"] {
            check(&Method::GET, 302, elsewhere, &Method::GET, &["accept", "content-type"]);
        }
        check(&Method::GET, 302, "https://a.example:443/other", &Method::GET, &ALL);
    }
}
