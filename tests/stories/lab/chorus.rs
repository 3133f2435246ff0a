//! The program under test, as a user has it: a daemon, a command line, a parental agent. Nothing is known about it but
//! its command line, `/healthz` and the token file.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use super::fresh::AtEnds;
use super::operator::{Hosts, Operator};
use super::parent::Parent;
use super::process::{Running, TsigKey};
use super::{Lab, until, v4};

pub const BINARY: &str = env!("CARGO_BIN_EXE_chorus");
const LISTEN: &str = "127.0.1.40:8080";
/// Of another daemon that knows nothing of the first.
const LISTEN_OF_ANOTHER: &str = "127.0.1.39:8080";
const START_LIMIT: Duration = Duration::from_secs(20);

pub struct Chorus {
    dir: PathBuf,
    data: PathBuf,
    /// More of `chorus serve`'s arguments.
    serving: Vec<String>,
    listen: &'static str,
    process: Option<Running>,
    /// What is asked of fresh resolvers at the end of each transition.
    pub at_ends: Option<AtEnds>,
    /// How many certificates were worked out again.
    pub certificates: std::sync::atomic::AtomicUsize,
}

#[derive(Debug)]
pub struct CliOutput {
    /// Exit code; -1 when a signal ended it.
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Lab {
    /// A daemon with an empty data directory, answering.
    pub async fn chorus(&self) -> Chorus {
        self.chorus_with(&[]).await
    }

    pub async fn chorus_with(&self, env: &[(&str, &str)]) -> Chorus {
        self.chorus_serving(env, Vec::new()).await
    }

    pub async fn chorus_serving(&self, env: &[(&str, &str)], serving: Vec<String>) -> Chorus {
        self.daemon("chorus", LISTEN, env, serving).await
    }

    /// A second daemon with a data directory of its own, beside the first.
    pub async fn another_chorus(&self) -> Chorus {
        self.daemon("another-chorus", LISTEN_OF_ANOTHER, &[], Vec::new()).await
    }

    async fn daemon(&self, name: &str, listen: &'static str, env: &[(&str, &str)], serving: Vec<String>) -> Chorus {
        let dir = self.subdirectory(name);
        let mut chorus = Chorus {
            data: dir.join("data"),
            dir,
            serving,
            listen,
            process: None,
            at_ends: None,
            certificates: Default::default(),
        };
        chorus.start(env).await;
        chorus
    }

    /// `chorus parent-agent`, polling every second.
    pub fn parent_agent(&self, parent: &Parent, operators: &[&Operator]) -> Running {
        let dir = self.subdirectory("parent-agent");
        let servers: Vec<String> = [1, 2].map(|number| format!("\"{}:53\"", v4(number))).to_vec();
        let configuration = format!(
            "parent = \"{}\"\nupdate = \"{}:53\"\ninterval = \"1s\"\nservers = [{}]\n\n[tsig]\nname = \"{}\"\n\
             algorithm = \"{}\"\nsecret_file = \"{}\"\n",
            parent.spec.zone,
            v4(1),
            servers.join(", "),
            parent.key.name,
            TsigKey::ALGORITHM,
            parent.key.secret_file.display()
        );
        // There is no resolver that the agent could ask for the operators' name servers. Those inside the zone have glue.
        let hosts: String = operators
            .iter()
            .filter(|operator| operator.spec.hosts != Hosts::Inside)
            .flat_map(|operator| operator.host_addresses())
            .map(|(host, address)| format!("\"{host}\" = [\"{}\"]\n", SocketAddr::new(address, 53)))
            .collect();
        let configuration = format!("{configuration}\n[hosts]\n{hosts}");
        std::fs::write(dir.join("agent.toml"), configuration).expect("configuration");
        Running::start("parent-agent", Path::new(BINARY), &["parent-agent", "--config", "agent.toml"], &dir, &[])
    }
}

impl Chorus {
    async fn start(&mut self, env: &[(&str, &str)]) {
        let data = self.data.to_string_lossy().into_owned();
        let env: Vec<(String, String)> = env.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let mut arguments = vec!["serve", "--data", &data, "--listen", self.listen];
        arguments.extend(self.serving.iter().map(String::as_str));
        let mut process = Running::start("chorus", Path::new(BINARY), &arguments, &self.dir, &env);
        let listen = self.listen;
        until("chorus answers /healthz", START_LIMIT, || {
            process.assert_alive();
            healthy(listen)
        })
        .await;
        self.process = Some(process);
    }

