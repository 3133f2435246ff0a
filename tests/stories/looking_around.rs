//! Several zones on the same operators, and the commands that look at them; and where a secret must not be found.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use hickory_proto::rr::RecordType;

use crate::lab::parent::{Parent, ParentSpec, start_named};
use crate::lab::process::{Running, TsigKey};
use crate::lab::{AtEnds, CHILD, Chorus, Lab, dns, in_own_network, until, v4, v6};
use crate::stage::{Agent, BIND, Cast, KNOT, LIMIT, Stage};

const ZONES: [&str; 5] = ["z0.example.", "z1.example.", "z2.example.", "z3.example.", "z4.example."];

/// One BIND with all zones, each signed with keys of its own.
struct Hoster {
    letter: char,
    number: u8,
    key: TsigKey,
    process: Running,
}

impl Hoster {
    fn start(lab: &Lab, letter: char, number: u8) -> Self {
        let dir = lab.subdirectory(&format!("hoster-{letter}"));
        let key = TsigKey::create(&dir, &format!("chorus-{letter}"));
        let mut zones = "dnssec-policy \"many\" { dnskey-ttl 5; max-zone-ttl 5; publish-safety 1; retire-safety 1; \
                         zone-propagation-delay 1; parent-ds-ttl 5; parent-propagation-delay 1; keys { ksk lifetime unlimited \
                         algorithm ecdsap256sha256; zsk lifetime unlimited algorithm ecdsap256sha256; }; };\n"
            .to_owned();
        for zone in ZONES {
            let hosts = [1, 2].map(|n| format!("@ NS ns{n}.op{letter}.example.\n")).concat();
            let text = format!(
                "$TTL 5\n@ SOA ns1.op{letter}.example. h.example. 1 86400 3600 864000 5\n{hosts}www A 192.0.2.1\n*.w A 192.0.2.1\n"
            );
            std::fs::write(dir.join(zone), text).expect("zone file");
            zones.push_str(&format!(
                "zone \"{zone}\" {{ type primary; file \"{zone}\"; dnssec-policy \"many\"; inline-signing no; update-policy \
                 {{ grant \"{}\" name {zone} DNSKEY CDS CDNSKEY CSYNC NS; }}; allow-transfer {{ key \"{}\"; }}; }};\n",
                key.name, key.name
            ));
        }
        let process = start_named(&dir, "named", &key, &[v4(number), v6(number)], &zones);
        Self { letter, number, key, process }
    }

    async fn ready(&mut self) {
        for zone in ZONES {
            until(&format!("{zone} signed at {}", self.letter), Duration::from_secs(60), || {
                self.process.assert_alive();
                dns::ask(v4(self.number), zone, RecordType::CDS, dns::DIRECT)
                    .is_ok_and(|answer| !dns::rrset(&answer.answers, RecordType::CDS).1.is_empty())
            })
            .await;
        }
    }

    fn hosts(&self) -> [String; 2] {
        [1, 2].map(|n| format!("ns{n}.op{}.example.", self.letter))
    }

    fn delegation(&self, zone: &str) -> Vec<String> {
        let answer = dns::ask_one_that_runs(v4(self.number), zone, RecordType::DNSKEY);
        let keys = dns::dnskeys(&answer.answers);
        let ds = keys.iter().filter(|key| key.secure_entry_point());
        let ds = ds.map(|key| format!("add {zone} 5 DS {}", dns::ds_text(zone, key)));
        self.hosts().iter().map(|host| format!("add {zone} 5 NS {host}")).chain(ds).collect()
    }

    async fn add_to(&self, chorus: &Chorus) {
        let (update, secret) = (v4(self.number).to_string(), self.key.secret_file.display().to_string());
        let [first, second] = self.hosts();
        let servers = [format!("{first}={}", v4(self.number)), format!("{second}={}", v6(self.number))];
        let name = self.letter.to_string();
        let arguments = ["operator", "add", &name, "--provider", "rfc2136", "--update", &update, "--tsig-name"];
        let more = [&self.key.name, "--tsig-algorithm", TsigKey::ALGORITHM, "--tsig-secret-file", &secret];
        let servers = ["--name-server", &servers[0], "--name-server", &servers[1]];
        chorus.ok(&[&arguments[..], &more, &servers].concat()).await;
    }
}

