//! `flowork job cancel`

use flowork_api_types::{JobId, job::Job};

use crate::{client::Client, exit::Failure, output::Format};

pub(super) async fn run(id: JobId, client: &Client, format: Format) -> Result<(), Failure> {
    let job: Job = client.post(&format!("/v1/jobs/{id}/cancel"), None::<&()>).await?;
    format.print(&job, |job| {
        if job.summary.state.is_final() {
            format!("{id} {}", job.summary.state)
        } else {
            format!("{id} is still running; its worker was told to stop")
        }
    })
}
