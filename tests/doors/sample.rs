//! Answers such as a daemon gives in the middle of a join of `b` to a zone of `a`.

use chorus::api::wire::*;
use chorus::model::time::Time;

/// 2026-11-22T10:00:00Z.
const NOW_S: i64 = 1_795_341_600;

pub fn at(seconds: i64) -> At {
    At::clock(Time::from_s(NOW_S + seconds))
}

pub fn operator(name: &str) -> OperatorShow {
    OperatorShow {
        name: name.to_owned(),
        provider: "rfc2136".to_owned(),
        update: Some("192.0.2.1:53".parse().unwrap()),
        tsig: Some(TsigShow { name: "chorus".to_owned(), algorithm: TsigAlgorithm::HmacSha256 }),
        api: None,
        name_servers: vec![
            NameServer {
                host: format!("ns1.{name}.example"),
                addresses: vec!["192.0.2.1:53".parse().unwrap(), "[2001:db8::1]:53".parse().unwrap()],
            },
            NameServer { host: format!("ns2.{name}.example"), addresses: Vec::new() },
        ],
        zones: vec!["example.org".to_owned()],
    }
}

pub fn operator_test() -> OperatorTest {
    let check = |code: &str, outcome, text: &str, fix: Option<&str>| Check {
        code: code.to_owned(),
        outcome,
        text: text.to_owned(),
        fix: fix.map(str::to_owned),
    };
    OperatorTest {
        operator: "b".to_owned(),
        zone: "example.org".to_owned(),
        checks: vec![
            check("operator-reachable", Outcome::Pass, "4 of 4 addresses answer over UDP and TCP", None),
            check("ttl-raised", Outcome::Warn, "DNSKEY TTL is 86400 s", Some("Lower it to 3600 s a day before")),
            check(
                "operator-auth",
                Outcome::Fail,
                "192.0.2.1:53 refused the TSIG key 'chorus' (BADKEY)",
                Some("Add the key 'chorus' to the server's configuration"),
            ),
        ],
    }
}

pub fn policy() -> ZonePolicy {
    ZonePolicy {
        slack_s: 60,
        stale_s: 259_200,
        data_ttl_max_s: None,
        data_ttl_max_used_s: 3600,
        data_ttl_max_from: "zone transfer".to_owned(),
        parent_pipeline_s: 172_800,
        parent_profile: None,
        resolver_min_ttl_s: 0,
        resolver_max_ttl_s: 604_800,
        sample_every_s: 900,
        gap_max_s: 3600,
        registrar_max_s: 604_800,
        delegation: String::new(),
    }
}

pub fn transition(state: TransitionState) -> TransitionShow {
    TransitionShow {
        id: "t-7f3a".to_owned(),
        state,
        step: "share the DNSKEYs".to_owned(),
        step_number: 2,
        steps: 7,
        waiting_for: Some(WaitingFor {
            code: "guard-ttl".to_owned(),
            text: "DNSKEY set without key 40977, TTL 3600, last seen at ns2.a.example at 09:58:12Z".to_owned(),
            until: Some(at(3492)),
        }),
        from: vec!["a".to_owned()],
        to: vec!["a".to_owned(), "b".to_owned()],
        algorithm: None,
        reason: Some("CHG-812".to_owned()),
        started: at(-130),
        ended: None,
        ends_earliest: Some(at(100_000)),
        aim: "going".to_owned(),
        target: vec!["a".to_owned(), "b".to_owned()],
        paused: false,
        version: 1,
        ends_at: Some(EndsAt { earliest: at(100_000), expected: at(186_400) }),
        ends_after: None,
        left: Vec::new(),
        undo_takes: Some(Takes { earliest_s: 3660, expected_s: 3660 }),
        stop: Some(StopShow {
            serving: vec!["a".to_owned()],
            trusted: vec!["b".to_owned()],
            takes: Takes { earliest_s: 0, expected_s: 86_400 },
        }),
    }
}

fn key(tag: u16, role: KeyRole, owner: &str, at: &[&str], signing: &[&str], ds: Option<DsState>) -> KeyShow {
    let parse = |addresses: &[&str]| addresses.iter().map(|address| address.parse().unwrap()).collect();
    let owner = Some(owner.to_owned());
    KeyShow { tag, algorithm: 13, role, owner, published_at: parse(at), signing_at: parse(signing), ds }
}

fn roll(tag: u16, state: RollState, since: Option<At>) -> RollShow {
    RollShow { operator: "a".to_owned(), role: KeyRole::Zsk, tag, algorithm: 13, state, since }
}

