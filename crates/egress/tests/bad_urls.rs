//! URLs that must never lead to a connection.

use flowork_egress::{Egress, EgressError, EgressPolicy, Method, Request};
use tokio::net::{TcpListener, TcpStream};

/// Loopback, private and special addresses in every spelling a URL parser accepts.
const BAD_HOSTS: &[&str] = &[
    // loopback, spelled every way
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0x7f.0.0.1",
    "017700000001",
    "0177.0.0.1",
    "0177.0.0.01",
    "0x7F.0x0.0x0.0x1",
    "127.0x0.0.1",
    "127.00.00.01",
    "0x7f.00.0x0.01",
    "１２７.０.０.１",
    "127。0。0。1",
    "127．0．0．1",
    "①②⑦.0.0.1",
    "%31%32%37.0.0.1",
    "127%2e0.0.1",
    "0x7f000001.",
    "localhost",
    "LOCALHOST",
    "LocalHost",
    "localhost.",
    "foo.localhost",
    "foo.localhost.",
    "a.b.localhost",
    "localhost.localdomain",
    "ip6-localhost",
    "ip6-loopback",
    "ｌｏｃａｌｈｏｓｔ",
    "%6c%6f%63%61%6c%68%6f%73%74",
    "localho%73t",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000::0001]",
    "[::0.0.0.1]",
    // unspecified
    "0.0.0.0",
    "0",
    "0x0",
    "00",
    "0.0",
    "0.1.2.3",
    "[::]",
    "[0::0]",
    // IPv4 inside IPv6
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::FFFF:10.0.0.1]",
    "[::ffff:8.8.8.8]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[::10.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::10.0.0.1]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]",
    "[2002:c0a8:101::]",
    "[2001::1]",
    "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
    "[2a00::5efe:7f00:1]",
    // private
    "10.0.0.1",
    "10.255.255.255",
    "0xa.0.0.1",
    "167772161",
    "012.0.0.1",
    "10.1",
    "172.16.0.1",
    "172.31.255.255",
    "2886729729",
    "192.168.0.1",
    "192.168.1",
    "192.168.255.255",
    "3232235777",
    "0xc0a80101",
    "0300.0250.1.1",
    "[fc00::1]",
    "[fd12:3456:789a::1]",
    "[fec0::1]",
    // link-local and metadata
    "169.254.0.1",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "169.16689662",
    "[fe80::1]",
    "[febf::1]",
    "[fd00:ec2::254]",
    "[::ffff:169.254.169.254]",
    "100.100.100.200",
    "168.63.129.16",
    // carrier NAT, multicast, broadcast, reserved
    "100.64.0.1",
    "100.127.255.254",
    "224.0.0.1",
    "239.255.255.250",
    "[ff02::1]",
    "[ff05::2]",
    "255.255.255.255",
    "0xffffffff",
    "4294967295",
    "240.0.0.1",
    "250.1.2.3",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "[2001:db8::1]",
    "[3fff::1]",
    "[100::1]",
    "[5f00::1]",
    "[4000::1]",
    "[2001:10::1]",
    // the same again, as scanners write them
    "0x7f.0x0.0x0.0x1",
    "0177.0x0.0.1",
    "127.0.0.0",
    "127.127.127.127",
    "127.65534",
    "0x7f.65534",
    "2130706434",
    "0300.0250.0.1",
    "0xc0.0xa8.0x01.0x01",
    "192.168.257",
    "0xac.0x10.0x00.0x01",
    "172.1048577",
    "10.0x0.0.01",
    "0x0a000001",
    "100.0x40.0.1",
    "0x64400001",
    "169.0xfe.0xa9.0xfe",
    "0xa9.0xfe.43518",
    "0251.254.169.254",
    "224.1",
    "0xe0000001",
    "[::ffff:0a00:0001]",
    "[::ffff:c0a8:0101]",
    "[::ffff:0:0]",
    "[0:0:0:0:0:ffff:a9fe:a9fe]",
    "[64:ff9b::c0a8:101]",
    "[64:ff9b::ac10:1]",
    "[2002:ac10:1::1]",
    "[2002:0a00:0001::]",
    "[2001:0:a9fe:a9fe::1]",
    "[fe80::5efe:7f00:1]",
    "[fe90::1]",
    "[feb0:1::1]",
    "[fcff:ffff::1]",
    "[fdff:ffff:ffff::1]",
    "[ff00::1]",
    "[ff0e::1]",
    "[2001:2::1]",
    "[2001:100::1]",
    "[e000::1]",
    "[fe00::1]",
    "[200::1]",
];

