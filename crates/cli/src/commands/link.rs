//! `flowork link`

use flowork_api_types::auth::{LinkRequest, PairingLink};
use flowork_node::Config;
use serde_json::json;

use super::member;
use crate::{
    client::Client,
    exit::{Exit, Failure},
    output::Format,
};

/// Whom the link is for, and where it is opened
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Subject or name of the member it signs in; the owner without it
    #[arg(long, value_name = "SUBJECT")]
    member: Option<String>,
    /// One of gateway.public_hosts: the link for a browser that reaches the node under this name
    #[arg(long, value_name = "PUBLIC_HOST")]
    host: Option<String>,
}

pub(super) async fn run(args: Args, config: &Config, format: Format) -> Result<(), Failure> {
    let host = public_host(args.host.as_deref(), config)?;
    let client = Client::connect(config)?;
    let subject = match &args.member {
        Some(member) => Some(member::subject_of(&client, member).await?),
        None => None,
    };
    let link: PairingLink = client.post("/v1/auth/links", Some(&LinkRequest { subject })).await?;
    let public = host.and_then(|host| public_url(&link.url, host));
    let mut document = json!({"url": link.url, "expires_at": link.expires_at});
    if let Some(public) = &public {
        document["public_url"] = json!(public);
    }
    format.print(&document, |_| {
        format!("{}\nIt signs one browser in, once, until {}.", lines(&link.url, public.as_deref()), link.expires_at)
    })
}

/// The host that is asked for, or the first there is.
pub(super) fn public_host<'a>(asked: Option<&str>, config: &'a Config) -> Result<Option<&'a str>, Failure> {
    let hosts = config.gateway.tunnel.as_ref().map_or(&[][..], |tunnel| &tunnel.public_hosts);
    let Some(asked) = asked else { return Ok(hosts.first().map(String::as_str)) };
    match hosts.iter().find(|host| host.eq_ignore_ascii_case(asked)) {
        Some(host) => Ok(Some(host)),
        None => Err(Failure::new(Exit::Usage, "PUBLIC_HOST", format!("{asked:?} is none of gateway.public_hosts"))
            .hint("the node answers under those names only; add it there and start the node again".to_owned())),
    }
}

/// The same link as it is opened from elsewhere. The code counts wherever it comes from.
pub(super) fn public_url(url: &str, host: &str) -> Option<String> {
    let (_, code) = url.split_once("/#")?;
    Some(format!("https://{host}/#{code}"))
}

/// The link for this machine, and the one for elsewhere if there is one.
pub(super) fn lines(url: &str, public: Option<&str>) -> String {
    match public {
        Some(public) => format!("{url}\nor, from elsewhere:\n{public}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_link_has_the_same_code() {
        let url = public_url("http://127.0.0.1:7717/#pair=0123", "node.example.com");
        assert_eq!(url.as_deref(), Some("https://node.example.com/#pair=0123"));
    }
}
