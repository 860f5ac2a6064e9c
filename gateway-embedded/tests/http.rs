//! The gateway over real HTTP: a real listener on a port the system picks, real engines and a real control store in a
//! temporary directory.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod http {
    mod access;
    mod audit;
    mod document;
    mod edge;
    mod engine_calls;
    mod errors;
    mod gateway;
    mod gui;
    mod jobs;
    mod limits;
    mod members;
    mod permission_table;
    mod permissions;
    mod policies;
    mod rates;
    mod resets;
    mod schedules;
    mod session_lists;
    mod session_sockets;
    mod sessions;
    mod sign_in;
    mod slow_clients;
    mod sockets;
    mod stream_seats;
    mod streams;
    mod time_rate;
    mod tokens;
    mod tunnel;
    mod wallet;
    mod workers;
}