fn agent(lab: &Lab, parent: &Parent, hosters: &[&Hoster]) -> Running {
    let dir = lab.subdirectory("parent-agent");
    let mut settings = format!(
        "parent = \"example.\"\nupdate = \"{}:53\"\ninterval = \"1s\"\nservers = [\"{}:53\", \"{}:53\"]\n\n[tsig]\nname = \
         \"{}\"\nalgorithm = \"{}\"\nsecret_file = \"{}\"\n\n[hosts]\n",
        v4(1),
        v4(1),
        v4(2),
        parent.key.name,
        TsigKey::ALGORITHM,
        parent.key.secret_file.display()
    );
    for hoster in hosters {
        let [first, second] = hoster.hosts();
        settings.push_str(&format!("\"{first}\" = [\"{}:53\"]\n", v4(hoster.number)));
        settings.push_str(&format!("\"{second}\" = [\"[{}]:53\"]\n", v6(hoster.number)));
    }
    std::fs::write(dir.join("agent.toml"), settings).expect("settings");
    let arguments = ["parent-agent", "--config", "agent.toml"];
    Running::start("parent-agent", Path::new(crate::lab::chorus::BINARY), &arguments, &dir, &[])
}

/// Joins d everywhere in `zones` at once.
async fn join_all(chorus: &Chorus, zones: &[&str]) {
    let commands: Vec<Vec<&str>> = zones
        .iter()
        .map(|zone| vec!["zone", "join", zone, "d", "--reason", "together", "--wait", "--timeout", "150s"])
        .collect();
    futures::future::join_all(commands.iter().map(|command| chorus.ok(command))).await;
}

/// When the first event of this kind was in each of the zones, in the order of the moments.
async fn moments(chorus: &Chorus, zones: &[&str], kind: &str) -> Vec<String> {
    let mut moments = Vec::new();
    for zone in zones {
        let history = chorus.json(&["zone", "history", zone]).await;
        let events = history["events"].as_array().expect("events").clone();
        let first = events.iter().find(|event| event["kind"] == kind).unwrap_or_else(|| panic!("no {kind}: {history}"));
        moments.push(first["at"].as_str().expect("a moment").to_owned());
    }
    // RFC 3339 in UTC: the order of the texts is the order of the moments.
    moments.sort();
    moments
}

#[test]
fn zones_on_the_same_operators_go_their_ways_at_the_same_time() {
    in_own_network(LIMIT, || async {
        let lab = Lab::new("several-zones");
        let mut parent = lab.parent(ParentSpec::default());
        let (mut c, mut d) = (Hoster::start(&lab, 'c', 13), Hoster::start(&lab, 'd', 14));
        parent.ready().await;
        c.ready().await;
        d.ready().await;
        parent.update(&ZONES.iter().flat_map(|zone| c.delegation(zone)).collect::<Vec<_>>());
        let mut chorus = lab.chorus().await;
        chorus.at_ends = Some(AtEnds::new(&lab, &parent));
        c.add_to(&chorus).await;
        d.add_to(&chorus).await;
        for ip in parent.addresses() {
            until("the delegations are everywhere", Duration::from_secs(20), || {
                dns::ask(ip, ZONES[4], RecordType::DS, dns::DIRECT)
                    .is_ok_and(|answer| !dns::rrset(&answer.answers, RecordType::DS).0.is_empty())
            })
            .await;
        }
        for zone in ZONES {
            let mut adopt = crate::stage::zone_add_arguments("c", &parent.server_arguments(), 5);
            adopt[2] = zone.to_owned();
            chorus.ok(&adopt).await;
        }
        let _agent = agent(&lab, &parent, &[&c, &d]);
        lab.tell("five zones are adopted");

        join_all(&chorus, &ZONES).await;
        // Had one zone waited for another, the last one would not have been written to before the first one was done.
        let began = moments(&chorus, &ZONES, "wrote").await;
        let ended = moments(&chorus, &ZONES, "transition-done").await;
        lab.tell(&format!("written to first: {began:?}; done: {ended:?}"));
        assert!(began.last() < ended.first(), "zones wait for each other: {began:?}, {ended:?}");

        looks_around(&chorus).await;
    });
}