fn server(who: &str, host: &str, address: &str, seen: Option<i64>, trouble: Option<&str>) -> ServerShow {
    ServerShow {
        who: who.to_owned(),
        host: host.to_owned(),
        address: address.parse().unwrap(),
        last_seen: seen.map(at),
        trouble: trouble.map(str::to_owned),
    }
}

pub fn zone() -> ZoneShow {
    let (a1, a2, b1, b2) = ("192.0.2.1:53", "192.0.2.2:53", "198.51.100.1:53", "[2001:db8::b]:53");
    ZoneShow {
        zone: "example.org".to_owned(),
        verdict: "Signed by a, b is joining; waiting until resolvers have forgotten the DNSKEY set without b's keys."
            .to_owned(),
        headline: "Signed by a, b is joining".to_owned(),
        rest: false,
        state: "waiting-guard".to_owned(),
        waiting_for: transition(TransitionState::WaitingGuard).waiting_for,
        desired: vec!["a".to_owned(), "b".to_owned()],
        to_repair: Vec::new(),
        operators: vec![
            OperatorStanding {
                operator: "a".to_owned(),
                standing: Standing::Serving,
                wanted: Standing::Serving,
                unreachable: false,
                uncooperative: false,
                silent: None,
            },
            OperatorStanding {
                operator: "b".to_owned(),
                standing: Standing::Outside,
                wanted: Standing::Serving,
                unreachable: false,
                uncooperative: false,
                silent: None,
            },
        ],
        transition: Some(transition(TransitionState::WaitingGuard)),
        exposures: Vec::new(),
        parent: ParentShow {
            mode: ParentMode::Scan,
            zone: "org".to_owned(),
            servers: vec!["203.0.113.1:53".parse().unwrap()],
            ds: vec!["11201 13 2 D02F...".to_owned()],
            ns: vec!["ns1.a.example".to_owned(), "ns2.a.example".to_owned()],
            profile: None,
            notes: Vec::new(),
        },
        keys: vec![
            key(11201, KeyRole::Ksk, "a", &[a1, a2], &[a1, a2], Some(DsState::Present)),
            key(40977, KeyRole::Csk, "b", &[a1, b1], &[b1], Some(DsState::Awaited)),
            key(9112, KeyRole::Zsk, "a", &[a1, a2, b1], &[a1, a2], None),
        ],
        rolls: vec![roll(9112, RollState::Signing, None), roll(30112, RollState::New, Some(at(-70)))],
        servers: vec![
            server("parent", "a0.org.example", "203.0.113.1:53", Some(-9), None),
            server("a", "ns1.a.example", a1, Some(-4), None),
            server("a", "ns2.a.example", a2, Some(-4), Some("serves serial 41, the others 42")),
            server("b", "ns1.b.example", b1, Some(-4), None),
            server("b", "ns1.b.example", b2, None, Some("no answer in time")),
        ],
        hand_to_registrar: None,
        registrar_pending: Vec::new(),
        policy: policy(),
        next: Some("the CDS set is written to a and b at 10:58:12Z".to_owned()),
        updated_at: Some(at(-4)),
        now: at(0),
    }
}

/// At rest, the parent told by hand.
pub fn zone_at_rest() -> ZoneShow {
    let mut zone = zone();
    zone.verdict = "Signed and served by a, the parent agrees: nothing to do.".to_owned();
    zone.headline = zone.verdict.clone();
    zone.rest = true;
    (zone.state, zone.waiting_for) = ("exposed".to_owned(), None);
    zone.rolls = Vec::new();
    zone.transition = None;
    zone.next = None;
    zone.parent.mode = ParentMode::Manual;
    zone.hand_to_registrar = Some(HandToRegistrar {
        ds: vec!["11201 13 2 D02F...".to_owned()],
        ns: vec!["ns1.a.example".to_owned()],
        glue: vec!["ns1.example.org. A 192.0.2.53".to_owned()],
    });
    zone.registrar_pending = vec![RegistrarRequest {
        rtype: "NS".to_owned(),
        records: vec!["ns1.a.example".to_owned(), "ns1.b.example".to_owned()],
        since: at(-3600),
        until: at(604_800),
    }];
    zone.exposures = vec![exposure()];
    zone
}

pub fn exposure() -> Exposure {
    Exposure {
        from: at(-60),
        until: None,
        what: "answers signed with key 4711 beside DNSKEY sets without it".to_owned(),
        who: "b".to_owned(),
    }
}

