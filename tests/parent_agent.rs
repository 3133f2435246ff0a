//! The parental agent on real servers: BIND as parent and as operator A, Knot as operator B, each test in a network of its
//! own. The children's zones are signed beforehand, so that each test says exactly what each operator serves.
//!
//! Needs root and `named`, `knotd`, `dig`, `ip` and BIND's `dnssec-*` tools; whatever is missing fails the test.

#![cfg(test)]

use chorus::model::dns::Name;
use chorus::model::time::Time;
use chorus::observe::net::NetTransport;
use chorus::parent::agent::read::HostLookup;
use chorus::parent::agent::run::World;
use chorus::parent::agent::{AgentConfig, run};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime};

const PARENT: &str = "127.0.1.13";
/// Where the operators' servers listen: A (BIND), B (Knot), and B once more, at an address not delegated to at first.
const A: &str = "127.0.1.11";
const B: &str = "127.0.1.12";
const B_TOO: &str = "127.0.1.22";
const SECRET: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTAxMjM=";
/// How far signatures are dated back: `dnssec-signzone`'s and BIND's way, and Knot's.
const A_BACK_S: u32 = 3600;
const B_BACK_S: u32 = 5400;
const PATIENCE: Duration = Duration::from_secs(30);

fn tool(program: &str, arguments: &[&str], dir: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(dir).output();
    let output = output.unwrap_or_else(|e| panic!("{program} cannot be run, and is needed: {e}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Killed when dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    fn start(program: &str, arguments: &[&str], dir: &Path) -> Server {
        let log = std::fs::File::create(dir.join("log")).unwrap();
        let mut command = Command::new(program);
        command.args(arguments).current_dir(dir).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Server(command.spawn().unwrap_or_else(|e| panic!("{program} cannot be run, and is needed: {e}")))
    }

    /// Both servers read their zones again on SIGHUP.
    fn reload(&self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGHUP).unwrap();
    }
}

/// A key made by `dnssec-keygen`.
#[derive(Clone)]
struct Key {
    file: String,
    dnskey: String,
    ds: String,
}

impl Key {
    fn make(dir: &Path, flags: &[&str]) -> Key {
        let arguments = [flags, &["-q", "-a", "ECDSAP256SHA256", "child.example"]].concat();
        let file = tool("dnssec-keygen", &arguments, dir).trim().to_string();
        let text = std::fs::read_to_string(dir.join(format!("{file}.key"))).unwrap();
        let dnskey = text.lines().find(|line| !line.starts_with(';')).unwrap().to_string();
        let ds = tool("dnssec-dsfromkey", &["-2", &file], dir).trim().to_string();
        Key { file, dnskey, ds }
    }

    fn cds(&self) -> String {
        self.ds.replace(" DS ", " CDS ")
    }

    fn cdnskey(&self) -> String {
        self.dnskey.replace(" DNSKEY ", " CDNSKEY ")
    }

    /// As `dig +short DS` shows it: tag, algorithm, digest type.
    fn tag(&self) -> String {
        self.ds.split_whitespace().nth(3).unwrap().to_string()
    }
}

/// One operator: its server, its keys, and what it adds to the zone.
struct Operator {
    server: Server,
    dir: PathBuf,
    address: &'static str,
    ksk: Key,
    zsk: Key,
}

struct Lab {
    dir: tempfile::TempDir,
    _parent: Server,
    a: Operator,
    b: Operator,
    /// A key-signing key that is in everybody's DNSKEY set and signs nothing yet.
    c: Key,
    serial: std::cell::Cell<u32>,
}

const NS: &str = "child.example. 60 IN NS ns1.a.test.\nchild.example. 60 IN NS ns2.b.test.\n";

impl Lab {
    fn start() -> Lab {
        let dir = tempfile::tempdir().unwrap();
        let part = |name: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir(&path).unwrap();
            path
        };
        let (p_dir, a_dir, b_dir) = (part("p"), part("a"), part("b"));
        for operator in [&a_dir, &b_dir] {
            for private in ["keys", "db"] {
                std::fs::create_dir(operator.join(private)).unwrap();
            }
        }
        let keys = |dir: &Path| (Key::make(dir, &["-f", "KSK"]), Key::make(dir, &[]));
        let ((a_ksk, a_zsk), (b_ksk, b_zsk)) = (keys(&a_dir), keys(&b_dir));
        let c = Key::make(dir.path(), &["-f", "KSK"]);

