//! What the drawings show, and that nothing that others named can break them.

use super::{CLASSES, picture, picture_alone, timeline};
use crate::api::wire::*;
use crate::model::time::Time;
use std::net::SocketAddr;

/// 2026-11-22T10:00:00Z.
fn at(seconds: i64) -> At {
    At::clock(Time::from_s(1_795_341_600 + seconds))
}

fn address(operator: usize, nth: usize) -> SocketAddr {
    match nth % 2 {
        0 => format!("192.0.2.{}:53", operator * 16 + nth).parse().unwrap(),
        _ => format!("[2001:db8:{operator:x}::{nth:x}]:53").parse().unwrap(),
    }
}

/// A group at rest: each operator with a KSK and a ZSK, that all addresses of all have.
fn zone(operators: &[&str], addresses: usize) -> ZoneShow {
    let all: Vec<SocketAddr> =
        (0..operators.len()).flat_map(|op| (0..addresses).map(move |n| address(op, n))).collect();
    let mut servers = vec![server("parent", "a0.nic.example", "203.0.113.1:53".parse().unwrap())];
    let mut keys = Vec::new();
    for (op, name) in operators.iter().enumerate() {
        let own: Vec<SocketAddr> = (0..addresses).map(|n| address(op, n)).collect();
        servers.extend(
            own.iter().enumerate().map(|(n, at)| server(name, &format!("ns{}.{name}.example", n / 2 + 1), *at)),
        );
        for (role, tag, ds) in [(KeyRole::Zsk, 9112, None), (KeyRole::Ksk, 11_201, Some(DsState::Present))] {
            keys.push(KeyShow {
                tag: tag + op as u16 * 1000,
                algorithm: 13,
                role,
                owner: Some((*name).to_owned()),
                published_at: all.clone(),
                signing_at: own.clone(),
                ds,
            });
        }
    }
    let standing = |name: &&str| OperatorStanding {
        operator: (*name).to_owned(),
        standing: Standing::Serving,
        wanted: Standing::Serving,
        unreachable: false,
        uncooperative: false,
        silent: None,
    };
    ZoneShow {
        zone: "shop.example".to_owned(),
        verdict: "Signed by all, the parent agrees, nothing to do.".to_owned(),
        headline: "Signed by all, the parent agrees, nothing to do.".to_owned(),
        rest: true,
        state: "rest".to_owned(),
        waiting_for: None,
        desired: operators.iter().map(|name| (*name).to_owned()).collect(),
        to_repair: Vec::new(),
        operators: operators.iter().map(standing).collect(),
        transition: None,
        exposures: Vec::new(),
        parent: ParentShow {
            mode: ParentMode::Scan,
            zone: "example".to_owned(),
            servers: Vec::new(),
            ds: Vec::new(),
            ns: Vec::new(),
            profile: None,
            notes: Vec::new(),
        },
        keys,
        rolls: Vec::new(),
        servers,
        hand_to_registrar: None,
        registrar_pending: Vec::new(),
        policy: ZonePolicy {
            slack_s: 60,
            stale_s: 259_200,
            data_ttl_max_s: None,
            data_ttl_max_used_s: 3600,
            data_ttl_max_from: "default".to_owned(),
            parent_pipeline_s: 172_800,
            parent_profile: None,
            resolver_min_ttl_s: 0,
            resolver_max_ttl_s: 604_800,
            sample_every_s: 900,
            gap_max_s: 3600,
            registrar_max_s: 604_800,
            delegation: String::new(),
        },
        next: None,
        updated_at: Some(at(-4)),
        now: at(0),
    }
}

fn server(who: &str, host: &str, address: SocketAddr) -> ServerShow {
    let (who, host) = (who.to_owned(), host.to_owned());
    ServerShow { who, host, address, last_seen: Some(at(-4)), trouble: None }
}

