//! The HTTP surface of a node: routes, sign-in, permissions, events, the embedded GUI.
//!
//! Start at `router.rs`, the one list of routes with the permission of each. A request passes the `edge` (request id,
//! `Host` and `Origin` allow-lists), then `auth` (who is it, may they), then its file below `routes`, which extracts,
//! calls the engine or the control store, and converts. Connections are accepted, limited and ended in `listener`.
//!
//! [`fuzzing`] is for tests that feed its readers with what nobody would send.
//!
//! Not here: SQL, rules about jobs, anything of the desktop shell.

mod app;
mod auth;
mod edge;
mod error;
mod extract;
pub mod fuzzing;
mod gui;
mod listener;
mod openapi;
mod options;
mod policies;
mod router;
mod routes;
mod sockets;
mod sse;

pub use app::{GatewayState, NodeFacts};
pub use auth::permission::{GuestOpenings, Permission, Standing};
pub use edge::audit::AuditRule;
pub use flowork_admission::Rate;
pub use flowork_tokens::{InvalidKeyError, TokenKeys};
pub use listener::{AccessError, BindError, BoundGateway, GatewayHandle, Shutdown, Waker, bind};
pub use openapi::openapi;
pub use options::{AccessOptions, GatewayOptions, Limits, Rates, TunnelOptions};
pub use policies::enforce;
pub use router::{RouteEntry, route_table};
pub use routes::auth::links::pairing_url;
