//! The settings of the gateway.

use flowork_gateway::Rates;

use super::{Case, place};

#[test]
fn without_settings_there_is_no_tunnel_and_rates_are_the_gateways_own() {
    let options = Case::new("").load().unwrap().gateway;
    assert!(options.tunnel.is_none() && !options.beyond_loopback);
    assert_eq!(options.limits.connections_max, flowork_gateway::Limits::default().connections_max);
    assert_eq!(options.limits.tunnel_connections_max, flowork_gateway::Limits::default().tunnel_connections_max);
    assert_eq!(format!("{:?}", options.rates), format!("{:?}", Rates::default()), "the table says what the code does");
}

#[test]
fn a_tunnel_has_an_address_names_and_perhaps_a_team() {
    let tunnel = "[gateway]\ntunnel_listen = '127.0.0.1:7718'\npublic_hosts = ['node.example.com']\n";
    let config = Case::new(tunnel).load().unwrap();
    let options = config.gateway.tunnel.as_ref().unwrap();
    assert_eq!(options.listen.to_string(), "127.0.0.1:7718");
    assert_eq!(options.public_hosts, ["node.example.com"]);
    assert!(options.access.is_none());
    assert!(place(&config, "gateway.tunnel_listen").ends_with("config.toml:2"));

    let access = format!(
        "{tunnel}[gateway.access]\nteam_domain = 'https://team.cloudflareaccess.com'\naudience = '4714c1358e65'\n"
    );
    let access = Case::new(&access).load().unwrap().gateway.tunnel.unwrap().access.unwrap();
    assert_eq!(access.team_domain, "https://team.cloudflareaccess.com");
    assert_eq!(access.audience, "4714c1358e65");
}

#[test]
fn half_a_tunnel_is_refused() {
    let check = |file: &str, expected: &str| {
        let refusal = Case::new(file).refusal();
        assert!(refusal.starts_with(expected), "{file}: {refusal}");
    };
    check(
        "[gateway]\ntunnel_listen = '127.0.0.1:1'",
        "config.toml:2: gateway.tunnel_listen needs gateway.public_hosts, which is not set hint: set gateway.public_hosts",
    );
    check(
        "[gateway.access]\nteam_domain = 'https://a.example'\naudience = 'x'",
        "config.toml:2: gateway.access.team_domain needs gateway.tunnel_listen",
    );
    let tunnel = "[gateway]\ntunnel_listen = '127.0.0.1:1'\npublic_hosts = ['a.example']\n";
    check(
        &format!("{tunnel}[gateway.access]\nteam_domain = 'https://a.example'"),
        "config.toml:5: gateway.access.team_domain needs gateway.access.audience",
    );
    check(
        &format!("{tunnel}[gateway.access]\naudience = 'x'"),
        "config.toml:5: gateway.access.audience needs gateway.access.team_domain",
    );
}

#[test]
fn addresses_that_others_reach_need_a_word_of_the_owner_and_are_mentioned() {
    let tunnel = "public_hosts = ['a.example']\ntunnel_listen = '0.0.0.0:7718'\n";
    let refusal = Case::new(&format!("[gateway]\n{tunnel}")).refusal();
    assert!(refusal.starts_with("config.toml:3: 0.0.0.0:7718 is reachable from other machines"), "{refusal}");
    assert!(refusal.contains("gateway.beyond_loopback = true"), "{refusal}");
    let config = Case::new(&format!("[gateway]\nbeyond_loopback = true\n{tunnel}")).load().unwrap();
    assert!(config.gateway.beyond_loopback);
    assert_eq!(config.notices[0].code, "REACHABLE_UNENCRYPTED");
    assert!(config.notices[0].message.contains("0.0.0.0:7718"), "{:?}", config.notices);

    let config = Case::new("[gateway]\nbeyond_loopback = true").load().unwrap();
    assert!(config.notices.is_empty(), "nothing is open yet");
}

#[test]
fn rates_are_a_number_and_a_unit_or_off() {
    let rates = |file: &str| Case::new(file).load().unwrap().gateway.rates;
    let set = rates("[gateway.rates]\nauth = '5/m'\nlocal = 'off'\ntime = '6000/m'");
    assert_eq!(set.auth.unwrap().to_string(), "5/m");
    assert_eq!(set.local, None);
    assert_eq!(set.read, Rates::default().read, "the others stay");
    let set = Case::new("").env("FLOWORK_GATEWAY_RATES_WRITE", "off").load().unwrap().gateway.rates;
    assert_eq!(set.write, None);
    for bad in ["auth = 5", "auth = '5'", "auth = '0/m'", "auth = 'none'", "auth = '5/d'", "time = '99/s'"] {
        let refusal = Case::new(&format!("[gateway.rates]\n{bad}")).refusal();
        assert!(refusal.starts_with("config.toml:2: gateway.rates."), "{bad}: {refusal}");
    }
}