/// In the middle of a join, with something of everything.
fn busy(operators: &[&str], addresses: usize) -> ZoneShow {
    let mut zone = zone(operators, addresses);
    let newcomer = operators.len() - 1;
    let own: Vec<SocketAddr> = (0..addresses).map(|n| address(newcomer, n)).collect();
    zone.operators[newcomer].standing = Standing::Outside;
    for key in zone.keys.iter_mut().filter(|key| key.owner.as_deref() == Some(operators[newcomer])) {
        key.ds = key.ds.map(|_| DsState::Awaited);
        key.published_at.retain(|at| own.contains(at) || *at == address(0, 0));
    }
    let last = zone.servers.len() - 1;
    zone.servers[2].trouble = Some("does not answer (asked for DNSKEY)".to_owned());
    zone.servers[2].last_seen = Some(at(-9000));
    zone.servers[last].last_seen = None;
    zone.servers[last].trouble = Some("does not answer".to_owned());
    let stray = KeyShow {
        tag: 60_001,
        algorithm: 8,
        role: KeyRole::Zsk,
        owner: None,
        published_at: vec![own[0]],
        signing_at: Vec::new(),
        ds: None,
    };
    zone.keys.push(stray);
    zone
}

fn bar(text: &str, ttl_s: u32, since: Option<i64>, until: Option<i64>, waited_for: bool) -> Bar {
    let dead_at = until.map(|until| at(until + i64::from(ttl_s) + 60));
    Bar { text: text.to_owned(), ttl_s, since: since.map(at), until: until.map(at), dead_at, waited_for }
}

fn lane(who: &str, rtype: &str, bars: Vec<Bar>) -> Lane {
    Lane { who: who.to_owned(), rtype: rtype.to_owned(), bars }
}

fn step(title: &str, state: StepState, earliest: Option<i64>) -> TimelineStep {
    TimelineStep { title: title.to_owned(), state, earliest: earliest.map(at) }
}

/// `b` joins `a`: the DS is there, and what does not know it has to die.
fn joining() -> Timeline {
    Timeline {
        zone: "shop.example".to_owned(),
        from: at(-9000),
        to: at(7200),
        now: at(0),
        lanes: vec![
            lane("parent", "DS", vec![
                bar("key 11201", 3600, None, Some(-600), true),
                bar("keys 11201, 12201", 3600, Some(-600), None, false),
            ]),
            lane("parent", "NS", vec![bar("ns1.a.example, ns2.a.example", 3600, None, None, false)]),
            lane("a", "DNSKEY", vec![
                bar("keys 9112, 11201", 3600, None, Some(-7200), false),
                bar("keys 9112, 10112, 11201, 12201", 3600, Some(-7200), None, false),
            ]),
            lane("a", "NS", vec![bar("ns1.a.example, ns2.a.example", 3600, None, None, false)]),
            lane("b", "DNSKEY", vec![
                bar("keys 10112, 12201", 3600, Some(-8000), Some(-7200), false),
                bar("keys 9112, 10112, 11201, 12201", 3600, Some(-7200), None, false),
            ]),
            lane("b", "NS", vec![bar("ns1.b.example, ns2.b.example", 3600, Some(-8000), None, false)]),
        ],
        guards: vec![TimelineGuard {
            code: "guard-ttl".to_owned(),
            text: "Waiting to add b to the NS RRset: resolvers may still have cached the DS RRset without a DS for b (TTL 3600 s, last served by \
                   a0.nic.example. (203.0.113.1:53) at 2026-11-22T09:50:00Z)"
                .to_owned(),
            opens_at: Some(at(3060)),
        }],
        steps: vec![
            step("every operator serves the keys of all", StepState::Done, None),
            step("every operator asks the parent for the DS of all", StepState::Done, None),
            step("the parent has the DS of all", StepState::Done, None),
            step("every operator serves the new name server set", StepState::Now, Some(3060)),
            step("the parent delegates to the new name server set", StepState::Ahead, Some(3061)),
        ],
    }
}

