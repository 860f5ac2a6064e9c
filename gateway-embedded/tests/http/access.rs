//! Cloudflare Access in front of the tunnel, with an issuer on loopback.

use flowork_gateway::{AccessOptions, BindError, GatewayOptions};
use flowork_test_support::{AccessIssuer, AccessKey};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    gateway::{Answer, Gateway, read},
    tunnel::{from, with_tunnel},
};

const AUDIENCE: &str = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2";

struct Behind {
    gateway: Gateway,
    issuer: AccessIssuer,
    key: AccessKey,
}

impl Behind {
    async fn start() -> Self {
        let key = AccessKey::generate("first").unwrap();
        let issuer = AccessIssuer::start(key.clone()).await.unwrap();
        let team_domain = issuer.url().to_owned();
        let gateway = Gateway::start_with(|options| {
            with_tunnel(options);
            options.tunnel.as_mut().unwrap().access =
                Some(AccessOptions { team_domain, audience: AUDIENCE.to_owned() });
        })
        .await;
        Self { gateway, issuer, key }
    }

    fn good(&self) -> String {
        self.issuer.assertion(&self.key, AUDIENCE).unwrap()
    }

    async fn ask(&self, path: &str, assertions: &[&str]) -> Answer {
        let request = from(&self.gateway, "203.0.113.9", Method::GET, path);
        read(assertions.iter().fold(request, |request, text| request.header("cf-access-jwt-assertion", *text))).await
    }

    async fn refused(&self, what: &str, assertions: &[&str]) {
        let answer = self.ask("/health", assertions).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "ACCESS_REFUSED"), "{what}");
    }
}

#[tokio::test]
async fn every_request_of_the_tunnel_needs_the_edges_word() {
    let behind = Behind::start().await;
    for path in ["/", "/health", "/openapi.json", "/v1/auth/me", "/nothing"] {
        let answer = behind.ask(path, &[]).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "ACCESS_REFUSED"), "{path}");
    }
    assert_eq!(behind.ask("/health", &[&behind.good()]).await.status, StatusCode::OK);
    let me = behind.ask("/v1/auth/me", &[&behind.good()]).await;
    assert_eq!(me.code(), "UNAUTHENTICATED", "it is one more door and opens no other");
    assert_eq!(read(behind.gateway.get("/health")).await.status, StatusCode::OK, "the local listener asks for none");
}

#[tokio::test]
async fn assertions_that_are_not_for_this_node_are_refused() {
    let behind = Behind::start().await;
    let (issuer, key) = (&behind.issuer, &behind.key);
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": "first"});
    let good = behind.good();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut claims = issuer.claims(AUDIENCE);
        change(&mut claims);
        key.sign(&header, &claims).unwrap()
    };
    let now = issuer.claims(AUDIENCE)["iat"].as_u64().unwrap();
    for (what, assertion) in [
        ("expired", with(&|claims| claims["exp"] = json!(now - 3_600))),
        ("not yet", with(&|claims| claims["nbf"] = json!(now + 3_600))),
        ("endless", with(&|claims| drop(claims.as_object_mut().unwrap().remove("exp")))),
        ("of another team", with(&|claims| claims["iss"] = json!("https://evil.cloudflareaccess.com"))),
        ("of nobody", with(&|claims| drop(claims.as_object_mut().unwrap().remove("iss")))),
        ("for another application", with(&|claims| claims["aud"] = json!(["other"]))),
        ("for none", with(&|claims| drop(claims.as_object_mut().unwrap().remove("aud")))),
        (
            "with another algorithm",
            key.sign(&json!({"alg": "RS512", "kid": "first"}), &issuer.claims(AUDIENCE)).unwrap(),
        ),
        ("unsigned", key.sign(&json!({"alg": "none", "kid": "first"}), &issuer.claims(AUDIENCE)).unwrap()),
        ("by a shared secret", key.sign(&json!({"alg": "HS256", "kid": "first"}), &issuer.claims(AUDIENCE)).unwrap()),
        ("without a key", key.sign(&json!({"alg": "RS256"}), &issuer.claims(AUDIENCE)).unwrap()),
        ("cut short", good[..good.len() - 4].to_owned()),
        ("empty", String::new()),
        ("no token", "x".to_owned()),
        ("too long", "x".repeat(20 << 10)),
        ("of the owner", behind.gateway.owner.clone()),
    ] {
        behind.refused(what, &[&assertion]).await;
    }
    let (head, signature) = good.rsplit_once('.').unwrap();
    let other = with(&|claims| claims["email"] = json!("other@example.com"));
    let (other, _) = other.rsplit_once('.').unwrap();
    behind.refused("of one with another's signature", &[&format!("{other}.{signature}")]).await;
    behind.refused("without a signature", &[&format!("{head}.")]).await;
    behind.refused("one of two", &[&good, &good]).await;
    let stranger = AccessKey::generate("first").unwrap();
    behind.refused("by another key of that name", &[&issuer.assertion(&stranger, AUDIENCE).unwrap()]).await;
    assert_eq!(behind.ask("/health", &[&good]).await.status, StatusCode::OK, "the control");
}

#[tokio::test]
async fn keys_are_fetched_once_and_made_up_names_do_not_become_a_flood() {
    let behind = Behind::start().await;
    assert_eq!(behind.issuer.fetches(), 0, "nobody asked yet");
    for _ in 0..5 {
        assert_eq!(behind.ask("/health", &[&behind.good()]).await.status, StatusCode::OK);
    }
    assert_eq!(behind.issuer.fetches(), 1);
    let header = |n: usize| json!({"alg": "RS256", "kid": format!("made-up-{n}")});
    for n in 0..20 {
        let unknown = behind.key.sign(&header(n), &behind.issuer.claims(AUDIENCE)).unwrap();
        behind.refused("by a made-up key", &[&unknown]).await;
    }
    assert_eq!(behind.issuer.fetches(), 1, "at most once a minute");
}

#[tokio::test]
async fn keys_that_are_known_survive_an_outage_of_the_team() {
    let behind = Behind::start().await;
    assert_eq!(behind.ask("/health", &[&behind.good()]).await.status, StatusCode::OK);
    behind.issuer.set_offline(true);
    assert_eq!(behind.ask("/health", &[&behind.good()]).await.status, StatusCode::OK);

    let cold = Behind::start().await;
    cold.issuer.set_offline(true);
    cold.refused("while no key is known", &[&cold.good()]).await;
}

#[tokio::test]
async fn a_team_without_tls_is_refused_at_the_start() {
    for team_domain in ["http://team.cloudflareaccess.com", "team.cloudflareaccess.com", "https://a.example/path"] {
        let mut options = GatewayOptions::new("127.0.0.1:0".parse().unwrap());
        with_tunnel(&mut options);
        let access = AccessOptions { team_domain: team_domain.to_owned(), audience: AUDIENCE.to_owned() };
        options.tunnel.as_mut().unwrap().access = Some(access);
        let error = flowork_gateway::bind(options).await.err().expect("not the address of a team");
        assert!(matches!(error, BindError::Access(_)), "{error}");
    }
}
