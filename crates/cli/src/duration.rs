//! Durations as people type them, the same as in `config.toml`.

pub(crate) use flowork_node::config::parse_duration as parse;
