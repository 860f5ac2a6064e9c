//! URLs that must never lead to a connection.

use flowork_egress::{Egress, EgressError, EgressPolicy, Method, Request};

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
    assert!(BAD_HOSTS.len() >= 100, "the table shrank to {}", BAD_HOSTS.len());
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
