//! Which IP addresses are not the public internet. Pure; knows nothing of names or of what the owner allows.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Why an address is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressClass {
    /// 127.0.0.0/8, ::1
    Loopback,
    /// 10/8, 172.16/12, 192.168/16, fc00::/7, fec0::/10
    Private,
    /// 169.254/16, fe80::/10
    LinkLocal,
    /// 100.64/10
    CarrierNat,
    /// Where clouds serve machine credentials.
    Metadata,
    /// 224/4, ff00::/8
    Multicast,
    /// 0/8, ::
    Unspecified,
    /// 255.255.255.255
    Broadcast,
    /// Documentation, benchmarks, protocol assignments, unallocated.
    Reserved,
    /// An IPv6 address that carries an IPv4 one: mapped, compatible, translated, NAT64, 6to4, Teredo, ISATAP.
    Embedded,
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::CarrierNat => "carrier-grade NAT",
            Self::Metadata => "cloud metadata",
            Self::Multicast => "multicast",
            Self::Unspecified => "unspecified",
            Self::Broadcast => "broadcast",
            Self::Reserved => "reserved",
            Self::Embedded => "IPv4-in-IPv6",
        })
    }
}

/// Says why `address` is not public; `None` if it is.
pub fn refused_class(address: IpAddr) -> Option<AddressClass> {
    match address {
        IpAddr::V4(address) => refused_v4(address),
        IpAddr::V6(address) => refused_v6(address),
    }
}

/// Azure's wire server: a public address that serves credentials of the machine.
const AZURE_WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
/// Where AWS, Google, Azure and others serve metadata.
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// The same at Alibaba.
const ALIBABA_METADATA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
/// The same at AWS over IPv6.
const AWS_METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// Source: the IANA IPv4 special-purpose address registry.
fn refused_v4(address: Ipv4Addr) -> Option<AddressClass> {
    if [METADATA, ALIBABA_METADATA, AZURE_WIRE_SERVER].contains(&address) {
        return Some(AddressClass::Metadata);
    }
    match address.octets() {
        [0, ..] => Some(AddressClass::Unspecified),
        [127, ..] => Some(AddressClass::Loopback),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some(AddressClass::Private),
        [169, 254, ..] => Some(AddressClass::LinkLocal),
        [100, 64..=127, ..] => Some(AddressClass::CarrierNat),
        [255, 255, 255, 255] => Some(AddressClass::Broadcast),
        [224..=239, ..] => Some(AddressClass::Multicast),
        [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [240..=255, ..] => Some(AddressClass::Reserved),
        _ => None,
    }
}

/// Source: the IANA IPv6 special-purpose address registry. Only 2000::/3 is global unicast.
fn refused_v6(address: Ipv6Addr) -> Option<AddressClass> {
    if address == AWS_METADATA_V6 {
        return Some(AddressClass::Metadata);
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some(AddressClass::Unspecified),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(AddressClass::Loopback),
        // compatible; mapped; translated; NAT64; 6to4; Teredo; ISATAP
        [0, 0, 0, 0, 0, 0 | 0xffff, ..]
        | [0, 0, 0, 0, 0xffff, 0, ..]
        | [0x64, 0xff9b, ..]
        | [0x2002, ..]
        | [0x2001, 0, ..]
        | [_, _, _, _, 0 | 0x200 | 0x100 | 0x300, 0x5efe, ..] => Some(AddressClass::Embedded),
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Some(AddressClass::Private),
        [0xfe80..=0xfebf, ..] => Some(AddressClass::LinkLocal),
        [0xff00..=0xffff, ..] => Some(AddressClass::Multicast),
        // 2001::/23 protocol assignments, 2001:db8::/32 and 3fff::/20 documentation
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some(AddressClass::Reserved),
        [0x2000..=0x3fff, ..] => None,
        _ => Some(AddressClass::Reserved),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(addresses: &[&str], class: Option<AddressClass>) {
        for text in addresses {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(refused_class(address), class, "{text}");
        }
    }

    #[test]
    fn special_ipv4_ranges_are_refused_at_both_ends() {
        check(&["0.0.0.0", "0.255.255.255"], Some(AddressClass::Unspecified));
        check(&["127.0.0.0", "127.0.0.1", "127.255.255.255"], Some(AddressClass::Loopback));
        check(
            &["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255"],
            Some(AddressClass::Private),
        );
        check(&["169.254.0.0", "169.254.255.255"], Some(AddressClass::LinkLocal));
        check(&["100.64.0.0", "100.127.255.255"], Some(AddressClass::CarrierNat));
        check(&["169.254.169.254", "100.100.100.200", "168.63.129.16"], Some(AddressClass::Metadata));
        check(&["224.0.0.0", "239.255.255.255"], Some(AddressClass::Multicast));
        check(&["255.255.255.255"], Some(AddressClass::Broadcast));
        check(
            &["192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9"],
            Some(AddressClass::Reserved),
        );
        check(&["240.0.0.0", "255.255.255.254"], Some(AddressClass::Reserved));
    }

    #[test]
    fn special_ipv6_ranges_are_refused() {
        check(&["::"], Some(AddressClass::Unspecified));
        check(&["::1"], Some(AddressClass::Loopback));
        check(
            &[
                "::ffff:127.0.0.1",
                "::ffff:8.8.8.8",
                "::127.0.0.1",
                "::ffff:0:127.0.0.1",
                "64:ff9b::7f00:1",
                "64:ff9b:1::7f00:1",
                "2002:7f00:1::",
                "2001:0:4136:e378:8000:63bf:3fff:fdd2",
                "2a00::5efe:7f00:1",
                "2a00::200:5efe:c0a8:1",
            ],
            Some(AddressClass::Embedded),
        );
        check(&["fc00::1", "fdff::1", "fec0::1", "feff::1"], Some(AddressClass::Private));
        check(&["fe80::1", "febf::1"], Some(AddressClass::LinkLocal));
        check(&["ff00::1", "ff02::1", "ffff::1"], Some(AddressClass::Multicast));
        check(&["fd00:ec2::254"], Some(AddressClass::Metadata));
        check(
            &["2001:10::1", "2001:20::1", "2001:1ff::1", "2001:db8::1", "3fff::1", "3fff:fff::1", "100::1", "5f00::1"],
            Some(AddressClass::Reserved),
        );
        check(&["4000::1", "e000::1", "1000::1"], Some(AddressClass::Reserved));
    }

    #[test]
    fn public_addresses_are_not_refused() {
        check(
            &[
                "1.1.1.1",
                "8.8.8.8",
                "9.255.255.255",
                "11.0.0.0",
                "100.63.255.255",
                "100.128.0.0",
                "126.255.255.255",
                "128.0.0.0",
                "169.253.255.255",
                "169.255.0.0",
                "172.15.255.255",
                "172.32.0.0",
                "192.167.255.255",
                "192.169.0.0",
                "198.17.255.255",
                "198.20.0.0",
                "223.255.255.255",
                "2606:4700:4700::1111",
                "2001:4860:4860::8888",
                "2001:200::1",
                "2a00:1450:4001:800::200e",
                "2003::1",
            ],
            None,
        );
    }
}