        let zone = format!(
            "$TTL 60\nexample. IN SOA ns.example. x.example. 1 3600 600 86400 60\nexample. IN NS ns.example.\n\
             ns.example. IN A {PARENT}\n{NS}{}\n{}\n",
            a_ksk.ds.replace(" IN ", " 77 IN "),
            b_ksk.ds.replace(" IN ", " 77 IN ")
        );
        std::fs::write(p_dir.join("zone"), zone).unwrap();
        std::fs::write(p_dir.join("named.conf"), named(PARENT, "example", "allow-update { key \"ctl.\"; };")).unwrap();
        std::fs::write(a_dir.join("named.conf"), named(A, "child.example", "")).unwrap();
        let knot = format!(
            "server:\n  rundir: \"{0}\"\n  listen: [{B}@53, {B_TOO}@53]\nlog:\n  - target: stdout\n    any: info\n\
             database:\n  storage: \"{0}/db\"\nzone:\n  - domain: child.example\n    storage: \"{0}\"\n    file: zone\n",
            b_dir.display()
        );
        std::fs::write(b_dir.join("knot.conf"), knot).unwrap();

        let ask_for_nothing = "";
        sign(&a_dir, &[&a_ksk, &a_zsk], &[&b_ksk, &b_zsk, &c], NS, ask_for_nothing, 1, A_BACK_S);
        sign(&b_dir, &[&b_ksk, &b_zsk], &[&a_ksk, &a_zsk, &c], NS, ask_for_nothing, 1, B_BACK_S);
        let named_arguments = ["-g", "-c", "named.conf"];
        let lab = Lab {
            _parent: Server::start("named", &named_arguments, &p_dir),
            a: Operator {
                server: Server::start("named", &named_arguments, &a_dir),
                dir: a_dir,
                address: A,
                ksk: a_ksk,
                zsk: a_zsk,
            },
            b: Operator {
                server: Server::start("knotd", &["-c", "knot.conf"], &b_dir),
                dir: b_dir,
                address: B,
                ksk: b_ksk,
                zsk: b_zsk,
            },
            c,
            serial: std::cell::Cell::new(1),
            dir,
        };
        await_that("the parent answers", || dig(PARENT, "example", "SOA").contains(" 1 3600"));
        for operator in [&lab.a, &lab.b] {
            await_that("the operator answers", || dig(operator.address, "child.example", "SOA").contains(" 1 3600"));
        }
        lab
    }

    /// Serves a zone with what `asks` holds beside the usual, at one operator, and waits until it does.
    fn serve(&self, operator: &Operator, ns: &str, asks: &str) {
        let back_s = if operator.address == A { A_BACK_S } else { B_BACK_S };
        self.serve_signed(operator, ns, asks, back_s);
    }

    /// The same, with signatures that began `back_s` seconds ago.
    fn serve_signed(&self, operator: &Operator, ns: &str, asks: &str, back_s: u32) {
        let others = if operator.address == A { &self.b } else { &self.a };
        let serial = self.serial.get() + 1;
        self.serial.set(serial);
        let foreign = [&others.ksk, &others.zsk, &self.c];
        sign(&operator.dir, &[&operator.ksk, &operator.zsk], &foreign, ns, asks, serial, back_s);
        operator.server.reload();
        let shown = format!(" {serial} 3600");
        await_that("the operator serves the new zone", || {
            dig(operator.address, "child.example", "SOA").contains(&shown)
        });
    }

    fn serve_everywhere(&self, ns: &str, asks: &str) {
        self.serve(&self.a, ns, asks);
        self.serve(&self.b, ns, asks);
    }

    /// Tags of the DS records at the parent.
    fn ds(&self) -> BTreeSet<String> {
        let shown = dig(PARENT, "child.example", "DS");
        shown.lines().map(|line| line.split_whitespace().next().unwrap().to_string()).collect()
    }

    fn tags(&self, keys: &[&Key]) -> BTreeSet<String> {
        keys.iter().map(|key| key.tag()).collect()
    }

    /// The referral for the child, with glue.
    fn referral(&self) -> String {
        tool(
            "dig",
            &[&format!("@{PARENT}"), "child.example", "NS", "+norecurse", "+noall", "+authority", "+additional"],
            self.dir.path(),
        )
    }

    fn config(&self, secret: &str, more: &str) -> AgentConfig {
        let text = format!(
            "parent = \"example.\"\nupdate = \"{PARENT}\"\ninterval = \"1s\"\n{more}\n\
             [tsig]\nname = \"ctl.\"\nalgorithm = \"hmac-sha256\"\nsecret_file = \"secret\"\n\
             [hosts]\n\"ns1.a.test.\" = [\"{A}\"]\n\"ns2.b.test.\" = [\"{B}\"]\n"
        );
        std::fs::write(self.dir.path().join("secret"), secret).unwrap();
        std::fs::write(self.dir.path().join("agent.toml"), text).unwrap();
        AgentConfig::load(&self.dir.path().join("agent.toml")).unwrap()
    }
}