/// Spellings of this machine, which has something listening: a connection would be noticed.
const LOOPBACK: &[&str] = &[
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "１２７.０.０.１",
    "127。0。0。1",
    "%31%32%37.0.0.1",
    "localhost",
    "localhost.",
    "foo.localhost",
    "%6c%6f%63%61%6c%68%6f%73%74",
    "0.0.0.0",
    "0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:0:0:1]",
];

async fn refusal(url: &str) -> EgressError {
    let egress = Egress::new(EgressPolicy::default());
    match Request::new(Method::GET, url) {
        Ok(request) => egress.send(request).await.expect_err(url),
        Err(error) => error,
    }
}

#[tokio::test]
async fn special_addresses_are_refused_however_they_are_spelled() {
    assert!(
        BAD_HOSTS.len() >= 160,
        "with two URLs each they are more than 300, but they shrank to {}",
        BAD_HOSTS.len()
    );
    let different: std::collections::BTreeSet<_> = BAD_HOSTS.iter().collect();
    assert_eq!(different.len(), BAD_HOSTS.len(), "each is one more case");
    for host in BAD_HOSTS {
        for url in [format!("http://{host}/"), format!("https://{host}:8443/x?y=z")] {
            let error = refusal(&url).await;
            assert!(matches!(error, EgressError::Refused { .. }), "{url}: {error:?}");
            assert!(error.hint().unwrap().contains("egress.allow_hosts"), "{url}");
        }
    }
}

#[tokio::test]
async fn bad_urls_are_refused() {
    for url in [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "data:text/plain,x",
        "javascript:1",
        "unix:///run/docker.sock",
        "ws://example.com/",
        "dict://example.com:11211/",
        "ldap://example.com/",
        "jar:http://example.com!/",
        "blob:https://example.com/x",
        "about:blank",
        "chrome://settings",
    ] {
        assert!(matches!(refusal(url).await, EgressError::SchemeNotAllowed { .. }), "{url}");
    }
    for url in [
        "https://user@example.com/",
        "https://user:pass@example.com/",
        "https://:pass@example.com/",
        "http://127.0.0.1@example.com/",
        "http://example.com@127.0.0.1/",
        "http://a:b@localhost/",
    ] {
        let error = refusal(url).await;
        assert!(matches!(error, EgressError::CredentialsInUrl { .. }), "{url}: {error:?}");
        assert!(!error.to_string().contains("pass@"), "the password must not be repeated: {error}");
    }
    for url in [
        "",
        "example.com",
        "/path",
        "http://",
        "http://[::1",
        "http://256.1.1.1/",
        "http://1.2.3.4.5/",
        "http://a b/",
        "http://example.com:99999/",
        "http://[::g]/",
        "https://exa mple.com",
        "http:///",
    ] {
        let error = refusal(url).await;
        assert!(matches!(error, EgressError::InvalidUrl { .. }), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn headers_that_frame_the_request_are_refused() {
    for name in ["host", "content-length", "transfer-encoding", "connection", "proxy-authorization", "expect"] {
        let mut request = Request::new(Method::GET, "https://example.com/").unwrap();
        request.headers.insert(name, "x".parse().unwrap());
        let error = Egress::new(EgressPolicy::default()).send(request).await.unwrap_err();
        assert!(matches!(error, EgressError::HeaderNotAllowed { .. }), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn no_spelling_of_this_machine_reaches_what_listens_on_it() {
    let canary = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = canary.local_addr().unwrap().port();
    // Where the machine has IPv6; the port may be another's there, and then the spellings are only refused.
    let canary_v6 = TcpListener::bind(("::1", port)).await.ok();
    for host in LOOPBACK {
        let error = refusal(&format!("http://{host}:{port}/")).await;
        assert!(matches!(error, EgressError::Refused { .. }), "{host}: {error:?}");
    }
    // A connection would wait in the backlog. The one made here is the first there is.
    for listener in [Some(canary), canary_v6].into_iter().flatten() {
        let own = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (_, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, own.local_addr().unwrap(), "somebody else came first");
    }
}