/// Reads SVG as strictly as a browser does, as far as the drawings use it: gives the texts and the attributes' values.
fn well_formed(svg: &str) -> Vec<String> {
    let mut rest = svg.trim_start_matches("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let (mut open, mut texts): (Vec<&str>, Vec<String>) = (Vec::new(), Vec::new());
    let decoded = |text: &str| {
        let mut plain = text.to_owned();
        for (name, c) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")] {
            plain = plain.replace(name, c);
        }
        let known = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];
        for (at, _) in text.match_indices('&') {
            assert!(known.iter().any(|name| text[at..].starts_with(name)), "a bare & in {text:?}");
        }
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "a control character in {text:?}");
        plain
    };
    while let Some(start) = rest.find('<') {
        let (text, tag) = rest.split_at(start);
        assert!(!text.contains('>'), "a bare > in {text:?}");
        assert!(text.trim().is_empty() || !open.is_empty(), "text outside: {text:?}");
        texts.push(decoded(text));
        let end = tag.find('>').unwrap();
        let (inside, after) = (&tag[1..end], &tag[end + 1..]);
        rest = after;
        if let Some(name) = inside.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
            continue;
        }
        let (inside, is_empty) = inside.strip_suffix('/').map_or((inside, false), |inside| (inside, true));
        let (name, mut attributes) = inside.split_once(' ').unwrap_or((inside, ""));
        assert!(name.chars().all(|c| c.is_ascii_alphabetic()) && !["script", "style", "foreignObject"].contains(&name));
        let mut seen = Vec::new();
        while !attributes.trim().is_empty() {
            let (key, value) = attributes.trim_start().split_once("=\"").unwrap();
            let (value, others) = value.split_once('"').unwrap();
            let is_name = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            assert!(is_name && !key.starts_with("on") && key != "style" && !seen.contains(&key), "{key} in {inside}");
            assert!(!["x", "y", "cx", "cy", "width"].contains(&key) || value.parse::<f64>().is_ok(), "{inside}");
            seen.push(key);
            texts.push(decoded(value));
            attributes = others;
        }
        if !is_empty {
            open.push(name);
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "not closed: {open:?}, {rest:?}");
    texts
}

fn shows(texts: &[String], part: &str) -> bool {
    texts.iter().any(|text| text.contains(part))
}

#[test]
fn each_state_of_a_key_and_of_a_ds_has_a_shape_and_a_word_of_its_own() {
    use super::marks::{Cell, DS_STATES, draw_ds, ds_word};
    use super::svg::Svg;
    let drawn = |draw: &dyn Fn(&mut Svg)| {
        let mut svg = Svg::new("x", "x", 10.0, 10.0, ("", ""));
        draw(&mut svg);
        // Without its colours: they alone must not tell anything.
        let svg = svg.finish();
        let kept = svg
            .split([' ', '>'])
            .filter(|part| !part.contains("\"d-") && !part.contains("#") && !part.contains("d-s-"));
        kept.collect::<Vec<_>>().join(" ")
    };
    let cells = Cell::ALL.map(|cell| (drawn(&|svg| cell.draw(svg, (50.0, 50.0))), cell.word()));
    let ds = DS_STATES.map(|ds| (drawn(&|svg| draw_ds(svg, ds, (50.0, 50.0))), ds_word(ds)));
    let all: Vec<_> = cells.into_iter().chain(ds).collect();
    for (nth, (shape, word)) in all.iter().enumerate() {
        for (other, same) in &all[nth + 1..] {
            assert!(shape != other && word != same, "{word} and {same}");
        }
    }
}

#[test]
fn the_picture_of_a_join_says_what_is_missing_unexpected_awaited_and_old() {
    let texts = well_formed(&picture(&busy(&["a", "b"], 2)));
    let words =
        ["signs", "published", "missing", "unexpected", "not seen", "old answer", "present", "awaited", "2 h ago"];
    for word in words {
        assert!(texts.iter().any(|text| text == word), "{word}");
    }
    for text in [
        "KSK 11201",
        "ecdsap256sha256",
        "Keys of nobody known",
        "servers of b",
        "KSK 12201 of b at ns1.a.example ([2001:db8::1]:53): missing: others have it, seen 2 h ago; it does not answer now",
        "KSK 11201 of a: DS present, published at 4 addresses, signing at 2.",
    ] {
        assert!(shows(&texts, text), "{text}");
    }
}

