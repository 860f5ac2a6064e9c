//! Reads the page and takes its title and links out.

use std::collections::HashSet;

use encoding_rs::{Encoding, UTF_8};
use flowork_egress::{EgressError, Response, Url, header};
use scraper::{Html, Selector};

/// Bytes of a page that are looked at.
const PAGE_BYTES_MAX: usize = 4 << 20;
/// A title is cut here, in characters.
const TITLE_CHARS: usize = 300;

/// A page that was read.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) content_type: Option<String>,
    pub(super) bytes: usize,
    /// There was more than is looked at.
    pub(super) truncated: bool,
    pub(super) title: Option<String>,
    /// Each once, in the order of the page.
    pub(super) links: Vec<Url>,
}

/// Reads the body of an answer.
pub(super) async fn read(response: &mut Response) -> Result<Page, EgressError> {
    let content_type =
        response.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
    let mut body = Vec::new();
    let mut truncated = false;
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() >= PAGE_BYTES_MAX {
            body.truncate(PAGE_BYTES_MAX);
            truncated = true;
            break;
        }
    }
    let is_html = content_type.as_deref().is_none_or(|kind| kind.contains("html"));
    let (title, links) =
        if is_html { parse(&decode(&body, content_type.as_deref()), &response.url) } else { (None, Vec::new()) };
    Ok(Page { content_type, bytes: body.len(), truncated, title, links })
}

pub(super) fn decode(body: &[u8], content_type: Option<&str>) -> String {
    let label = content_type.and_then(|kind| kind.split(';').find_map(|part| part.trim().strip_prefix("charset=")));
    let encoding = label.and_then(|label| Encoding::for_label(label.trim_matches('"').as_bytes())).unwrap_or(UTF_8);
    encoding.decode(body).0.into_owned()
}

pub(super) fn parse(html: &str, url: &Url) -> (Option<String>, Vec<Url>) {
    let document = Html::parse_document(html);
    let select = |selector: &str| Selector::parse(selector).expect("the selector is a constant");
    let title = document.select(&select("title")).next().map(|title| {
        let text: String = title.text().collect();
        text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TITLE_CHARS).collect()
    });
    let base = document
        .select(&select("base[href]"))
        .next()
        .and_then(|base| url.join(base.attr("href")?).ok())
        .unwrap_or_else(|| url.clone());
    let mut seen = HashSet::new();
    let links = document
        .select(&select("a[href], area[href]"))
        .filter_map(|link| base.join(link.attr("href")?.trim()).ok())
        .filter(|link| matches!(link.scheme(), "http" | "https"))
        .map(|mut link| {
            link.set_fragment(None);
            link
        })
        .filter(|link| seen.insert(link.clone()))
        .collect();
    (title, links)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn title_and_links_are_found() {
        let html = "<html><head><title> A\n  page </title></head><body><a href='/a'>a</a><a href='/a#x'>again</a>\
                    <a href='https://other.example/b'>b</a><a href='mailto:x@y'>m</a><a href='javascript:1'>j</a>\
                    <a>none</a><area href='c?d=e'></body>";
        let (title, links) = parse(html, &"https://site.example/dir/page".parse().unwrap());
        assert_eq!(title.as_deref(), Some("A page"));
        let links: Vec<_> = links.iter().map(Url::as_str).collect();
        assert_eq!(links, ["https://site.example/a", "https://other.example/b", "https://site.example/dir/c?d=e"]);
    }
}
