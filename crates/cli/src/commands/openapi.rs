//! `flowork openapi`

use crate::{
    exit::{Exit, Failure},
    output,
};

pub(super) fn run() -> Result<(), Failure> {
    let document = flowork_node::openapi().to_pretty_json();
    output::line(&document.map_err(|error| Failure::from_error(Exit::Failed, "OPENAPI", &error))?)
}
