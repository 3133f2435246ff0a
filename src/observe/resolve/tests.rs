use super::*;
use std::str::FromStr;

fn name(text: &str) -> Name {
    Name::from_str(text).unwrap()
}

#[test]
fn addresses_are_read_with_and_without_port() {
    for (text, address) in [
        ("192.0.2.1", "192.0.2.1:53"),
        ("192.0.2.1:5353", "192.0.2.1:5353"),
        ("[2001:db8::1]", "[2001:db8::1]:53"),
        ("[2001:db8::1]:5353", "[2001:db8::1]:5353"),
        ("127.0.0.1:1", "127.0.0.1:1"),
    ] {
        assert_eq!(parse_address(text).unwrap(), address.parse().unwrap());
    }
}

#[test]
fn what_is_not_an_address_is_refused_in_one_line_that_names_it() {
    let not = [
        "",
        "ns1",
        "192.0.2",
        "192.0.2.1:",
        "192.0.2.1:dns",
        "192.0.2.1:65536",
        "2001:db8::1:53",
        "[::1",
        "::1]",
        "[192.0.2.1]",
        "[]",
        "192.0.2.1 ",
        "1.2.3.4:53:53",
        "::1",
        "[::1]53",
    ];
    for text in not {
        let error = parse_address(text).unwrap_err();
        assert_eq!(error, SpecError::Address(text.into()));
        assert!(error.to_string().contains(&format!("`{text}`")) && !error.to_string().contains('\n'));
    }
    for text in ["0.0.0.0", "[::]:53", "192.0.2.1:0", "224.0.0.1", "[ff02::1]", "255.255.255.255"] {
        assert_eq!(parse_address(text).unwrap_err(), SpecError::Unusable(text.into()));
    }
}

#[test]
fn a_host_given_several_times_has_all_its_addresses_once() {
    let texts =
        ["NS1.b.example=192.0.2.1", "ns2.b.example.", "ns1.B.example.=[2001:db8::1]:5353", "ns1.b.example=192.0.2.1"];
    let servers = NameServer::parse_all(texts).unwrap();
    let addresses = ["192.0.2.1:53", "[2001:db8::1]:5353"].map(|text| text.parse().unwrap()).to_vec();
    let expected = vec![
        NameServer { host: name("ns1.b.example."), addresses },
        NameServer { host: name("ns2.b.example."), addresses: vec![] },
    ];
    assert_eq!(servers, expected);
}

#[test]
fn what_is_not_a_host_is_refused_in_one_line_that_names_it() {
    let long = "a".repeat(64);
    for host in
        ["", ".", "..", "a..b", "-a.b", "a-.b", "a b", "a+b", "192.0.2.1", "ns1:53", "[::1]", "ä b.example", &long]
    {
        for text in [host.to_owned(), format!("{host}=192.0.2.1")] {
            let error = NameServer::parse(&text).unwrap_err();
            assert_eq!(error, SpecError::Host(host.into()), "{text}");
            assert!(error.to_string().contains(&format!("`{host}`")) && !error.to_string().contains('\n'));
        }
    }
    assert_eq!(NameServer::parse("ns1="), Err(SpecError::Address("".into())));
    assert_eq!(NameServer::parse("ns1=a=b"), Err(SpecError::Address("a=b".into())));
}

/// Zones and hosts as a test knows them.
struct Known {
    zones: Vec<Name>,
    hosts: Vec<(Name, Vec<IpAddr>)>,
}

#[async_trait]
impl Resolve for Known {
    async fn addresses(&self, host: &Name) -> Result<Vec<IpAddr>, ResolveError> {
        let found = self.hosts.iter().find(|(name, _)| name == host);
        found.map(|(_, addresses)| addresses.clone()).ok_or_else(|| ResolveError::NoAddress(host.clone()))
    }

    async fn name_servers(&self, zone: &Name) -> Result<BTreeSet<Name>, ResolveError> {
        Err(ResolveError::NoZone(zone.clone()))
    }

    async fn is_zone(&self, name: &Name) -> Result<bool, ResolveError> {
        Ok(self.zones.contains(name))
    }
}

#[tokio::test]
async fn the_parent_is_the_nearest_ancestor_that_is_a_zone() {
    let known = Known { zones: vec![name("uk."), name("a.co.uk.")], hosts: vec![] };
    for (zone, parent) in [("x.a.co.uk.", "a.co.uk."), ("A.co.UK.", "uk."), ("uk.", "."), ("org.", ".")] {
        assert_eq!(known.parent_of(&name(zone)).await, Ok(name(parent)), "{zone}");
    }
    assert_eq!(known.parent_of(&Name::root()).await, Err(ResolveError::Root));
}

#[tokio::test]
async fn given_addresses_are_not_resolved_and_names_without_address_are_an_error() {
    let hosts = vec![(name("ns1.b.example."), vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()])];
    let known = Known { zones: vec![], hosts };
    let given = NameServer::parse_all(["ns1.b.example", "ns2.b.example=127.0.0.1:5300"]).unwrap();
    let who = Who::Operator("b".into());
    let found = servers(&known, &who, &given).await.unwrap();
    let addresses: Vec<_> = found.iter().map(|server| server.address.to_string()).collect();
    assert_eq!(addresses, ["192.0.2.1:53", "[2001:db8::1]:53", "127.0.0.1:5300"]);
    let unknown = NameServer::parse_all(["ns1.b.example", "ns3.b.example"]).unwrap();
    let error = servers(&known, &who, &unknown).await.unwrap_err();
    assert_eq!(error.to_string(), "ns3.b.example. has no IPv4 and no IPv6 address; give it as HOST=ADDRESS");
}