#[test]
fn at_rest_nothing_is_missing_and_the_chain_of_each_operator_goes_from_the_ds_to_its_answers() {
    let drawn = picture(&zone(&["a", "b", "c"], 4));
    let texts = well_formed(&drawn);
    let words = |word: &str| texts.iter().filter(|text| *text == word).count();
    assert_eq!((words("signs"), words("published"), words("missing"), words("not here")), (24, 48, 0, 0));
    assert_eq!((words("present"), words("of a"), words("of c")), (3, 1, 1));
    // DS to KSK, KSK to ZSK, ZSK to answers: each with a head.
    assert_eq!(drawn.matches("stroke=\"#0a6b4f\" stroke-width=\"2\"/>").count(), 9);
}

#[test]
fn a_key_that_its_operator_gave_up_is_neither_missing_at_its_owner_nor_a_stranger() {
    let mut zone = zone(&["a", "b"], 1);
    let key = zone.keys.iter_mut().find(|key| key.tag == 9112).unwrap();
    (key.owner, key.published_at, key.signing_at) = (None, vec![address(1, 0)], Vec::new());
    let (operator, role) = ("a".to_owned(), KeyRole::Zsk);
    zone.rolls.push(RollShow { operator, role, tag: 9112, algorithm: 13, state: RollState::Kept, since: None });
    let texts = well_formed(&picture(&zone));
    assert!(shows(&texts, "given up") && !texts.iter().any(|text| text == "missing" || text == "unexpected"));
}

/// What others may choose: markup, controls, directions, and as long as a name can be.
fn hostile() -> [String; 5] {
    [
        "</text><script>alert(1)</script>".to_owned(),
        "\" onload=\"alert(1)' &amp; &#x41;".to_owned(),
        "evil\u{202e}gpj\u{200b}\u{2066}\u{feff}\u{fffe}\u{ad}".to_owned(),
        "nul\0bell\u{7}esc\u{1b}[31m\r\n\t\u{85}".to_owned(),
        "w".repeat(255),
    ]
}

#[test]
fn names_that_others_chose_are_text_and_nothing_else_and_what_cannot_be_seen_is_made_visible() {
    for name in hostile() {
        let mut zone = busy(&["a", "b"], 2);
        (zone.zone, zone.verdict, zone.parent.zone) = (name.clone(), name.clone(), name.clone());
        zone.operators[0].operator.clone_from(&name);
        for server in &mut zone.servers {
            (server.host, server.trouble) = (name.clone(), Some(name.clone()));
            if server.who == "a" {
                server.who.clone_from(&name);
            }
        }
        zone.keys.iter_mut().for_each(|key| key.owner = Some(name.clone()));
        let mut lanes = joining();
        lanes.zone.clone_from(&name);
        lanes.guards[0].text.clone_from(&name);
        lanes.steps[0].title.clone_from(&name);
        for lane in &mut lanes.lanes {
            (lane.who, lane.rtype) = (name.clone(), name.clone());
            lane.bars.iter_mut().for_each(|bar| bar.text.clone_from(&name));
        }
        for drawn in [picture(&zone), picture_alone(&zone), timeline(&lanes)] {
            let texts = well_formed(&drawn);
            let hidden = ['\u{202e}', '\u{200b}', '\u{2066}', '\u{feff}', '\u{fffe}', '\u{ad}', '\0', '\u{85}'];
            assert!(!drawn.contains(hidden) && !drawn.contains("<script"), "{name:?}");
            assert!(shows(&texts, &super::svg::visible(&name)), "the whole of it is there: {name:?}");
            assert!(!texts.iter().any(|text| text.contains("wwwwww") && text.contains('…') && text.len() > 200));
        }
    }
    assert_eq!(super::svg::safe("a\u{202e}<&\u{1}"), "aU+202E&lt;&amp;U+0001");
}