/// The wait for one kind of RRset, as a plan shows it.
fn guard(rtype: &str, ttl_s: u64, until_s: i64) -> Guard {
    Guard {
        code: "guard-ttl".to_owned(),
        text: format!(
            "Waiting to add b to the NS RRset: resolvers may still have cached the {rtype} RRset without key 40977 \
             (TTL {ttl_s} s, served by ns2.a.example until 2026-11-22T10:00:00Z at the earliest)"
        ),
        numbers: vec![
            GuardNumber { what: format!("largest {rtype} TTL"), seconds: ttl_s },
            GuardNumber { what: "serve-stale allowance".to_owned(), seconds: 259_200 },
            GuardNumber { what: "slack".to_owned(), seconds: 60 },
        ],
        until: Some(at(until_s)),
    }
}

pub fn zones() -> ZoneList {
    let show = zone();
    let busy = ZoneSummary {
        zone: show.zone,
        verdict: show.verdict,
        headline: show.headline,
        rest: false,
        desired: show.desired,
        state: "waiting-guard".to_owned(),
        since: Some(at(-7200)),
        waiting_for: show.transition.as_ref().and_then(|transition| transition.waiting_for.clone()),
        operators: vec!["a".to_owned(), "b".to_owned()],
        parent: "org".to_owned(),
        transition: show.transition,
    };
    let rest = ZoneSummary {
        zone: "a-much-longer-name.example".to_owned(),
        verdict: "Signed and served by a, the parent agrees: nothing to do.".to_owned(),
        headline: "Signed and served by a, the parent agrees: nothing to do.".to_owned(),
        rest: true,
        desired: vec!["a".to_owned()],
        transition: None,
        state: "rest".to_owned(),
        since: Some(at(-86_400)),
        waiting_for: None,
        operators: vec!["a".to_owned()],
        parent: "example".to_owned(),
    };
    ZoneList { zones: vec![busy, rest], now: at(0), next: None, previous: None }
}

pub fn overview() -> Overview {
    let zones = zones().zones;
    Overview {
        zones: 2,
        states: vec![
            StateCount { state: "rest".to_owned(), zones: 1 },
            StateCount { state: "waiting-guard".to_owned(), zones: 1 },
        ],
        attention: vec![zones[0].clone()],
        guards: vec![zones[0].clone()],
        lagging: Vec::new(),
        silent: vec![OperatorTrouble {
            operator: "b".to_owned(),
            zones: 1,
            text: "ns2.b.example (192.0.2.4:53) does not answer".to_owned(),
        }],
        now: at(0),
    }
}

pub fn timeline() -> Timeline {
    let bar = |text: &str, ttl_s: u32, since: Option<i64>, until: Option<i64>, waited_for: bool| Bar {
        text: text.to_owned(),
        ttl_s,
        since: since.map(at),
        until: until.map(at),
        dead_at: until.map(|until| at(until + i64::from(ttl_s) + 60)),
        waited_for,
    };
    let lane = |who: &str, rtype: &str, bars: Vec<Bar>| Lane { who: who.to_owned(), rtype: rtype.to_owned(), bars };
    Timeline {
        zone: "example.org".to_owned(),
        from: at(-86_400),
        to: at(86_400),
        now: at(0),
        lanes: vec![
            lane(
                "parent",
                "DS",
                vec![
                    bar("key 11201", 3600, None, Some(-600), true),
                    bar("keys 11201, 40977", 3600, Some(-600), None, false),
                ],
            ),
            lane(
                "a",
                "DNSKEY",
                vec![
                    bar("keys 11201, 9112", 7200, None, Some(-7200), false),
                    bar("keys 11201, 9112, 40977, 55310", 7200, Some(-7200), None, false),
                ],
            ),
            lane("b", "NS", vec![bar("ns1.b.example", 3600, Some(-7200), None, false)]),
        ],
        guards: vec![TimelineGuard {
            code: "guard-ttl".to_owned(),
            text: "Waiting to add b to the NS RRset: resolvers may still have cached the DS RRset without a DS for b"
                .to_owned(),
            opens_at: Some(at(3060)),
        }],
        steps: vec![
            TimelineStep {
                title: "every operator serves the keys of all".to_owned(),
                state: StepState::Done,
                earliest: None,
            },
            TimelineStep {
                title: "old DNSKEY and DS sets die".to_owned(),
                state: StepState::Now,
                earliest: Some(at(3060)),
            },
            TimelineStep {
                title: "every operator serves the new name server set".to_owned(),
                state: StepState::Ahead,
                earliest: Some(at(3061)),
            },
        ],
    }
}