fn named(address: &str, zone: &str, more: &str) -> String {
    format!(
        "key \"ctl.\" {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\ncontrols {{ }};\n\
         options {{ directory \".\"; pid-file \"named.pid\"; session-keyfile \"session.key\";\n\
         managed-keys-directory \".\"; listen-on port 53 {{ {address}; }}; listen-on-v6 {{ none; }}; recursion no;\n\
         dnssec-validation no; notify no; minimal-responses yes; allow-transfer {{ key \"ctl.\"; }}; }};\n\
         zone \"{zone}\" {{ type primary; file \"zone\"; {more} }};\n"
    )
}

fn sign(dir: &Path, own: &[&Key], foreign: &[&Key], ns: &str, asks: &str, serial: u32, back_s: u32) {
    let mut zone =
        format!("$TTL 60\nchild.example. IN SOA ns1.a.test. x.a.test. {serial} 3600 600 86400 60\n{ns}{asks}\n");
    for key in own.iter().chain(foreign) {
        zone.push_str(&format!("{}\n", key.dnskey));
    }
    zone.push_str(&format!("ns3.child.example. IN A {B_TOO}\n"));
    std::fs::write(dir.join("unsigned"), zone).unwrap();
    let since = format!("now-{back_s}");
    let mut arguments = vec!["-P", "-x", "-s", &since, "-o", "child.example", "-f", "signed", "unsigned"];
    arguments.extend(own.iter().map(|key| key.file.as_str()));
    tool("dnssec-signzone", &arguments, dir);
    // In one step: a server may read at any moment.
    std::fs::rename(dir.join("signed"), dir.join("zone")).unwrap();
}

fn dig(server: &str, name: &str, rtype: &str) -> String {
    let arguments = [&format!("@{server}"), name, rtype, "+short", "+norecurse", "+time=1", "+tries=1"];
    let output = Command::new("dig").args(arguments).output().expect("dig cannot be run, and is needed");
    String::from_utf8(output.stdout).unwrap()
}

