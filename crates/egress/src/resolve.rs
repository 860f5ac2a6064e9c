//! Name look-up that hands out only addresses the policy lets through. The HTTP client connects to what it gets here
//! and to nothing else, so a name that changes its address between check and connect gains nothing.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::{address::AddressClass, policy::EgressPolicy};

/// A name all of whose addresses are refused.
#[derive(Debug, thiserror::Error)]
#[error("{address} is a {class} address")]
pub(crate) struct RefusedAddress {
    pub(crate) address: IpAddr,
    pub(crate) class: AddressClass,
}

/// A name that does not resolve.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UnresolvedName(pub(crate) io::Error);

/// Who turns a name into addresses. What comes of it is not believed: each address is checked.
pub trait LookUp: fmt::Debug + Send + Sync {
    /// The addresses of `name`.
    fn look_up<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;
}

/// The system's resolver.
#[derive(Debug)]
pub(crate) struct SystemLookUp;

impl LookUp for SystemLookUp {
    fn look_up<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) })
    }
}

/// Looks names up and filters what comes back.
#[derive(Clone)]
pub(crate) struct Resolver {
    pub(crate) names: Arc<dyn LookUp>,
    /// `None`: a host the owner named, whose addresses are not looked at.
    pub(crate) policy: Option<Arc<EgressPolicy>>,
}

impl Resolver {
    pub(crate) async fn addresses(&self, name: &str) -> Result<Vec<SocketAddr>, LookUpError> {
        let found = self.names.look_up(name).await.map_err(UnresolvedName)?;
        let found: Vec<_> = found.into_iter().map(|address| SocketAddr::new(address, 0)).collect();
        let Some(policy) = &self.policy else {
            return Ok(found);
        };
        self::allowed(policy, found)
    }
}

fn allowed(policy: &EgressPolicy, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, LookUpError> {
    let mut refused = None;
    let mut allowed = Vec::with_capacity(found.len());
    for address in found {
        match policy.refused_class(address.ip()) {
            Some(class) => refused = Some(RefusedAddress { address: address.ip(), class }),
            None => allowed.push(address),
        }
    }
    match refused {
        Some(refused) if allowed.is_empty() => Err(refused.into()),
        _ if allowed.is_empty() => Err(UnresolvedName(io::Error::other("the name has no address")).into()),
        _ => Ok(allowed),
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum LookUpError {
    #[error(transparent)]
    Refused(#[from] RefusedAddress),
    #[error(transparent)]
    Unresolved(#[from] UnresolvedName),
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses = resolver.addresses(name.as_str()).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allowed_addresses_of_a_name_are_handed_out() {
        let policy = EgressPolicy::parse(&["10.1.0.0/16"]).unwrap();
        let found = ["8.8.8.8:0", "127.0.0.1:0", "10.1.2.3:0", "10.2.0.1:0", "[::1]:0"];
        let found = found.map(|text| text.parse().unwrap()).to_vec();
        let kept: Vec<_> = allowed(&policy, found).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(kept, ["8.8.8.8:0", "10.1.2.3:0"]);
        let private = vec!["192.168.0.1:0".parse().unwrap()];
        assert!(matches!(allowed(&policy, private), Err(LookUpError::Refused(_))));
    }
}
