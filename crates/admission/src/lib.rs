//! Who may ask how often: token buckets by address, person or engine, in memory that never grows.
//!
//! Pure: no I/O, no clock of its own, no knowledge of HTTP. What counts against which budget is the gateway's to say.
//! Start reading at [`Limiter`]; [`InFlight`] bounds how much one caller does at a time.
//!
//! Why not a crate: the keyed limiters there are (`governor` among them) keep a map that grows by an entry for each
//! key, and shrink it by sweeping. Addresses can be made up by the million, so the map would be as large as a stranger
//! wants between two sweeps, and a map with a bound that drops the oldest would let him reset his own bucket, and
//! others', by filling it.

mod in_flight;
mod limiter;
mod network;
mod rate;

pub use in_flight::{InFlight, Place};
pub use limiter::{Limiter, Verdict};
pub use network::Network;
pub use rate::{ParseRateError, Rate};