pub fn parents() -> ParentList {
    ParentList {
        parents: vec![ParentReport {
            parent: "org".to_owned(),
            modes: vec![ParentMode::Scan],
            zones: 2,
            waiting: 1,
            measured: 3,
            took_p50_s: Some(11_400),
            took_p90_s: Some(30_000),
            took_max_s: Some(41_000),
            last_acted_at: Some(at(-86_400)),
            by_kind: vec![
                ParentTook {
                    kind: "ds".to_owned(),
                    measured: 2,
                    took_p50_s: 11_400,
                    took_p90_s: 30_000,
                    took_max_s: 30_000,
                },
                ParentTook {
                    kind: "ns".to_owned(),
                    measured: 1,
                    took_p50_s: 41_000,
                    took_p90_s: 41_000,
                    took_max_s: 41_000,
                },
            ],
            assumed_s: 172_800,
            takes: None,
        }],
        now: at(0),
    }
}

pub fn statistics() -> Statistics {
    let day = |day: &str, started, done| DayReport { day: day.to_owned(), started, done, undone: 0, stopped: 0 };
    Statistics {
        days: vec![day("2026-11-21", 2, 1), day("2026-11-22", 1, 2)],
        steps: vec![StepReport {
            step: "the parent has the DS of all".to_owned(),
            times: 3,
            took_p50_s: 11_400,
            took_p90_s: 30_000,
        }],
        forecasts: vec![ForecastReport {
            zone: "example.org".to_owned(),
            transition: "t_1".to_owned(),
            started: at(-86_400),
            earliest_s: 80_000,
            expected_s: 90_000,
            took_s: 86_000,
            ended: "done".to_owned(),
        }],
        forecast_error_p50_percent: Some(5),
        now: at(0),
    }
}

pub fn plan() -> Plan {
    let write = |operator: &str, rtype: &str, add: &[&str], remove: &[&str]| Write {
        operator: operator.to_owned(),
        rtype: rtype.to_owned(),
        add: add.iter().map(|record| (*record).to_owned()).collect(),
        remove: remove.iter().map(|record| (*record).to_owned()).collect(),
    };
    Plan {
        zone: "example.org".to_owned(),
        from: vec!["a".to_owned()],
        to: vec!["a".to_owned(), "b".to_owned()],
        trusted: Vec::new(),
        algorithm: None,
        steps: vec![
            Step {
                number: 1,
                title: "Share the DNSKEYs".to_owned(),
                state: StepState::Now,
                actor: Actor::Chorus,
                writes: vec![
                    write("a", "DNSKEY", &["257 3 13 mdsswUyr3DPW... ; 40977 of b"], &[]),
                    write("b", "DNSKEY", &["257 3 13 oJMRESz5E4gY... ; 11201 of a"], &[]),
                ],
                guard: None,
                guards: Vec::new(),
                earliest: None,
            },
            Step {
                number: 2,
                title: "Tell the parent".to_owned(),
                state: StepState::Ahead,
                actor: Actor::Parent,
                writes: vec![write("a", "CDS", &["40977 13 2 9F1E..."], &["0 0 0 00"])],
                guard: Some(guard("DS", 7200, 270_000)),
                guards: vec![guard("DNSKEY", 3600, 262_860), guard("DS", 7200, 270_000)],
                earliest: Some(at(262_860)),
            },
        ],
        ends_earliest: Some(at(600_000)),
        requests: vec![Requests {
            operator: "b".to_owned(),
            writes: 12,
            requests: 48,
            zones_ahead: 2,
            permitted_at: at(7200),
        }],
        refusals: Vec::new(),
        now: at(0),
    }
}

pub fn zone_check() -> ZoneCheck {
    let finding = |code: &str, severity, text: &str, fix: &str| Finding {
        code: code.to_owned(),
        severity,
        text: text.to_owned(),
        fix: fix.to_owned(),
    };
    ZoneCheck {
        zone: "example.org".to_owned(),
        from: vec!["a".to_owned()],
        to: vec!["a".to_owned(), "b".to_owned()],
        refused: true,
        findings: vec![
            finding(
                "tcp-unanswered",
                Severity::Error,
                "b: ns1.b.example. (198.51.100.1:53) answers by UDP, and does not answer by TCP",
                "open TCP port 53 there: large answers and the scanners of registries need it",
            ),
            finding(
                "ttl-differs",
                Severity::Warning,
                "DNSKEY TTLs differ: 3600 s at a and 86400 s at b; every wait counts 86400 s (1day)",
                "set the same TTL at all operators, a small one for the time of the transition",
            ),
            finding(
                "zone-content-differs",
                Severity::Warning,
                "a and b, by zone transfer: of 41 sets 1 differ (www.example.org. A)",
                "bring the same data to both, unless both answers are meant to be given",
            ),
            finding(
                "nsec-params-differ",
                Severity::Note,
                "the operators deny names in different ways: a uses NSEC and b uses NSEC3 (0 iterations, no salt)",
                "nothing has to be done (RFC 8901 §5); with the same way everywhere resolvers can use their caches better",
            ),
        ],
        addresses: 4,
        now: at(0),
    }
}