    /// Like a power cut: no signal handler runs.
    pub fn kill9(&mut self) {
        self.process = None;
    }

    /// A new process on the same data. The old one, if there is one, is killed first.
    pub async fn restart(&mut self, env: &[(&str, &str)]) {
        self.kill9();
        self.start(env).await;
    }

    /// A new process that knows nothing: with an empty data directory.
    pub async fn start_afresh(&mut self) {
        self.kill9();
        self.data = self.data.with_extension("afresh");
        self.start(&[]).await;
    }

    /// Like `restart`, for a daemon that may end again before it ever answers.
    pub fn restart_without_waiting(&mut self, env: &[(&str, &str)]) {
        self.kill9();
        let data = self.data.to_string_lossy().into_owned();
        let env: Vec<(String, String)> = env.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let mut arguments = vec!["serve", "--data", &data, "--listen", self.listen];
        arguments.extend(self.serving.iter().map(String::as_str));
        self.process = Some(Running::start("chorus", Path::new(BINARY), &arguments, &self.dir, &env));
    }

    pub fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_none_or(Running::has_ended)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// The one-time link for the first account, which the daemon prints at its first start.
    pub fn welcome_link(&self) -> String {
        let log = std::fs::read_to_string(self.dir.join("chorus.log")).unwrap_or_default();
        let line = log.lines().find_map(|line| line.split_once("first account: ")).map(|(_, rest)| rest);
        let link = line.and_then(|rest| rest.split_whitespace().next());
        link.unwrap_or_else(|| panic!("no link for a first account is printed:\n{log}")).to_owned()
    }

    pub fn log_end(&self) -> String {
        self.process.as_ref().map_or_else(String::new, Running::log_end)
    }

