//! The list of targets. Each group is a file.

mod answers;
mod files;
mod gateway;
mod http;
mod keys;
mod module_files;
mod text;

/// A parser of bytes from outside.
pub struct Target {
    /// The name of its program and of its folder of seeds.
    pub name: &'static str,
    /// What it reads.
    pub about: &'static str,
    /// Reads it; a panic is a find.
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, about: &'static str, run: fn(&[u8])) -> Target {
    Target { name, about, run }
}

/// Every target.
pub const TARGETS: &[Target] = &[
    target("http_head", "the bytes of a connection: request lines, headers, framing", http::connection),
    target("http_body", "JSON bodies of every route, as the owner", http::body),
    target("http_query", "paths, filters and cursors of every route, as the owner", http::query),
    target("http_headers", "headers with a meaning: ids, traces, hosts, origins, keys", http::headers),
    target("access_token", "tokens of people, admins and engines, by each carrier", http::token),
    target("signed_token", "tokens, at the verifier itself", keys::signed_token),
    target("sign_in_message", "messages of wallets (EIP-4361) and their signatures", keys::sign_in_message),
    target("keystore_file", "keystore files, version 3", keys::keystore_file),
    target("vault_parts", "the parts of a vault's files, each by itself", keys::vault_parts),
    target("schedule_timing", "cron expressions and time zones", text::timing),
    target("egress_url", "URLs of jobs, and the hosts an owner allows", text::url),
    target("config_file", "config.toml", files::config),
    target("vault_files", "vault.json, vault.enc and its key", files::vault),
    target("module_output", "what a module writes to stdout", answers::module_output),
    target("module_manifest", "manifest.json of a module", answers::module_manifest),
    target("llm_stream", "streams and answers of providers", answers::llm_stream),
    target("web_page", "pages that site-check reads", answers::web_page),
    target("csv_file", "files that csv-profile reads", module_files::csv),
    target("socket_messages", "frames and messages of WebSockets", gateway::socket),
    target("access_assertion", "words of Cloudflare Access, and a team's keys", gateway::assertion),
    target("audit_rows", "rows of audit.db, as the check of the log reads them", files::audit_rows),
    target("image_file", "pictures that image-thumbnails reads", module_files::image),
];
