//! Settings of the gateway: who may reach it, and how often.

use super::{Items, Setting, ValueKind};

const NOTHING: fn() -> Option<String> = || None;
const EMPTY: fn() -> Option<String> = || Some(String::new());

/// How many open connections a process can hope for.
const CONNECTIONS: ValueKind = ValueKind::Integer { min: 8, max: 1_000_000 };

pub(super) const GATEWAY: &[Setting] = &[
    Setting::new(
        "gateway.allowed_hosts",
        "FLOWORK_GATEWAY_ALLOWED_HOSTS",
        ValueKind::List(Items::Hosts),
        EMPTY,
        "Further Host headers to answer, beside the address listened on, such as flowork.lan",
    ),
    Setting::new(
        "gateway.allowed_origins",
        "FLOWORK_GATEWAY_ALLOWED_ORIGINS",
        ValueKind::List(Items::Origins),
        EMPTY,
        "Further web origins that may call the node from a browser, such as https://example.org",
    ),
    Setting::new(
        "auth.chain_ids",
        "FLOWORK_AUTH_CHAIN_IDS",
        ValueKind::List(Items::ChainIds),
        || Some("1".to_owned()),
        "Chains that a wallet may be on to sign in, the one for wallets that name none first, such as 1, 8453; nothing \
         is asked of a chain",
    ),
    Setting::new(
        "gateway.beyond_loopback",
        "FLOWORK_GATEWAY_BEYOND_LOOPBACK",
        ValueKind::Boolean,
        || Some("false".to_owned()),
        "Whether listen and gateway.tunnel_listen may be addresses that other machines reach; what they send and get \
         is not encrypted",
    ),
    Setting::new(
        "gateway.tunnel_listen",
        "FLOWORK_GATEWAY_TUNNEL_LISTEN",
        ValueKind::Address,
        NOTHING,
        "Address and port of a second listener, for a Cloudflare tunnel; all that comes by it is taken for remote. \
         None without it",
    ),
    Setting::new(
        "gateway.public_hosts",
        "FLOWORK_GATEWAY_PUBLIC_HOSTS",
        ValueKind::List(Items::Hosts),
        EMPTY,
        "The names under which the tunnel is reached, such as node.example.com; its listener answers no other",
    ),
    Setting::new(
        "gateway.access.team_domain",
        "FLOWORK_GATEWAY_ACCESS_TEAM_DOMAIN",
        ValueKind::Url,
        NOTHING,
        "A Cloudflare Access team such as https://team.cloudflareaccess.com, which must have let in all that comes by \
         the tunnel",
    ),
    Setting::new(
        "gateway.access.audience",
        "FLOWORK_GATEWAY_ACCESS_AUDIENCE",
        ValueKind::Text,
        NOTHING,
        "The audience tag (AUD) of the node's application in Cloudflare Access",
    ),
    Setting::new(
        "gateway.connections_max",
        "FLOWORK_GATEWAY_CONNECTIONS_MAX",
        CONNECTIONS,
        || Some("1024".to_owned()),
        "Connections at a time on the local listener; beyond it those go that keep the node waiting",
    ),
    Setting::new(
        "gateway.tunnel_connections_max",
        "FLOWORK_GATEWAY_TUNNEL_CONNECTIONS_MAX",
        CONNECTIONS,
        || Some("512".to_owned()),
        "Connections at a time on the tunnel's listener",
    ),
    Setting::new(
        "gateway.sockets_max",
        "FLOWORK_GATEWAY_SOCKETS_MAX",
        CONNECTIONS,
        || Some("10000".to_owned()),
        "WebSockets at a time, which are not counted as connections once they are open",
    ),
    Setting::new(
        "gateway.rates.address",
        "FLOWORK_GATEWAY_RATES_ADDRESS",
        ValueKind::Rate,
        || Some("1200/m".to_owned()),
        "Requests without a sign-in, and those of guests, from one remote address; off for no limit",
    ),
    Setting::new(
        "gateway.rates.auth",
        "FLOWORK_GATEWAY_RATES_AUTH",
        ValueKind::Rate,
        || Some("60/m".to_owned()),
        "Sign-ins that one remote address may try",
    ),
    Setting::new(
        "gateway.rates.refresh",
        "FLOWORK_GATEWAY_RATES_REFRESH",
        ValueKind::Rate,
        || Some("600/m".to_owned()),
        "Sign-ins that one remote address may go on with",
    ),
    Setting::new(
        "gateway.rates.failures",
        "FLOWORK_GATEWAY_RATES_FAILURES",
        ValueKind::Rate,
        || Some("30/m".to_owned()),
        "Failed sign-ins of one remote address, after which it may not try to sign in for a while",
    ),
    Setting::new(
        "gateway.rates.time",
        "FLOWORK_GATEWAY_RATES_TIME",
        ValueKind::Rate,
        || Some("1000/s".to_owned()),
        "Readings of the node's clock (/v1/time) from one remote address; at least 100/s",
    ),
    Setting::new(
        "gateway.rates.read",
        "FLOWORK_GATEWAY_RATES_READ",
        ValueKind::Rate,
        || Some("6000/m".to_owned()),
        "What one person reads",
    ),
    Setting::new(
        "gateway.rates.write",
        "FLOWORK_GATEWAY_RATES_WRITE",
        ValueKind::Rate,
        || Some("3000/m".to_owned()),
        "What one person changes",
    ),
    Setting::new(
        "gateway.rates.sessions",
        "FLOWORK_GATEWAY_RATES_SESSIONS",
        ValueKind::Rate,
        || Some("100/m".to_owned()),
        "What one person asks of sync sessions; off for no limit",
    ),
    Setting::new(
        "gateway.rates.engine",
        "FLOWORK_GATEWAY_RATES_ENGINE",
        ValueKind::Rate,
        || Some("60000/m".to_owned()),
        "Calls of one engine on another machine",
    ),
    Setting::new(
        "gateway.rates.local",
        "FLOWORK_GATEWAY_RATES_LOCAL",
        ValueKind::Rate,
        || Some("100000/s".to_owned()),
        "In place of those for people and engines: the owner, each operator and each engine on this machine; off for \
         no limit",
    ),
];
