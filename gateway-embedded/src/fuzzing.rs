//! The readers of bytes that come to the gateway, open to the fuzz targets and to nobody else: a fuzzer has no time for
//! connections, and no team at Cloudflare.

pub use crate::{
    edge::access::fuzzing::Assertions,
    sockets::fuzzing::{Taken, hear},
};