pub fn history() -> History {
    let event = |seconds, kind: &str, text: &str, operator: Option<&str>| Event {
        at: at(seconds),
        kind: kind.to_owned(),
        text: text.to_owned(),
        who: "chorus".to_owned(),
        transition: Some("t-7f3a".to_owned()),
        operator: operator.map(str::to_owned),
        detail: None,
    };
    History {
        zone: "example.org".to_owned(),
        events: vec![
            event(-130, "desired", "a and b, because: CHG-812", None),
            event(-129, "wrote", "DNSKEY: added key 40977", Some("a")),
        ],
        more: true,
    }
}

pub fn certificate() -> Certificate {
    Certificate {
        transition: "t-7f3a".to_owned(),
        zone: "example.org".to_owned(),
        from: vec!["a".to_owned()],
        to: vec!["a".to_owned(), "b".to_owned()],
        started: at(-300_000),
        ended: at(-100),
        verdict: "No resolver could have failed: 1284 pairs of versions, none incompatible while both were alive."
            .to_owned(),
        exposures: Vec::new(),
        pairs_checked: 1284,
        smallest_slack_s: Some(63),
        smallest_slack_what: Some("the DNSKEY set without key 40977 and the NS set with b".to_owned()),
        margin: Some(
            "the smallest margin was 63 s: the DNSKEY RRset of ns2.a.example (key 11201) had expired from all caches at \
             2026-11-22T09:00:00Z, and the SOA answer of ns1.b.example (signed by key 55310), which is incompatible with it, could be \
             cached from 2026-11-22T09:01:03Z on"
                .to_owned(),
        ),
        not_looked_at: Vec::new(),
        assumptions: vec!["resolvers use expired records for no longer than 3 days".to_owned()],
        resolution: Some(Resolution {
            at: Some(at(-100)),
            validated: true,
            addresses: vec!["ns1.b.example. (192.0.2.1:53)".to_owned()],
            answers: 27,
            resolved: vec!["SOA".to_owned(), "a missing name".to_owned()],
            untried: vec!["a wildcard: none is known".to_owned()],
        }),
        evidence: None,
    }
}

pub fn capabilities(name: &str, tried: bool) -> Capabilities {
    let ability = |ability: &str, text: &str, is_there: bool, evidence: &str| AbilityShow {
        ability: ability.into(),
        text: text.into(),
        is_there: tried.then_some(is_there),
        evidence: match tried {
            true => format!("test.example: {evidence}"),
            false => {
                "not seen yet, though interfaces of this kind have a way for it; a check that may write tries it".into()
            }
        },
        seen_at: tried.then(|| at(0)),
    };
    Capabilities {
        operator: name.into(),
        provider: "rfc2136".into(),
        zone: "test.example".into(),
        way: "D".into(),
        interface: Check {
            code: "interface".into(),
            outcome: Outcome::Pass,
            text: "takes writes for the zone with this credential and these settings".into(),
            fix: None,
        },
        abilities: vec![
            ability("add-dnskey", "serves another operator's key beside its own", true, "seen at 2 addresses"),
            ability("remove-own-ns", "leaves out a name server of its own", false, "update-refused: it refuses"),
        ],
        oversteps: tried.then(|| vec!["a TXT record at the apex".to_owned()]),
    }
}

pub fn audit() -> AuditPage {
    let entry = |sequence, seconds, kind: &str, text: &str, who: &str, via: &str| AuditEntry {
        sequence,
        at: at(seconds),
        kind: kind.to_owned(),
        text: text.to_owned(),
        who: who.to_owned(),
        via: via.to_owned(),
        address: (!via.is_empty()).then(|| "192.0.2.77".to_owned()),
        zone: Some("example.org".to_owned()),
        operator: None,
        transition: Some("t-7f3a".to_owned()),
        hash: "5f".repeat(32),
    };
    AuditPage {
        entries: vec![
            entry(812, -129, "wrote", "DNSKEY: added key 40977", "chorus", ""),
            entry(811, -130, "desired", "a and b, because: CHG-812", "anna", "session"),
        ],
        next: Some(811),
        now: at(0),
    }
}

pub fn audit_verified() -> AuditVerified {
    AuditVerified { entries: 812, head_sequence: 812, head_hash: "5f".repeat(32), broken: None }
}
