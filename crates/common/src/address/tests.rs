//! Addresses as users write them, and what is wrong with others.

use super::*;
use proptest::prelude::*;

fn parsed(text: &str) -> String {
    match text.parse::<Address>() {
        Ok(address) => address.to_string(),
        Err(reason) => format!("error: {reason}"),
    }
}

#[test]
fn every_form_that_users_write() {
    for (text, address) in [
        ("192.0.2.1:7000", "192.0.2.1:7000"),
        ("192.0.2.1", "192.0.2.1:6666"),
        ("host.example:7000", "host.example:7000"),
        ("localhost", "localhost:6666"),
        ("[::1]:7000", "[::1]:7000"),
        ("[::1]", "[::1]:6666"),
        ("::1", "[::1]:6666"),
        ("::", "[::]:6666"),
        ("2001:db8::5", "[2001:db8::5]:6666"),
        ("2001:db8::1:f", "[2001:db8::1:f]:6666"),
        ("2001:db8:0:0:0:0:1:80", "[2001:db8::1:80]:6666"),
        ("[::1:6666]", "[::1:6666]:6666"),
        ("fe80::1%eth0", "[fe80::1%eth0]:6666"),
        ("[fe80::1%eth0]:7000", "[fe80::1%eth0]:7000"),
        ("[::ffff:192.0.2.1]:7000", "192.0.2.1:7000"),
        (":7000", ":7000"),
        (":0", ":0"),
        ("中文.example", "中文.example:6666"),
    ] {
        assert_eq!(parsed(text), address, "{text}");
    }
}

#[test]
fn an_invalid_address_is_refused_with_the_reason() {
    for (text, reason) in [
        ("", "no host"),
        (":", "no port after the colon"),
        ("7000", "not a host (a port alone is written :7000)"),
        ("host:", "no port after the colon"),
        ("010.0.0.1", "not an IPv4 address"),
        ("10.1:80", "not an IPv4 address"),
        ("0x7f.1", "not an IPv4 address"),
        ("127.0x1", "not an IPv4 address"),
        ("1.2.3.4.5", "not an IPv4 address"),
        ("99999999", "not an IPv4 address"),
        ("host:http", "'http' is not a port"),
        ("host:70000", "port 70000 is above 65535"),
        ("host:+80", "'+80' is not a port"),
        ("[::1", "a ']' is missing"),
        ("host:80:90", "more than a host and a port"),
        (":80:90", "not an IPv6 address (with a port it is written [ADDRESS]:PORT)"),
        ("a,b", "one address at a time"),
        (":80,:81", "one address at a time"),
        ("[::1]7000", "after ']' comes a colon and a port, or nothing"),
        ("[1.2.3.4]:80", "no IPv6 address between the brackets"),
        ("::1:2:3:4:5:6:7:8:9", "not an IPv6 address (with a port it is written [ADDRESS]:PORT)"),
        ("::1:6666", "with a port it is written [::1]:6666, and without one [::1:6666]"),
        ("::1:16666", "with a port it is written [::1]:16666"),
        (":::7777", "with a port it is written [::]:7777"),
        ("*:7777", "every address is written as a port alone: :PORT"),
        ("fe80::1%eth0:80", "not an IPv6 address (with a port it is written [ADDRESS]:PORT)"),
        ("http://host:80", "a URL is no address: write HOST:PORT"),
        ("fe80::1", "on which interface? it is written fe80::1%eth0"),
        ("[fe80::1%]:7000", "no interface after the '%'"),
        ("two words", "not a host name"),
        ("-rf", "not a host name"),
    ] {
        assert_eq!(parsed(text), format!("error: {reason}"), "{text}");
    }
}

fn any_host() -> impl Strategy<Value = Host> {
    prop_oneof![
        Just(Host::Any),
        any::<IpAddr>().prop_filter_map("link-local", |ip| match ip {
            IpAddr::V6(ip) if ip.is_unicast_link_local() => None,
            ip => Some(Host::Ip(ip.to_canonical())),
        }),
        (any::<Ipv6Addr>(), "[a-z][a-z0-9]{0,14}").prop_map(|(ip, zone)| Host::Scoped(ip, zone)),
        "[a-z][a-z0-9-]{0,20}(\\.[a-z][a-z0-9]{0,8}){0,3}".prop_map(Host::Name),
    ]
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_the_same(host in any_host(), port: u16) {
        let address = Address { host, port: Some(port) };
        prop_assert_eq!(address.to_string().parse(), Ok(address));
    }

    #[test]
    fn any_text_is_an_address_or_an_error(text in "\\PC*|[0-9a-f:.%\\[\\]]*") {
        if let Ok(address) = text.parse::<Address>() {
            let port = Some(address.port());
            prop_assert_eq!(address.to_string().parse(), Ok(Address { port, ..address }));
        }
    }
}
