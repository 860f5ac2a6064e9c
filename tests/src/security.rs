//! What nobody may get at, whatever happens.

mod bad_tokens;
mod callers;
mod canaries;
mod carriers;
mod objects;
mod processes;
mod search;
