//! A person before a real browser, in the laboratory's network: a script of `tests/ui`, played by node, that opens
//! Chromium at the daemon's pages. What it tells is told on; what only the laboratory can do it asks for, a line each
//! (`lab: the parent is idle`), and is answered `done`.
//!
//! Invariant: when the value is dropped, no process of the browser is left. Node dies with the story's thread, and
//! Chromium when the pipe to node breaks; whatever has not ended by then is ended here. Who of them is ours: a namespace
//! has one story in it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::Lab;
use super::process::binary;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Between the end of the last pipe and the end of the last process.
const GONE_WITHIN: Duration = Duration::from_secs(5);

pub struct Browser {
    node: Child,
    asks: ChildStdin,
    tells: Lines<BufReader<ChildStdout>>,
}

pub enum Told {
    /// To be answered with [`Browser::done`].
    Asked(String),
    /// Whether the script says that all went well.
    Over(bool),
}

impl Browser {
    /// Plays `node run.mjs STORY`. Pictures go to `target/ui-shots/NAME`.
    pub fn plays(lab: &Lab, name: &str, story: &str, env: &[(&str, String)]) -> Self {
        let ui = Path::new(ROOT).join("tests/ui");
        assert!(ui.join("node_modules").is_dir(), "tests/ui has no node_modules: npm ci --prefix tests/ui");
        binary("chromium", "chromium");
        let shots = shots().join(name);
        let _ = std::fs::remove_dir_all(&shots);
        let mut node = Command::new(binary("setpriv", "util-linux"))
            .args(["--pdeathsig", "KILL"])
            .arg(binary("node", "nodejs"))
            .args(["run.mjs", story])
            .current_dir(ui)
            .env("CHORUS_SHOTS", shots)
            // Profiles of the browser, and whatever else it leaves.
            .env("TMPDIR", lab.subdirectory("browser"))
            .envs(env.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node can be started");
        let (asks, tells) = (node.stdin.take().expect("piped"), node.stdout.take().expect("piped"));
        Self { node, asks, tells: BufReader::new(tells).lines() }
    }

    /// Until it asks for something, or has ended.
    pub async fn next(&mut self, lab: &Lab) -> Told {
        while let Some(line) = self.tells.next_line().await.expect("node tells in UTF-8") {
            match line.strip_prefix("lab: ") {
                Some(request) => return Told::Asked(request.to_owned()),
                None => lab.tell(&format!("browser {line}")),
            }
        }
        let status = self.node.wait().await.expect("own child");
        Told::Over(status.success())
    }

    pub async fn done(&mut self) {
        self.asks.write_all(b"done\n").await.expect("node listens");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.node.start_kill();
        let end = Instant::now() + GONE_WITHIN;
        while !browsers_in_this_network().is_empty() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(50));
        }
        for pid in browsers_in_this_network() {
            eprintln!("process {pid} of the browser has outlived it");
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

/// `target/ui-shots`, wherever target is.
fn shots() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| Path::new(ROOT).join("target"), PathBuf::from);
    target.join("ui-shots")
}

/// Processes of Chromium and node that live in this thread's network namespace. One that has ended and was not waited
/// for has no network any more.
pub fn browsers_in_this_network() -> Vec<Pid> {
    let here = std::fs::read_link("/proc/thread-self/ns/net").expect("/proc is mounted");
    let is_ours = |pid: &i32| {
        let process = PathBuf::from(format!("/proc/{pid}"));
        let runs = std::fs::read_link(process.join("exe")).unwrap_or_default();
        let runs = runs.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (runs.starts_with("chrom") || runs == "node")
            && std::fs::read_link(process.join("ns/net")).is_ok_and(|there| there == here)
    };
    let all = std::fs::read_dir("/proc").expect("/proc is mounted").flatten();
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(is_ours).map(Pid::from_raw).collect()
}