    /// Runs the command line tool against this daemon; blocks nothing else of the story.
    pub async fn cli<S: AsRef<str>>(&self, arguments: &[S]) -> CliOutput {
        let output = tokio::process::Command::new(BINARY)
            .args(arguments.iter().map(AsRef::as_ref))
            .env("CHORUS_URL", format!("http://{}", self.listen))
            .env("CHORUS_TOKEN_FILE", self.data.join("token"))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .expect("chorus can be started");
        let output = CliOutput {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        self.judge_an_end(arguments, &output);
        output
    }

    /// What was printed may tell of an end, or that one was waited for.
    fn judge_an_end<S: AsRef<str>>(&self, arguments: &[S], output: &CliOutput) {
        let Some(at_ends) = &self.at_ends else { return };
        let has = |word: &str| arguments.iter().any(|argument| argument.as_ref() == word);
        if has("--wait") && output.status == 0 {
            let mut words = arguments.iter().map(AsRef::as_ref).skip_while(|word| *word != "zone");
            self.judge_the_last_end(words.nth(2).expect("the name of a zone"));
        } else if has("show")
            && let Ok(shown) = serde_json::from_str(&output.stdout)
        {
            at_ends.judge(&shown);
        }
    }

    /// Judges the end of the last transition of a zone, if it has ended and the daemon knows the zone, and works its certificate
    /// out again.
    pub fn judge_the_last_end(&self, zone: &str) {
        let Some(at_ends) = &self.at_ends else { return };
        let shown = self.run_beside(&["zone", "show", zone, "-o", "json"]);
        if let Ok(shown) = serde_json::from_slice(&shown.stdout) {
            at_ends.judge(&shown);
        }
        self.verify_the_last_certificate(zone);
    }

    /// The checker, which has no code of the model, agrees with the certificate of the last transition that has ended.
    fn verify_the_last_certificate(&self, zone: &str) {
        let certificate = self.run_beside(&["zone", "certificate", zone, "--with-evidence"]);
        if !certificate.status.success() {
            // Not a transition has ended yet, or the daemon does not run, or nobody may ask it so.
            return;
        }
        let file = self.dir.join("certificate.json");
        std::fs::write(&file, &certificate.stdout).expect("the directory of the story can be written to");
        let verified = self.run_beside(&["certificate", "verify", &file.to_string_lossy()]);
        assert!(
            verified.status.success(),
            "the checker contradicts the certificate of {zone}: {}{}",
            String::from_utf8_lossy(&verified.stdout),
            String::from_utf8_lossy(&verified.stderr)
        );
        self.certificates.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    fn run_beside(&self, arguments: &[&str]) -> std::process::Output {
        std::process::Command::new(BINARY)
            .args(arguments)
            .env("CHORUS_URL", self.url())
            .env("CHORUS_TOKEN_FILE", self.data.join("token"))
            .stdin(Stdio::null())
            .output()
            .expect("chorus can be started")
    }

    /// Runs it and demands success; gives what it printed.
    pub async fn ok<S: AsRef<str>>(&self, arguments: &[S]) -> String {
        let output = self.cli(arguments).await;
        let line: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        assert_eq!(output.status, 0, "chorus {}: {}\n{}", line.join(" "), output.stderr, self.log_end());
        output.stdout
    }

    pub async fn json<S: AsRef<str>>(&self, arguments: &[S]) -> Value {
        let mut all: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        all.extend(["-o", "json"]);
        let printed = self.ok(&all).await;
        serde_json::from_str(&printed)
            .unwrap_or_else(|error| panic!("chorus {all:?} printed no JSON ({error}): {printed}"))
    }

    /// The standing of each operator by `zone show`: [("a", "Serving"), ...], sorted.
    pub async fn standings(&self, zone: &str) -> Vec<(String, String)> {
        let shown = self.json(&["zone", "show", zone]).await;
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let operators = shown["operators"].as_array().cloned().unwrap_or_default();
        let mut standings: Vec<_> =
            operators.iter().map(|operator| (text(operator, "operator"), text(operator, "standing"))).collect();
        standings.sort();
        standings
    }

    /// Until `zone history` tells all of this.
    pub async fn history_until(&self, zone: &str, words: &[&str], limit: Duration) -> String {
        let waiting = async {
            loop {
                let history = self.ok(&["zone", "history", zone]).await;
                if words.iter().all(|words| history.contains(words)) {
                    return history;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        match tokio::time::timeout(limit, waiting).await {
            Ok(history) => history,
            Err(_) => panic!("{words:?} is not told: {}", self.ok(&["zone", "history", zone]).await),
        }
    }

    /// Polls `zone show` until it satisfies the story.
    pub async fn shown_until(&self, zone: &str, what: &str, limit: Duration, holds: impl Fn(&Value) -> bool) -> Value {
        let waiting = async {
            loop {
                let output = self.cli(&["zone", "show", zone, "-o", "json"]).await;
                if let Ok(shown) = serde_json::from_str(&output.stdout)
                    && holds(&shown)
                {
                    return shown;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        match tokio::time::timeout(limit, waiting).await {
            Ok(shown) => shown,
            Err(_) => {
                let output = self.cli(&["zone", "show", zone]).await;
                panic!(
                    "waited {} s in vain: {what}\n{}{}\n{}",
                    limit.as_secs(),
                    output.stdout,
                    output.stderr,
                    self.log_end()
                )
            }
        }
    }
}

/// A request by hand: an HTTP client crate would be one more thing shared with the program.
fn healthy(listen: &str) -> bool {
    let exchange = || {
        let address: SocketAddr = listen.parse().expect("an address");
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(stream, "GET /healthz HTTP/1.1\r\nHost: {listen}\r\nConnection: close\r\n\r\n")?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        Ok::<_, std::io::Error>(reply)
    };
    exchange().is_ok_and(|reply| reply.starts_with("HTTP/1.1 200"))
}
