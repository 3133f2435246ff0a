//! The real binary against the API on loopback: what it prints where, and with which code it exits.

use crate::fake::{CANARY, Daemon};
use assert_cmd::Command;
use chorus::api::wire::{Change, NameServer, ParentMode};
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

fn chorus(daemon: &Daemon, args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("chorus").unwrap();
    command.env_clear().env("CHORUS_URL", format!("http://{}", daemon.address));
    // Whoever sits behind a proxy does not send the token there.
    command.env("http_proxy", "http://192.0.2.1:9").env("CHORUS_TOKEN_FILE", daemon.dir.path().join("token"));
    command.args(args);
    command
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn ran(mut command: Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs it, expects this code and one line of error without anything on stdout, and gives that line.
fn fails(command: Command, code: i32) -> String {
    let ran = ran(command);
    assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{}", ran.err);
    assert!(ran.err.starts_with("chorus: ") && ran.err.ends_with(".\n") && ran.err.lines().count() == 1, "{}", ran.err);
    ran.err
}

fn add_operator(secret_file: &str) -> Vec<&str> {
    let mut args = vec!["operator", "add", "a", "--provider", "rfc2136", "--update", "192.0.2.1", "--tsig-name", "k"];
    args.extend(["--tsig-algorithm", "hmac-sha512", "--tsig-secret-file", secret_file]);
    args.extend(["--name-server", "ns1.a.example=192.0.2.1:5301", "--name-server", "NS1.a.example=[2001:db8::1]"]);
    args.extend(["--name-server", "ns2.a.example"]);
    args
}

#[test]
fn names_go_to_the_api_as_one_part_of_its_path_in_one_form() {
    let daemon = Daemon::start();
    for (typed, name) in [
        ("128/26.2.0.192.in-addr.arpa", "128/26.2.0.192.in-addr.arpa"),
        ("128\\04726.2.0.192.IN-ADDR.arpa.", "128/26.2.0.192.in-addr.arpa"),
        ("128\\/26.2.0.192.in-addr.arpa", "128/26.2.0.192.in-addr.arpa"),
        ("a\\032b.example", "a\\032b.example"),
        ("a\\.b.example", "a\\.b.example"),
        ("_a_.Bücher.example", "_a_.xn--bcher-kva.example"),
    ] {
        let shown = ran(chorus(&daemon, &["-o", "json", "zone", "show", typed]));
        let value: serde_json::Value =
            serde_json::from_str(&shown.out).unwrap_or_else(|e| panic!("{e}: {}", shown.err));
        assert_eq!(value["zone"], name, "{typed}");
    }
    for (typed, why) in [
        ("*.example", "wildcard"),
        ("a..example", "empty label"),
        ("a b.example", "\\032"),
        (".", "no parent"),
        (&*format!("{}.example", "x".repeat(64)), "64 octets"),
        (&*format!("{}example", "x.".repeat(125)), "259 octets"),
    ] {
        let error = fails(chorus(&daemon, &["zone", "show", typed]), 2);
        assert!(error.contains(why), "{typed}: {error}");
    }
}

#[test]
fn answers_go_to_stdout_as_text_or_as_the_object_of_the_api() {
    let daemon = Daemon::start();
    let shown = ran(chorus(&daemon, &["zone", "show", "Slow.Example."]));
    assert_eq!((shown.code, shown.err.as_str()), (0, ""));
    assert!(shown.out.starts_with("slow.example: Signed by a, b is joining;"), "{}", shown.out);
    assert!(!shown.out.contains('\u{1b}'));
    let json = ran(chorus(&daemon, &["-o", "json", "zone", "show", "slow.example"]));
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(value["transition"]["waiting_for"]["code"], "guard-ttl");
    for args in [
        &["zone", "list"][..],
        &["zone", "history", "example.org", "--limit", "1"],
        &["zone", "certificate", "example.org"],
        &["zone", "certificate", "example.org", "--with-evidence"],
        &["zone", "policy", "example.org"],
        &["zone", "plan", "example.org", "--operators", "a,b"],
        &["zone", "check", "example.org"],
        &["zone", "leave", "example.org", "a"],
        &["operator", "list"],
        &["operator", "show", "a"],
        &["operator", "test", "fit", "--zone", "example.org"],
        &["--help"],
        &["--version"],
        &["zone", "set", "--help"],
    ] {
        let ran = ran(chorus(&daemon, args));
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}");
        assert!(!ran.out.is_empty());
    }
    let policy = ran(chorus(&daemon, &["zone", "policy", "example.org", "--slack", "90s"]));
    assert!(policy.out.contains("1m 30s"), "{}", policy.out);
}

#[test]
fn a_certificate_file_is_verified_without_a_daemon() {
    let verify = |file: &str| {
        let mut command = Command::cargo_bin("chorus").unwrap();
        command.env_clear().args(["certificate", "verify", file]);
        command
    };
    let clean = concat!(env!("CARGO_MANIFEST_DIR"), "/certificate-checker/tests/data/clean.json");
    let agrees = ran(verify(clean));
    assert_eq!((agrees.code, agrees.err.as_str()), (0, ""));
    assert!(agrees.out.starts_with("The evidence shows what the certificate of transition "), "{}", agrees.out);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file.json");
    let changed = |change: fn(&mut serde_json::Value)| {
        let mut value = serde_json::from_str(&std::fs::read_to_string(clean).unwrap()).unwrap();
        change(&mut value);
        std::fs::write(&file, value.to_string()).unwrap();
        verify(file.to_str().unwrap())
    };
    let contradicted = ran(changed(|value| value["zone"] = "\u{1b}[31m.example".into()));
    assert_eq!((contradicted.code, contradicted.err.as_str()), (1, ""));
    assert!(
        contradicted.out.contains("the evidence of ") && !contradicted.out.contains('\u{1b}'),
        "{}",
        contradicted.out
    );
    let json = ran({
        let mut command = verify(clean);
        command.args(["-o", "json"]);
        command
    });
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((value["agrees"].as_bool(), value["disagreements"].as_array().map(Vec::len)), (Some(true), Some(0)));
    let error = fails(changed(|value| value["evidence"] = serde_json::Value::Null), 2);
    assert!(error.contains("carries no evidence"), "{error}");
    let error = fails(changed(|value| value["evidence"]["format"] = 99.into()), 2);
    assert!(error.contains("format 99"), "{error}");
    assert!(fails(verify("/nowhere/at.all"), 2).contains("cannot be read"));
    std::fs::write(&file, "no JSON\n").unwrap();
    assert!(fails(verify(file.to_str().unwrap()), 2).contains("not JSON"));
}

#[test]
fn an_operator_is_added_with_a_secret_from_a_file_or_stdin_and_it_is_shown_nowhere() {
    let daemon = Daemon::start();
    let file = daemon.dir.path().join("a.secret");
    std::fs::write(&file, format!("{CANARY}\n")).unwrap();
    let mut piped = chorus(&daemon, &add_operator("-"));
    piped.write_stdin(CANARY);
    for command in [chorus(&daemon, &add_operator(file.to_str().unwrap())), piped] {
        let ran = ran(command);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        assert!(!ran.out.contains(CANARY));
    }
    let added = daemon.service.operators.lock().unwrap();
    assert_eq!(added.len(), 2);
    for add in added.iter() {
        assert_eq!(add.tsig.as_ref().unwrap().secret.expose(), CANARY);
        assert_eq!(add.update, Some("192.0.2.1:53".parse().unwrap()));
        let addresses = vec!["192.0.2.1:5301".parse().unwrap(), "[2001:db8::1]:53".parse().unwrap()];
        let ns1 = NameServer { host: "ns1.a.example".to_owned(), addresses };
        assert_eq!(add.name_servers[0], ns1);
        assert_eq!(add.name_servers[1].addresses, Vec::new());
    }
}

#[test]
fn an_operator_on_powerdns_is_added_with_its_key_which_is_shown_nowhere() {
    let daemon = Daemon::start();
    let file = daemon.dir.path().join("b.key");
    std::fs::write(&file, format!("{CANARY}\n")).unwrap();
    let given =
        ["operator", "add", "b", "--provider", "powerdns", "--api-url", "https://pdns.b.example", "--secret-file"];
    let add = |more: &[&'static str]| {
        let mut args = given.to_vec();
        args.extend([file.to_str().unwrap(), "--name-server", "ns1.b.example"]);
        args.extend(more);
        chorus(&daemon, &args)
    };
    let ran = ran(add(&[]));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(!ran.out.contains(CANARY));
    {
        let added = daemon.service.operators.lock().unwrap();
        let api = added[0].api.as_ref().unwrap();
        assert_eq!((api.url.as_deref(), api.server_id.as_str()), (Some("https://pdns.b.example"), "localhost"));
        assert_eq!(api.key.expose(), CANARY);
        assert!(added[0].tsig.is_none() && added[0].update.is_none());
        assert!(!format!("{:?}", added[0]).contains(CANARY));
    }
    for (more, word) in [(&["--update", "192.0.2.1"][..], "--update"), (&["--tsig-name", "k"], "--tsig-name")] {
        assert!(fails(add(more), 2).contains(word));
    }
    assert!(fails(chorus(&daemon, &given[..7]), 2).contains("--secret-file"));
    std::fs::write(&file, "two words\n").unwrap();
    let line = fails(add(&[]), 2);
    assert!(line.contains("is no key") && !line.contains("two words"), "{line}");
}

#[test]
fn a_secret_file_that_cannot_be_used_is_one_line_and_nothing_is_sent() {
    let daemon = Daemon::start();
    let write = |name: &str, content: &[u8]| {
        let path = daemon.dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let secret = "key \"k\" { secret \"Zm9vYmFy\"; };";
    let missing = fails(chorus(&daemon, &add_operator("/nonexistent/secret")), 1);
    assert!(missing.contains("/nonexistent/secret cannot be read"), "{missing}");
    assert!(fails(chorus(&daemon, &add_operator(daemon.dir.path().to_str().unwrap())), 1).contains("cannot be read"));
    for (name, content) in [("key", secret.as_bytes()), ("binary", b"\xff\xfe"), ("short", b"Zm9vYmF")] {
        let line = fails(chorus(&daemon, &add_operator(&write(name, content))), 2);
        assert!(line.contains("not base64") && line.contains("Put the secret"), "{line}");
        assert!(!line.contains("Zm9v"));
    }
    assert!(fails(chorus(&daemon, &add_operator(&write("empty", b"\n"))), 2).contains("is empty"));
    assert!(daemon.service.operators.lock().unwrap().is_empty());
}

#[test]
fn wrong_usage_exits_with_2_and_names_the_right_form() {
    let daemon = Daemon::start();
    for (args, hint) in [
        (&["zone", "show", "no such name"][..], "example.org"),
        (&["zone", "add", "example.org", "--operator", "a", "--parent-server", "ns.example"], "IP address"),
        (&["zone", "policy", "example.org", "--slack", "60"], "60s"),
        (&["zone", "join", "example.org", "b", "--timeout", "1h"], "--wait"),
        (&["zone", "list", "-o", "yaml"], "possible values: table, json"),
        (&["zone"], "chorus zone --help"),
        (&[], "chorus --help"),
        (&["zone", "show", "invalid.example"], "invalid.example is refused. Ask for another."),
        (&["--url", "http://192.0.2.1:8420", "zone", "list"], "loopback"),
    ] {
        let line = fails(chorus(&daemon, args), 2);
        assert!(line.contains(hint), "{args:?}: {line}");
    }
}

#[test]
fn each_kind_of_failure_has_its_exit_code() {
    let daemon = Daemon::start();
    for (args, code) in [
        (&["zone", "show", "missing.example"][..], 1),
        (&["zone", "show", "down.example"], 1),
        (&["zone", "join", "unfit.example", "b"], 4),
        (&["zone", "join", "conflict.example", "b", "--wait"], 6),
    ] {
        assert!(fails(chorus(&daemon, args), code).contains("is refused. Ask for another."));
    }
    for (args, code) in [
        (&["operator", "test", "b", "--zone", "example.org"][..], 4),
        (&["zone", "plan", "example.org", "--operators", "refused"], 4),
        (&["zone", "check", "example.org", "--operators", "a,b"], 4),
        (&["zone", "check", "example.org", "-o", "json"], 0),
        (&["zone", "plan", "example.org", "--operators", "a,b", "--detailed-exitcode"], 3),
        (&["zone", "plan", "example.org", "--operators", "a,b"], 0),
        (&["zone", "plan", "example.org", "--operators", "a", "--detailed-exitcode"], 0),
    ] {
        let ran = ran(chorus(&daemon, args));
        assert_eq!((ran.code, ran.err.as_str()), (code, ""), "{args:?}");
        assert!(!ran.out.is_empty());
    }
    let other = Daemon::start();
    let wrong = other.dir.path().join("token");
    let mut command = chorus(&daemon, &["zone", "list"]);
    command.env("CHORUS_TOKEN_FILE", &wrong);
    assert!(fails(command, 7).contains("token"));
    std::fs::remove_file(&wrong).unwrap();
    let mut command = chorus(&daemon, &["zone", "list"]);
    command.env("CHORUS_TOKEN_FILE", &wrong);
    assert!(fails(command, 7).contains("--token-file"));
    let mut command = chorus(&daemon, &["zone", "list"]);
    command.env("CHORUS_URL", "http://127.0.0.1:1");
    assert!(fails(command, 1).contains("Start 'chorus serve'"));
}

#[test]
fn zones_are_listed_by_filters_page_after_page_until_there_are_enough() {
    let daemon = Daemon::start();
    let filters = ["--state", "attention", "--operator", "b", "--reason", "guard-ttl", "--text", "ex"];
    let mut command = chorus(&daemon, &["-o", "json", "zone", "list", "--parent", "paged"]);
    command.args(filters);
    let all: serde_json::Value = serde_json::from_str(&ran(command).out).unwrap();
    let names: Vec<&str> = all["zones"].as_array().unwrap().iter().map(|zone| zone["zone"].as_str().unwrap()).collect();
    assert_eq!((names.len(), &all["next"]), (2, &serde_json::Value::Null), "{names:?}");
    assert_ne!(names[0], names[1]);
    let asked = std::mem::take(&mut *daemon.service.asked.lock().unwrap());
    assert_eq!(asked.len(), 2);
    assert_eq!((asked[0].cursor.as_deref(), asked[1].cursor.as_deref()), (None, Some("1")));
    for query in &asked {
        let given = [&query.state, &query.operator, &query.reason, &query.text].map(|given| given.as_deref());
        assert_eq!(given, [Some("attention"), Some("b"), Some("guard-ttl"), Some("ex")]);
    }
    let first = ran(chorus(&daemon, &["-o", "json", "zone", "list", "--parent", "paged", "--limit", "1"]));
    let first: serde_json::Value = serde_json::from_str(&first.out).unwrap();
    assert_eq!((first["zones"].as_array().unwrap().len(), first["next"].as_str()), (1, Some("1")));
    assert_eq!(daemon.service.asked.lock().unwrap()[0].limit, Some(1));
}

#[test]
fn a_zone_is_added_with_its_parent_and_policy() {
    let daemon = Daemon::start();
    let args =
        ["zone", "add", "example.org", "--operator", "a", "--parent", "manual", "--parent-server", "127.0.0.3:5300"];
    let mut command = chorus(&daemon, &args);
    command.args(["--slack", "0s", "--stale", "1h", "--data-ttl-max", "10s", "--parent-pipeline", "2d"]);
    let ran = ran(command);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("Nothing was written") && ran.out.contains("hand this to your registrar"));
    let added = daemon.service.zones.lock().unwrap()[0].clone();
    assert_eq!(added.parent, ParentMode::Manual);
    assert_eq!(added.parent_servers, vec!["127.0.0.3:5300".parse().unwrap()]);
    let policy = added.policy;
    assert_eq!((policy.slack_s, policy.stale_s), (Some(0), Some(3600)));
    assert_eq!((policy.data_ttl_max_s, policy.parent_pipeline_s), (Some(10), Some(172_800)));
}

#[test]
fn waiting_shows_each_change_and_ends_with_the_transition() {
    let daemon = Daemon::start();
    let ran1 = ran(chorus(&daemon, &["zone", "replace", "example.org", "a", "b", "--wait", "--reason", "CHG-812"]));
    assert_eq!(ran1.code, 0, "{}", ran1.err);
    let lines: Vec<&str> = ran1.err.lines().filter(|line| line.starts_with("step ")).collect();
    assert_eq!(lines.len(), 2, "{}", ran1.err);
    assert!(lines[0].starts_with("step 2 of 7: share the DNSKEYs: waiting-guard: DNSKEY set without key 40977"));
    assert!(lines[0].ends_with("until 2026-11-22T10:58:12Z") && lines[1].contains("waiting-parent"));
    assert!(ran1.out.starts_with("example.org: ") && ran1.out.contains("done"), "{}", ran1.out);
    let set = daemon.service.sets.lock().unwrap()[0].clone();
    assert_eq!(set.change, Change::Replace { old: "a".to_owned(), new: "b".to_owned() });
    assert_eq!(set.reason.as_deref(), Some("CHG-812"));
    let quiet = ran(chorus(&daemon, &["-q", "-o", "json", "zone", "join", "example.org", "b", "--wait"]));
    assert_eq!((quiet.code, quiet.err.as_str()), (0, ""));
    assert!(serde_json::from_str::<serde_json::Value>(&quiet.out).is_ok());
    let there = ran(chorus(&daemon, &["zone", "join", "example.org", "a", "--wait"]));
    assert_eq!(there.code, 0);
    assert!(there.out.contains("nothing to do"));
}

#[test]
fn waiting_ends_with_4_when_blocked_6_when_superseded_and_5_when_the_time_is_over() {
    let daemon = Daemon::start();
    for (zone, code, words) in [
        ("blocked.example", 4, "blocked.example is blocked in step 2 of 7: DNSKEY set without"),
        ("other.example", 6, "superseded"),
        ("slow.example", 5, "goes on, waiting for: DNSKEY set without key 40977"),
    ] {
        let command = chorus(&daemon, &["-q", "zone", "set", zone, "--operators", "a,b", "--wait", "--timeout", "1s"]);
        let line = fails(command, code);
        assert!(line.contains(words), "{line}");
    }
}

#[test]
fn what_was_in_the_way_before_a_change_does_not_end_the_waiting_for_it() {
    let daemon = Daemon::start();
    let undo = |zone| chorus(&daemon, &["-q", "zone", "undo", zone, "--wait", "--timeout", "20s"]);
    let mended = ran(undo("mended.example"));
    assert_eq!(mended.code, 0, "{}", mended.err);
    // Nothing was changed: it was being undone already, and what is in the way is still there.
    let line = fails(undo("blocked.example"), 4);
    assert!(line.contains("blocked.example is blocked in step 2 of 7"), "{line}");
}

#[test]
fn ctrl_c_detaches_and_says_how_to_look_again() {
    let daemon = Daemon::start();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_chorus"))
        .args(["--url", &format!("http://{}", daemon.address), "--token-file"])
        .arg(daemon.dir.path().join("token"))
        .args(["zone", "join", "slow.example", "b", "--wait"])
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("step ") {
        line.clear();
        assert_ne!(err.read_line(&mut line).unwrap(), 0, "ended before it waited");
    }
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let mut rest = String::new();
    err.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert!(rest.contains("which goes on. Look again with 'chorus zone show slow.example'."), "{rest}");
}

#[test]
fn what_a_server_sends_cannot_drive_the_terminal() {
    let daemon = Daemon::start();
    for output in ["table", "json"] {
        let ran = ran(chorus(&daemon, &["-o", output, "zone", "show", "hostile.example"]));
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(!ran.out.chars().any(|c| c.is_control() && c != '\n'), "{:?}", ran.out);
        assert!(ran.out.contains(if output == "json" { "\\u001b" } else { "\\u{1b}]0;owned\\u{7}\\u{a}second" }));
    }
}
