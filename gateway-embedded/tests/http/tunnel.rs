//! The listener for a tunnel: everything on it is remote, and only there the tunnel's word about addresses counts.

use flowork_api_types::auth::Role;
use flowork_gateway::{BindError, GatewayOptions, Rate, TunnelOptions};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;

use super::gateway::{Gateway, read};

pub(crate) const PUBLIC_HOST: &str = "node.example.com";

/// Turns the tunnel's listener on.
pub(crate) fn with_tunnel(options: &mut GatewayOptions) {
    options.tunnel = Some(TunnelOptions {
        listen: "127.0.0.1:0".parse().unwrap(),
        public_hosts: vec![PUBLIC_HOST.to_owned()],
        access: None,
    });
}

/// A request as the tunnel sends it, but for the address.
pub(crate) fn bare(gateway: &Gateway, method: Method, path: &str) -> RequestBuilder {
    let address = gateway.handle.as_ref().unwrap().tunnel_addr().expect("there is a tunnel");
    gateway.client.request(method, format!("http://{address}{path}")).header("host", PUBLIC_HOST)
}

/// A request of `client` through the tunnel.
pub(crate) fn from(gateway: &Gateway, client: &str, method: Method, path: &str) -> RequestBuilder {
    bare(gateway, method, path).header("cf-connecting-ip", client)
}

fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

#[tokio::test]
async fn only_public_names_are_answered_there_and_only_local_ones_here() {
    let gateway = Gateway::start_with(with_tunnel).await;
    let local = gateway.url.strip_prefix("http://").unwrap().to_owned();
    let own_address = gateway.handle.as_ref().unwrap().tunnel_addr().unwrap().to_string();
    let ask = |host: &str| {
        let request = gateway.client.get(format!("http://{own_address}/health"));
        request.header("host", host).header("cf-connecting-ip", "203.0.113.9")
    };
    for host in [PUBLIC_HOST, "NODE.example.com"] {
        assert_eq!(read(ask(host)).await.status, StatusCode::OK, "{host}");
    }
    for host in [local.as_str(), &own_address, "localhost", "other.example.com", "node.example.com.evil.example"] {
        let answer = read(ask(host)).await;
        let refusal = (answer.status, answer.code());
        assert_eq!(refusal, (StatusCode::MISDIRECTED_REQUEST, "HOST_NOT_ALLOWED".to_owned()), "{host}");
    }
    let answer = read(gateway.get("/health").header("host", PUBLIC_HOST)).await;
    assert_eq!(answer.code(), "HOST_NOT_ALLOWED", "the public name is not one of the local listener's");
}

#[tokio::test]
async fn a_tunnel_that_does_not_say_whom_it_speaks_for_is_refused() {
    let gateway = Gateway::start_with(with_tunnel).await;
    let refused = |request: RequestBuilder, what: String| async move {
        let answer = read(request).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::BAD_REQUEST, "CLIENT_ADDRESS_INVALID"),
            "{what}"
        );
    };
    for path in ["/", "/health", "/v1/auth/me", "/nothing"] {
        refused(bare(&gateway, Method::GET, path), format!("{path} without an address")).await;
        let twice = from(&gateway, "203.0.113.9", Method::GET, path).header("cf-connecting-ip", "203.0.113.9");
        refused(twice, format!("{path} with two")).await;
        for nonsense in ["", "unknown", "203.0.113.9, 10.0.0.1", "203.0.113.9:80", "[2001:db8::1]"] {
            refused(from(&gateway, nonsense, Method::GET, path), format!("{path} from {nonsense:?}")).await;
        }
        let claimed = bare(&gateway, Method::GET, path).header("x-forwarded-for", "203.0.113.9");
        refused(claimed, format!("{path} with another header")).await;
    }
    for good in ["203.0.113.9", "2001:db8::9"] {
        assert_eq!(read(from(&gateway, good, Method::GET, "/health")).await.status, StatusCode::OK, "{good}");
    }
}