#[allow(clippy::disallowed_methods)]
fn await_that(what: &str, holds: impl Fn() -> bool) {
    let end = std::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(std::time::Instant::now() < end, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What the agent says, line by line.
struct Lines(Receiver<String>);

impl Lines {
    /// Reads on until a line has all of `words`.
    #[allow(clippy::disallowed_methods)]
    fn until(&self, words: &[&str]) -> String {
        let end = std::time::Instant::now() + PATIENCE;
        let mut heard = Vec::new();
        loop {
            let left = end.saturating_duration_since(std::time::Instant::now());
            let Ok(line) = self.0.recv_timeout(left) else { panic!("no line with {words:?}; only {heard:#?}") };
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
            heard.push(line);
        }
    }
}

struct NoLookup;

#[async_trait::async_trait]
impl HostLookup for NoLookup {
    async fn addresses(&self, _: &Name) -> Result<BTreeSet<IpAddr>, String> {
        Err("there is no resolver in this network".into())
    }
}

#[allow(clippy::disallowed_methods)]
fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Time(i64::try_from(since.as_millis()).unwrap())
}

/// Enters a network of this thread's own.
fn own_network() {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("a network namespace (root is needed)");
    let here = Path::new("/");
    tool("ip", &["link", "set", "lo", "up"], here);
    for address in [PARENT, A, B, B_TOO] {
        tool("ip", &["addr", "add", &format!("{address}/32"), "dev", "lo"], here);
    }
}

/// Runs a story with the lab and the agent at work, in a network of its own.
fn with_agent(story: impl FnOnce(&Lab, &Lines) + Send + 'static) {
    with_agent_of(SECRET, "", story);
}

/// The same with another TSIG secret, and more lines in the settings.
fn with_agent_of(secret: &'static str, more: &'static str, story: impl FnOnce(&Lab, &Lines) + Send + 'static) {
    let thread = std::thread::spawn(move || {
        own_network();
        let lab = Lab::start();
        let config = lab.config(secret, more);
        let (say, heard) = channel();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        // A thread that is started here stays in this network.
        let agent = std::thread::spawn(move || {
            let world = World {
                transport: Arc::new(NetTransport::default()),
                lookup: Arc::new(NoLookup),
                clock: Arc::new(now),
                output: Arc::new(move |line| {
                    println!("{line}");
                    let _ = say.send(line.to_string());
                }),
            };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(config, world, async {
                let _ = stopped.await;
            }));
        });
        let lines = Lines(heard);
        if secret == SECRET {
            lines.until(&["child.example.: DS and delegation are as the child asks: no change"]);
        }
        story(&lab, &lines);
        drop(stop);
        agent.join().unwrap();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn asking_for(keys: &[&Key]) -> String {
    keys.iter().map(|key| format!("{}\n{}\n", key.cds(), key.cdnskey())).collect()
}

#[test]
fn a_key_in_every_cds_gets_its_ds_and_one_deviating_server_holds_it_back() {
    with_agent(|lab, lines| {
        let (two, three) = ([&lab.a.ksk, &lab.b.ksk], [&lab.a.ksk, &lab.b.ksk, &lab.c]);
        lab.serve(&lab.a, NS, &asking_for(&two));
        lab.serve(&lab.b, NS, &asking_for(&three));
        lines.until(&["CDS at ns2.b.test. (127.0.1.12) differs from the others: no change"]);
        assert_eq!(lab.ds(), lab.tags(&two));

        lab.serve(&lab.a, NS, &asking_for(&three));
        lines.until(&["DS ", " → ", "as CDS asks at all servers"]);
        assert_eq!(lab.ds(), lab.tags(&three));
        let ttl =
            tool("dig", &["@127.0.1.13", "child.example", "DS", "+noall", "+answer", "+norecurse"], lab.dir.path());
        assert!(ttl.lines().all(|line| line.split_whitespace().nth(1) == Some("77")), "{ttl}");
        lines.until(&["DS and delegation are as the child asks: no change"]);

        lab.serve_everywhere(NS, &asking_for(&two));
        lines.until(&["as CDS asks at all servers"]);
        assert_eq!(lab.ds(), lab.tags(&two));
    });
}

#[test]
fn a_request_to_remove_all_ds_is_refused() {
    with_agent(|lab, lines| {
        let before = lab.ds();
        lab.serve_everywhere(NS, "child.example. IN CDS 0 0 0 00\nchild.example. IN CDNSKEY 0 3 0 AA==\n");
        lines.until(&["child.example.: CDS asks to remove all DS", "refused (allow_delete is false)"]);
        assert_eq!(lab.ds(), before);
    });
}

#[test]
fn a_cds_that_would_break_one_operator_is_refused() {
    with_agent(|lab, lines| {
        let before = lab.ds();
        lab.serve_everywhere(NS, &asking_for(&[&lab.a.ksk]));
        lines.until(&["would break ns2.b.test. (127.0.1.12)", "refused"]);
        assert_eq!(lab.ds(), before);
    });
}

#[test]
fn a_silent_server_delays_and_is_named() {
    with_agent(|lab, lines| {
        let before = lab.ds();
        lab.serve(&lab.a, NS, &asking_for(&[&lab.a.ksk, &lab.b.ksk, &lab.c]));
        lines.until(&["ns2.b.test. (127.0.1.12) has no CDS, the others have"]);
        let pid = nix::unistd::Pid::from_raw(i32::try_from(lab.b.server.0.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        lines.until(&["CDS: ns2.b.test. (127.0.1.12) does not answer: no change"]);
        assert_eq!(lab.ds(), before);
    });
}

#[test]
fn csync_adds_a_server_with_its_glue_and_takes_one_away() {
    with_agent(|lab, lines| {
        let more = format!("{NS}child.example. 60 IN NS ns3.child.example.\n");
        lab.serve_everywhere(&more, "child.example. IN CSYNC 0 1 A NS AAAA\n");
        lines.until(&["delegation: ns3.child.example. added; glue of ns3.child.example. set"]);
        let referral = lab.referral();
        assert!(referral.contains("ns3.child.example.") && referral.contains(B_TOO), "{referral}");
        lines.until(&["DS and delegation are as the child asks: no change"]);

        let fewer = "child.example. 60 IN NS ns1.a.test.\nchild.example. 60 IN NS ns3.child.example.\n";
        lab.serve_everywhere(fewer, "child.example. IN CSYNC 0 1 A NS AAAA\n");
        lines.until(&["delegation: ns2.b.test. removed"]);
        assert!(!lab.referral().contains("ns2.b.test."), "{}", lab.referral());
    });
}

#[test]
fn servers_whose_signers_back_date_differently_get_their_changes_through_and_a_replay_does_not() {
    const CSYNC: &str = "child.example. IN CSYNC 0 1 NS\n";
    const ALONE: &str = "child.example. 60 IN NS ns1.a.test.\n";
    with_agent(|lab, lines| {
        let (two, three) = ([&lab.a.ksk, &lab.b.ksk], [&lab.a.ksk, &lab.b.ksk, &lab.c]);
        // While B is away, A alone is acted on, for DS and for NS: B's signatures look older than that when it is back.
        lab.serve_everywhere(ALONE, CSYNC);
        lines.until(&["delegation: ns2.b.test. removed"]);
        lab.serve(&lab.a, ALONE, &asking_for(&three));
        lines.until(&["as CDS asks at all servers"]);
        lab.serve(&lab.b, NS, "");
        lab.serve(&lab.a, NS, CSYNC);
        lines.until(&["delegation: ns2.b.test. added"]);

        for wanted in [&two[..], &three[..]] {
            lab.serve_everywhere(NS, &asking_for(wanted));
            lines.until(&["as CDS asks at all servers"]);
            assert_eq!(lab.ds(), lab.tags(wanted));
        }
        lab.serve_everywhere(ALONE, CSYNC);
        lines.until(&["delegation: ns2.b.test. removed"]);
        lab.serve(&lab.b, NS, "");
        lab.serve(&lab.a, NS, CSYNC);
        lines.until(&["delegation: ns2.b.test. added"]);

        lab.serve(&lab.a, NS, &asking_for(&two));
        lab.serve_signed(&lab.b, NS, &asking_for(&two), B_BACK_S + 600);
        lines.until(&["CDS of child.example. at ns2.b.test. (127.0.1.12) was signed at", "acted on last", "ignored"]);
        assert_eq!(lab.ds(), lab.tags(&three));
        lab.serve(&lab.a, ALONE, CSYNC);
        lab.serve_signed(&lab.b, ALONE, CSYNC, B_BACK_S + 600);
        lines.until(&["CSYNC: NS of child.example. at ns2.b.test. (127.0.1.12) was signed at", "ignored"]);
        assert!(lab.referral().contains("ns2.b.test."), "{}", lab.referral());
    });
}

#[test]
fn a_wrong_tsig_secret_is_said_with_what_would_have_been_changed() {
    const WRONG: &str = "d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3I=";
    with_agent_of(WRONG, "children = [\"child.example.\"]", |lab, lines| {
        let before = lab.ds();
        lab.serve_everywhere(NS, &asking_for(&[&lab.a.ksk, &lab.b.ksk, &lab.c]));
        lines.until(&["child.example.: wanted: DS ", "not done: ", "BADSIG"]);
        assert_eq!(lab.ds(), before);
    });
    with_agent_of(WRONG, "", |_, lines| {
        lines.until(&["example.: the delegations cannot be listed: ", "BADSIG"]);
    });
}
