//! `flowork job get`

use flowork_api_types::{JobId, job::Job};

use super::describe;
use crate::{client::Client, exit::Failure, output::Format};

pub(super) async fn run(id: JobId, client: &Client, format: Format) -> Result<(), Failure> {
    let job: Job = client.get(&format!("/v1/jobs/{id}")).await?;
    format.print(&job, describe)
}
