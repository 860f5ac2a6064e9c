//! `flowork link`

use flowork_api_types::auth::PairingLink;

use crate::{client::Client, exit::Failure, output::Format};

pub(super) async fn run(client: &Client, format: Format) -> Result<(), Failure> {
    let link: PairingLink = client.post("/v1/auth/links", None::<&()>).await?;
    format.print(&link, |link| format!("{}\nIt signs one browser in, once, until {}.", link.url, link.expires_at))
}