#[test]
fn the_timeline_of_a_join_says_what_is_waited_for_and_until_when() {
    let drawn = timeline(&joining());
    let texts = well_formed(&drawn);
    for text in [
        "now 10:00",
        "may go on 10:51, in 51 min",
        "waited for: in caches until 10:51",
        "Waiting until 10:51 UTC, for 51 min more: Waiting to add b",
        "key 11201, TTL 3600 s, since before it was first seen, served until 09:50, in caches until 10:51, waited for",
        "now, not before 10:51",
        "4–5",
    ] {
        assert!(shows(&texts, text), "{text}");
    }
    assert_eq!(drawn.matches("d-waited").count(), 1);
    // One tail, and the legend.
    assert_eq!(drawn.matches("url(#d-timeline-hatch)").count(), 2);
}

#[test]
fn ticks_do_not_run_into_one_another_from_half_a_minute_to_a_month() {
    for (span, label, day) in
        [(30, ":05", true), (3600, "10:10", true), (86_400, "12:00", true), (30 * 86_400, "23 Nov", false)]
    {
        let axis = super::axis::Axis::new(at(0), at(span), 100.0, 1000.0);
        let ticks = axis.ticks();
        assert!((5..=13).contains(&ticks.len()), "{span}: {}", ticks.len());
        assert!(ticks.windows(2).all(|two| two[1].x - two[0].x >= 80.0), "{span}");
        let labels: Vec<&str> = ticks.iter().map(|tick| tick.label.as_str()).collect();
        assert!(labels.iter().any(|shown| shown.ends_with(label)), "{span}: {labels:?}");
        assert_eq!(ticks[0].day.is_some(), day, "{span}");
    }
}

#[test]
fn a_timeline_without_a_length_and_one_without_anything_in_it_are_drawn_all_the_same() {
    let mut empty = joining();
    (empty.from, empty.to) = (at(0), at(0));
    well_formed(&timeline(&empty));
    (empty.lanes, empty.guards, empty.steps) = Default::default();
    well_formed(&timeline(&empty));
    let mut nobody = zone(&[], 0);
    nobody.servers.clear();
    well_formed(&picture(&nobody));
}

#[test]
fn every_class_that_paints_is_in_the_style_sheet_and_every_colour_in_both_themes() {
    let drawn = picture(&busy(&["a", "b"], 2)) + &timeline(&joining());
    let classes =
        drawn.split("class=\"").skip(1).filter_map(|rest| rest.split('"').next()).flat_map(|all| all.split(' '));
    for class in classes.filter(|class| class.starts_with("d-f-") || class.starts_with("d-s-")) {
        assert!(CLASSES.contains(&format!(".{class} {{")), "{class}");
    }
    for used in CLASSES.split("var(").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert_eq!(CLASSES.matches(&format!("{used}: #")).count(), 3, "{used}: light, dark, and dark by choice");
    }
}

/// WCAG 2.2 AA: 4.5 for text, on every ground that it stands on.
#[test]
fn every_text_has_enough_contrast_in_light_and_dark() {
    let luminance = |colour: &str| {
        let part = |at: usize| f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        let linear = |c: f64| if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
        0.2126 * linear(part(1)) + 0.7152 * linear(part(3)) + 0.0722 * linear(part(5))
    };
    for theme in CLASSES.split("--d-ink: ").skip(1) {
        let theme = format!("--d-ink: {theme}");
        let colour = |name: &str| theme.split(&format!("--d-{name}: ")).nth(1).unwrap()[..7].to_owned();
        for text in ["ink", "muted", "good", "calm", "bad", "odd", "wait"] {
            for ground in ["ground", "panel", "tint", "haze"] {
                let (a, b) = (luminance(&colour(text)), luminance(&colour(ground)));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= 4.5, "{text} on {ground}: {contrast:.2}");
            }
        }
    }
}

#[test]
fn a_picture_and_a_timeline_are_drawn_like_this() {
    insta::assert_snapshot!("picture", picture_alone(&busy(&["a", "b"], 2)));
    insta::assert_snapshot!("timeline", timeline(&joining()));
}