async fn looks_around(chorus: &Chorus) {
    let listed = chorus.json(&["zone", "list"]).await;
    let zones = listed["zones"].as_array().expect("zones").clone();
    let names: Vec<&str> = zones.iter().filter_map(|zone| zone["zone"].as_str()).collect();
    assert_eq!(names, ZONES.map(|zone| zone.trim_end_matches('.')));
    for zone in &zones {
        assert_eq!(zone["rest"], true, "{zone}");
        assert!(zone["verdict"].as_str().is_some_and(|verdict| verdict.contains("nothing to do")), "{zone}");
    }
    let table = chorus.ok(&["zone", "list"]).await;
    assert!(ZONES.iter().all(|zone| table.contains(zone.trim_end_matches('.'))), "{table}");

    let operator = chorus.json(&["operator", "show", "d"]).await;
    assert_eq!(operator["zones"].as_array().map(Vec::len), Some(5), "{operator}");
    let tested = chorus.json(&["operator", "test", "d", "--zone", ZONES[2]]).await;
    let checks = tested["checks"].as_array().expect("checks").clone();
    // No resolver answers in this network: the parent's servers are asked for the hosts in the parent zone.
    assert!(checks.iter().all(|check| check["outcome"] == "pass"), "{tested}");
    let codes: Vec<&str> = checks.iter().filter_map(|check| check["code"].as_str()).collect();
    let servers = [["server-answers"; 4].as_slice(), &["data-validates"; 2], &["addresses-found"; 2]].concat();
    assert_eq!(codes, [servers.as_slice(), &["keys-apart", "update-permitted", "largest-ttl"]].concat());

    // Not one of those that prolong lives: what was over just now would be an exposure by the new policy, and be told.
    let changed = chorus.json(&["zone", "policy", ZONES[1], "--parent-pipeline", "7s"]).await;
    assert_eq!((&changed["parent_pipeline_s"], &changed["slack_s"]), (&7.into(), &1.into()), "{changed}");
    assert_eq!(chorus.json(&["zone", "policy", ZONES[1]]).await["parent_pipeline_s"], 7);
    assert_eq!(chorus.json(&["zone", "policy", ZONES[2]]).await["parent_pipeline_s"], 3, "of another zone");

    let all = chorus.json(&["zone", "history", ZONES[1]]).await;
    let all = all["events"].as_array().expect("events").clone();
    let last = chorus.json(&["zone", "history", ZONES[1], "--limit", "3"]).await;
    assert_eq!(last["events"].as_array().expect("events"), &all[all.len() - 3..]);
    assert_eq!(last["more"], true);
    let kinds: Vec<&str> = all.iter().filter_map(|event| event["kind"].as_str()).collect();
    for kind in ["adopted", "transition-started", "wrote", "standing", "transition-done", "policy"] {
        assert!(kinds.contains(&kind), "no {kind} in {kinds:?}");
    }

    let shown = chorus.json(&["zone", "show", ZONES[3]]).await;
    let id = shown["transition"]["id"].as_str().expect("an id").to_owned();
    let certificate = chorus.json(&["zone", "certificate", ZONES[3], "--transition", &id]).await;
    assert_eq!((&certificate["transition"], &certificate["zone"]), (&id.as_str().into(), &"z3.example".into()));
    assert_eq!(certificate["exposures"].as_array().map(Vec::len), Some(0), "{certificate}");
    let other = chorus.cli(&["zone", "certificate", ZONES[2], "--transition", &id]).await;
    assert_eq!(other.status, 1, "a certificate of another zone: {}", other.stdout);
}

/// The forms in which a secret could be somewhere: its octets, base64, hexadecimal.
fn forms(key: &TsigKey) -> Vec<Vec<u8>> {
    use base64::Engine;
    let octets = base64::engine::general_purpose::STANDARD.decode(&key.secret).expect("base64");
    let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let base64 = key.secret.trim_end_matches('=').to_owned();
    // Base64 in base64 and in hexadecimal, as a column or a message of text could have it.
    let twice = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&base64);
    let spelled: String = base64.bytes().map(|octet| format!("{octet:02x}")).collect();
    let listed = octets.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let texts = [hex.to_uppercase(), hex, twice[..40].to_owned(), spelled, listed, base64];
    texts.into_iter().map(String::into_bytes).chain([octets]).collect()
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|part| part == needle)
}

