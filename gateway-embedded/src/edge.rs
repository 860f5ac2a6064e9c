//! What every request passes before its route is even looked at: a request id and a span, the allow-lists of `Host` and
//! `Origin`, security headers on the way out, and the error envelope.

pub(crate) mod allow_list;
pub(crate) mod scope;
