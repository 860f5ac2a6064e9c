//! What every request passes before its route is even looked at: a request id and a span, the client's address, budgets,
//! Cloudflare Access on the tunnel's listener, the allow-lists of `Host` and `Origin`, security headers on the way out,
//! and the error envelope.

pub(crate) mod access;
pub(crate) mod admission;
pub(crate) mod allow_list;
pub(crate) mod audit;
pub(crate) mod bounds;
pub(crate) mod client;
pub(crate) mod scope;
