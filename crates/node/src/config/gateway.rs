//! What the settings of the gateway come to.

use std::net::SocketAddr;

use flowork_api_types::node::Notice;
use flowork_gateway::{AccessOptions, GatewayOptions, Limits, Rate, Rates, TunnelOptions};

use super::{ConfigError, layers::Values, value};

/// People in one room share an address, and each window sets its clock.
const TIME_RATE_MIN_PER_SECOND: u64 = 100;

impl Values {
    pub(super) fn gateway(&self) -> Result<GatewayOptions, ConfigError> {
        let beyond_loopback = self.boolean("gateway.beyond_loopback");
        let listen = self.address("listen", beyond_loopback)?.expect("listen has a default");
        Ok(GatewayOptions {
            tunnel: self.tunnel(beyond_loopback)?,
            beyond_loopback,
            extra_hosts: self.list("gateway.allowed_hosts"),
            extra_origins: self.list("gateway.allowed_origins"),
            chain_ids: self.chain_ids(),
            limits: Limits {
                connections_max: self.integer("gateway.connections_max") as usize,
                sockets_max: self.integer("gateway.sockets_max") as usize,
                tunnel_connections_max: self.integer("gateway.tunnel_connections_max") as usize,
                ..Limits::default()
            },
            rates: self.rates()?,
            ..GatewayOptions::new(listen)
        })
    }

    fn tunnel(&self, beyond_loopback: bool) -> Result<Option<TunnelOptions>, ConfigError> {
        let access = self.access()?;
        let Some(listen) = self.address("gateway.tunnel_listen", beyond_loopback)? else {
            return match access {
                Some(_) => Err(self.incomplete("gateway.access.team_domain", "gateway.tunnel_listen")),
                None => Ok(None),
            };
        };
        let public_hosts = self.list("gateway.public_hosts");
        if public_hosts.is_empty() {
            return Err(self.incomplete("gateway.tunnel_listen", "gateway.public_hosts"));
        }
        Ok(Some(TunnelOptions { listen, public_hosts, access }))
    }

    fn access(&self) -> Result<Option<AccessOptions>, ConfigError> {
        const TEAM: &str = "gateway.access.team_domain";
        const AUDIENCE: &str = "gateway.access.audience";
        match (self.text(TEAM), self.text(AUDIENCE).filter(|audience| !audience.is_empty())) {
            (Some(team_domain), Some(audience)) => Ok(Some(AccessOptions { team_domain, audience })),
            (Some(_), None) => Err(self.incomplete(TEAM, AUDIENCE)),
            (None, Some(_)) => Err(self.incomplete(AUDIENCE, TEAM)),
            (None, None) => Ok(None),
        }
    }

    /// An empty list stands for the default: somebody must be able to sign in.
    fn chain_ids(&self) -> Vec<u64> {
        let chains: Vec<_> = self.list("auth.chain_ids").iter().filter_map(|text| text.parse().ok()).collect();
        if chains.is_empty() { vec![1] } else { chains }
    }

    fn rates(&self) -> Result<Rates, ConfigError> {
        let rate = |name: &str| self.text(&format!("gateway.rates.{name}")).and_then(|text| text.parse::<Rate>().ok());
        let time = rate("time");
        if let Some(time) = time
            && u64::from(time.quota()) < TIME_RATE_MIN_PER_SECOND * time.window().as_secs()
        {
            return Err(ConfigError::WrongValue {
                place: self.place("gateway.rates.time"),
                key: "gateway.rates.time".to_owned(),
                expected: format!("at least {TIME_RATE_MIN_PER_SECOND}/s"),
                found: time.to_string(),
            });
        }
        Ok(Rates {
            address: rate("address"),
            auth: rate("auth"),
            refresh: rate("refresh"),
            failures: rate("failures"),
            time,
            read: rate("read"),
            write: rate("write"),
            sessions: rate("sessions"),
            engine: rate("engine"),
            local: rate("local"),
        })
    }

    fn address(&self, key: &str, beyond_loopback: bool) -> Result<Option<SocketAddr>, ConfigError> {
        let Some(text) = self.text(key) else { return Ok(None) };
        let address = value::parse_address(&text).expect("addresses were checked when they were read");
        if address.ip().is_loopback() || beyond_loopback {
            Ok(Some(address))
        } else {
            Err(ConfigError::NotLoopback { place: self.place(key), address })
        }
    }

    fn incomplete(&self, key: &'static str, needs: &'static str) -> ConfigError {
        ConfigError::Incomplete { place: self.place(key), key, needs }
    }
}

/// What a person should know who let other machines reach the node.
pub(super) fn reachable(options: &GatewayOptions) -> Option<Notice> {
    let addresses = [Some(options.listen), options.tunnel.as_ref().map(|tunnel| tunnel.listen)];
    let open = addresses.into_iter().flatten().find(|address| !address.ip().is_loopback())?;
    Some(Notice {
        code: "REACHABLE_UNENCRYPTED".to_owned(),
        message: format!(
            "Other machines reach this node at {open}, and what they send, tokens included, is not encrypted."
        ),
        hint: Some(
            "let a tunnel or a proxy with TLS on this machine speak to gateway.tunnel_listen, and set \
             gateway.beyond_loopback = false; a proxy has to overwrite CF-Connecting-IP with its client's address"
                .to_owned(),
        ),
    })
}