#[tokio::test]
async fn the_tunnels_word_counts_there_and_no_claim_of_an_address_anywhere_else() {
    let gateway = Gateway::start_with(|options| {
        with_tunnel(options);
        options.rates.address = Some(rate("3/h"));
    })
    .await;
    let ask = |client: &'static str, header: &'static str, value: String| {
        from(&gateway, client, Method::GET, "/health").header(header, value)
    };
    for n in 0..3 {
        let answer = read(ask("203.0.113.9", "x-forwarded-for", format!("198.51.100.{n}"))).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    for header in ["x-forwarded-for", "x-real-ip", "forwarded", "true-client-ip", "x-client-ip"] {
        let answer = read(ask("203.0.113.9", header, "198.51.100.77".to_owned())).await;
        assert_eq!(answer.code(), "RATE_LIMITED", "{header} changes nothing about who asks");
    }
    assert_eq!(read(ask("203.0.113.10", "x-real-ip", "203.0.113.9".to_owned())).await.status, StatusCode::OK);

    // Here anybody could send it, so it is not even read.
    for value in ["203.0.113.9", "nonsense"] {
        for _ in 0..5 {
            let answer = read(gateway.get("/health").header("cf-connecting-ip", value)).await;
            assert_eq!(answer.status, StatusCode::OK, "{value}");
        }
    }
}

#[tokio::test]
async fn being_behind_the_tunnel_gives_nobody_rights_and_takes_none() {
    let gateway = Gateway::start_with(with_tunnel).await;
    let nobody = read(from(&gateway, "203.0.113.9", Method::GET, "/v1/status")).await;
    assert_eq!((nobody.status, nobody.code().as_str()), (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"));
    let claimed = from(&gateway, "127.0.0.1", Method::GET, "/v1/status");
    assert_eq!(read(claimed).await.status, StatusCode::UNAUTHORIZED, "an address is no credential");
    let owner = read(from(&gateway, "203.0.113.9", Method::GET, "/v1/status").bearer_auth(&gateway.owner)).await;
    assert_eq!(owner.status, StatusCode::OK);
}

#[tokio::test]
async fn links_begin_with_the_name_under_which_the_caller_came() {
    let gateway = Gateway::start_with(with_tunnel).await;
    let remote = from(&gateway, "203.0.113.9", Method::POST, "/v1/auth/links").bearer_auth(&gateway.owner);
    let link = read(remote).await.json();
    assert!(link["url"].as_str().unwrap().starts_with("https://node.example.com/#pair="), "{link}");
    let link = read(gateway.post("/v1/auth/links")).await.json();
    assert!(link["url"].as_str().unwrap().starts_with(&format!("{}/#pair=", gateway.url)), "{link}");
}

#[tokio::test]
async fn the_node_says_where_others_reach_it_and_not_to_guests() {
    let gateway = Gateway::start_with(|options| {
        with_tunnel(options);
        let hosts = &mut options.tunnel.as_mut().unwrap().public_hosts;
        hosts.insert(0, "First.example.com".to_owned());
    })
    .await;
    let member = gateway.token("viewer", Role::Viewer);
    let here = read(gateway.plain(Method::GET, "/v1/status").bearer_auth(&member)).await.json();
    assert_eq!((&here["url"], &here["public_url"]), (&json!(gateway.url), &json!("https://first.example.com")));
    let there = read(from(&gateway, "203.0.113.9", Method::GET, "/v1/status").bearer_auth(&member)).await.json();
    assert_eq!(there["public_url"], "https://node.example.com", "the name that works for who asks");

    let guest = read(gateway.plain(Method::POST, "/v1/auth/guest")).await.json();
    let guest = guest["access_token"].as_str().unwrap();
    let told = read(gateway.plain(Method::GET, "/v1/status").bearer_auth(guest)).await.json();
    assert_eq!((&told["url"], &told["public_url"]), (&json!(""), &json!(null)));

    let without = Gateway::start().await;
    assert_eq!(read(without.get("/v1/status")).await.json()["public_url"], json!(null), "there is no tunnel");
}

#[tokio::test]
async fn browsers_are_told_to_stay_with_https_there_only() {
    let gateway = Gateway::start_with(with_tunnel).await;
    for path in ["/", "/health", "/v1/auth/me", "/nothing"] {
        let answer = read(from(&gateway, "203.0.113.9", Method::GET, path)).await;
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000", "{path}");
        assert_eq!(read(gateway.get(path)).await.header("strict-transport-security"), "", "{path} has no TLS here");
    }
}

#[tokio::test]
async fn pages_of_the_public_name_and_of_allowed_places_may_call_and_no_others() {
    let gateway = Gateway::start_with(|options| {
        with_tunnel(options);
        options.extra_origins = vec!["https://gui.example".to_owned()];
    })
    .await;
    let call = |origin: &str| {
        from(&gateway, "203.0.113.9", Method::GET, "/v1/auth/me").bearer_auth(&gateway.owner).header("origin", origin)
    };
    let own = read(call("https://node.example.com")).await;
    assert_eq!((own.status, own.header("access-control-allow-origin")), (StatusCode::OK, ""));
    let allowed = read(call("https://gui.example")).await;
    assert_eq!(allowed.header("access-control-allow-origin"), "https://gui.example");
    assert!(
        allowed.header("access-control-expose-headers").contains("ratelimit"),
        "programs in pages can pace themselves"
    );
    for origin in ["http://node.example.com", &gateway.url, "null", "https://evil.example", "https://xnode.example.com"]
    {
        let answer = read(call(origin)).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "ORIGIN_NOT_ALLOWED"), "{origin}");
        let socket = call(origin)
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(read(socket).await.code(), "ORIGIN_NOT_ALLOWED", "{origin} opens no WebSocket");
    }
}

#[tokio::test]
async fn other_machines_are_let_in_only_if_the_owner_says_so() {
    let open = "0.0.0.0:0".parse().unwrap();
    let local = GatewayOptions::new(open);
    let mut tunnel = GatewayOptions::new("127.0.0.1:0".parse().unwrap());
    with_tunnel(&mut tunnel);
    tunnel.tunnel.as_mut().unwrap().listen = open;
    for options in [local.clone(), tunnel.clone()] {
        let error = flowork_gateway::bind(options).await.err().expect("nobody asked for that");
        assert!(matches!(error, BindError::BeyondLoopback { address } if address == open), "{error}");
    }
    for mut options in [local, tunnel] {
        options.beyond_loopback = true;
        assert!(flowork_gateway::bind(options).await.is_ok());
    }
}

#[tokio::test]
async fn a_flood_of_the_tunnel_leaves_the_local_window_alone() {
    let gateway = Gateway::start_with(|options| {
        with_tunnel(options);
        options.limits.tunnel_connections_max = 4;
        options.limits.connections_max = 4;
    })
    .await;
    let tunnel = gateway.handle.as_ref().unwrap().tunnel_addr().unwrap();
    let mut flood = Vec::new();
    for _ in 0..64 {
        flood.push(tokio::net::TcpStream::connect(tunnel).await.unwrap());
    }
    let token = gateway.token("viewer", Role::Viewer);
    for _ in 0..10 {
        assert_eq!(read(gateway.get("/v1/auth/me")).await.status, StatusCode::OK);
        let remote = from(&gateway, "203.0.113.9", Method::GET, "/health").bearer_auth(&token);
        assert_eq!(read(remote).await.status, StatusCode::OK, "those who ask are served there, too");
    }
    gateway.enqueue("k", json!({"kind": "noop"})).await;
}
