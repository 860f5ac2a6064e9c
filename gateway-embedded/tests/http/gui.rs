//! The embedded GUI, or the page that stands in for it where it was not built.

use reqwest::{Method, StatusCode};

use super::gateway::{Gateway, read};

#[tokio::test]
async fn pages_are_served_to_browsers_and_errors_to_programs() {
    let gateway = Gateway::start().await;
    let browser = |path: &str| gateway.plain(Method::GET, path).header("accept", "text/html,application/xhtml+xml");
    for path in ["/", "/jobs", "/jobs/job_01930c5ea2f07a3c8000000000000000", "/api-docs"] {
        let page = read(browser(path)).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(page.header("content-type").starts_with("text/html"), "{path}");
        assert!(page.header("content-security-policy").contains("connect-src 'self'"), "{path}");
        assert!(page.header("permissions-policy").contains("camera=()"), "{path}");
    }
    for path in ["/v1", "/v1/nothing", "/assets/gone.js", "/health/x", "/..%2f..%2fCargo.toml"] {
        let answer = read(browser(path)).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::NOT_FOUND, "ROUTE_NOT_FOUND"), "{path}");
    }
    let program = read(gateway.plain(Method::GET, "/jobs").header("accept", "*/*")).await;
    assert_eq!(program.code(), "ROUTE_NOT_FOUND");
    let post = read(gateway.plain(Method::POST, "/jobs").header("accept", "text/html")).await;
    assert_eq!(post.code(), "ROUTE_NOT_FOUND");
}

#[tokio::test]
async fn an_unchanged_file_is_not_sent_twice() {
    let gateway = Gateway::start().await;
    let page = read(gateway.plain(Method::GET, "/")).await;
    let tag = page.header("etag");
    if tag.is_empty() {
        assert!(page.text.contains("cargo xtask serve"), "without a built GUI the page says how to build it");
        return;
    }
    assert_eq!(page.header("cache-control"), "no-cache");
    let again = read(gateway.plain(Method::GET, "/").header("if-none-match", tag)).await;
    assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    let asset = page.text.split("/assets/").nth(1).and_then(|rest| rest.split('"').next()).expect("it has scripts");
    let asset = read(gateway.plain(Method::GET, &format!("/assets/{asset}"))).await;
    assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable");
}

#[tokio::test]
async fn pages_run_no_code_but_their_own_files() {
    let gateway = Gateway::start().await;
    let page = read(gateway.plain(Method::GET, "/")).await;
    let policy = page.header("content-security-policy");
    let directive =
        |name: &str| policy.split(';').map(str::trim).find(|text| text.starts_with(name)).unwrap_or_default();
    assert_eq!(directive("default-src"), "default-src 'none'");
    assert_eq!(directive("script-src"), "script-src 'self'", "neither inline nor from elsewhere");
    for name in ["object-src", "base-uri", "form-action", "frame-ancestors"] {
        assert_eq!(directive(name), format!("{name} 'none'"));
    }
    for tag in page.text.split("<script").skip(1) {
        let tag = tag.split('>').next().unwrap();
        assert!(tag.contains("src=\"/"), "an inline script would not run: {tag}");
    }
    assert!(!page.text.contains(" style=") && !page.text.contains(" onload="), "{}", page.text);
}