fn get(path: &str, token: &str) -> Vec<u8> {
    let address: SocketAddr = "127.0.1.40:8080".parse().expect("an address");
    let mut stream = TcpStream::connect(address).expect("the daemon listens");
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: c\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).expect("it answers");
    reply
}

#[test]
fn a_secret_that_was_handed_in_is_found_nowhere() {
    in_own_network(LIMIT, || async {
        // Whatever is logged at all is logged.
        let cast = Cast { agent: Agent::Ours, env: vec![("CHORUS_LOG", "trace")], ..Cast::bad_day(&[BIND, KNOT]) };
        let stage = Stage::set("canary", cast).await;
        stage.command(&["zone", "join", CHILD, "b"]).await;
        let (a, b) = (&stage.operators[0], &stage.operators[1]);
        let mut places: Vec<(String, Vec<u8>)> = Vec::new();

        // Refusals, of what the daemon and what the command line does not like.
        let spoilt = stage.lab.path().join("spoilt.secret");
        std::fs::write(&spoilt, format!("{}!\n", b.key.secret)).expect("a file");
        let servers: Vec<String> = b.host_addresses().iter().map(|(host, ip)| format!("{host}={ip}")).collect();
        stage.chorus.ok(&b.add_arguments_as("wrong", &b.key.name, &a.key.secret_file, &servers)).await;
        for (arguments, status) in [
            (b.add_arguments(), 6),
            (b.add_arguments_as("spoilt", &b.key.name, &spoilt, &servers), 2),
            (["operator", "test", "wrong", "--zone", CHILD].map(str::to_owned).to_vec(), 4),
        ] {
            let output = stage.chorus.cli(&arguments).await;
            assert_eq!(output.status, status, "{arguments:?}: {}{}", output.stdout, output.stderr);
            places.push((format!("{arguments:?}"), [output.stdout, output.stderr].concat().into_bytes()));
        }

        let data = stage.lab.path().join("chorus/data");
        let token = std::fs::read_to_string(data.join("token")).expect("the token");
        let zone = "/api/v1/zones/child.example";
        for path in
            ["/healthz", "/api/v1/operators", "/api/v1/operators/a", "/api/v1/operators/b", "/api/v1/zones", zone]
                .map(str::to_owned)
                .into_iter()
                .chain(["policy", "history?limit=1000", "certificate"].map(|last| format!("{zone}/{last}")))
        {
            let reply = get(&path, token.trim());
            assert!(reply.starts_with(b"HTTP/1.1 200"), "{path}: {}", String::from_utf8_lossy(&reply));
            places.push((path, reply));
        }
        for file in std::fs::read_dir(&data).expect("the data").chain(std::fs::read_dir(data.join("..")).expect("logs"))
        {
            let path = file.expect("a file").path();
            if path.is_file() {
                places.push((path.display().to_string(), std::fs::read(&path).expect("readable")));
            }
        }
        let of = |end: &str| places.iter().find(|(place, _)| place.ends_with(end)).map(|(_, octets)| octets.as_slice());
        assert!(of("chorus.log").is_some_and(|log| contains(log, b"TRACE") && contains(log, b"wrote at b")));
        assert!(of("chorus.db").is_some() && of("chorus.db-wal").is_some_and(|wal| contains(wal, b"chorus-b.")));

        for key in [&a.key, &b.key] {
            // Where it must be, it is found.
            let handed_in = std::fs::read(&key.secret_file).expect("the secret file");
            assert!(forms(key).iter().any(|form| contains(&handed_in, form)));
            for (place, octets) in &places {
                for form in forms(key) {
                    assert!(!contains(octets, &form), "a secret is in {place}, as {}", String::from_utf8_lossy(&form));
                }
            }
        }
        stage.assert_clean(&["a", "b"]).await;
    });
}
