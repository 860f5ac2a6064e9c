//! Outgoing HTTP on a user's behalf: refuses addresses that are not the public internet.
//!
//! A URL in a job comes from somebody who may not be the owner of the machine. Without a guard it could reach the
//! router, the cloud's metadata address or the node itself. [`Egress`] resolves a name, drops every address that is
//! not public, connects to what is left and to nothing else, and does all of that again for each redirect. The owner
//! can allow hosts: `egress.allow_hosts` in `config.toml`.
//!
//! Not for calls the node makes for itself to addresses from its own configuration.
//! Start reading at [`Egress::send`].

mod address;
mod error;
mod policy;
mod redirect;
mod request;
mod resolve;
mod response;
mod send;

pub use address::{AddressClass, refused_class};
pub use error::EgressError;
pub use policy::{AllowedHost, EgressPolicy, ParseAllowedHostError};
pub use redirect::Redirect;
pub use request::{Limits, Request};
pub use reqwest::{Method, StatusCode, header};
pub use resolve::LookUp;
pub use response::Response;
pub use send::Egress;
pub use url::Url;
