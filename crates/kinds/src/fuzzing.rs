//! The parsers of what comes from outside, open to the fuzz targets and to nobody else.
//!
//! The rest of this crate shows its job kinds only: these parsers run behind a process or a connection, and a fuzzer has
//! no time for either.

pub use crate::{
    llm_chat::fuzzing::stream as llm_stream,
    modules::fuzzing::{manifest as module_manifest, output as module_output},
};
