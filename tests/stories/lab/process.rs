//! Server processes of the laboratory. Invariant: a process lives no longer than its value, and not longer than the
//! story's thread either (`setpriv --pdeathsig`), so that even a killed test run leaves nothing behind.
//! Start servers from the story's own thread only: the kernel ties the death signal to the starting thread.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where a program is. A laboratory without its servers is a failed test, never a skipped one.
pub fn binary(name: &str, debian_package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("`{name}` is not installed: apt-get install {debian_package}"))
}

pub struct Running {
    what: String,
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts a program in `dir`; both of its outputs are appended to `dir/WHAT.log`.
    pub fn start(what: &str, program: &Path, args: &[&str], dir: &Path, env: &[(String, String)]) -> Self {
        let log = dir.join(format!("{what}.log"));
        let out = File::options().create(true).append(true).open(&log).expect("log file");
        let child = Command::new(binary("setpriv", "util-linux"))
            .args(["--pdeathsig", "KILL"])
            .arg(program)
            .args(args)
            .current_dir(dir)
            .envs(env.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(out.try_clone().expect("log file"))
            .stderr(out)
            .spawn()
            .unwrap_or_else(|error| panic!("{what} cannot be started: {error}"));
        Self { what: what.to_owned(), child, log }
    }

    /// Fails with the end of the log when the process is gone.
    pub fn assert_alive(&mut self) {
        if let Some(status) = self.child.try_wait().expect("own child") {
            panic!("{} ended with {status}:\n{}", self.what, self.log_end());
        }
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("own child").is_some()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Silent from now on, as behind a broken line: sockets stay open, nobody answers.
    pub fn pause(&self) {
        self.signal(nix::sys::signal::Signal::SIGSTOP);
    }

    pub fn resume(&self) {
        self.signal(nix::sys::signal::Signal::SIGCONT);
    }

    fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.pid()).expect("a process id"));
        nix::sys::signal::kill(pid, signal).unwrap_or_else(|error| panic!("{} takes no signal: {error}", self.what));
    }

    pub fn log_end(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }

    pub fn kill9(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill9();
    }
}

pub struct Finished {
    pub success: bool,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a short command to its end, with `input` on its standard input.
pub fn run(program: &Path, args: &[&str], input: &str) -> Finished {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} cannot be started: {error}", program.display()));
    // A program that ends without reading its input closes the pipe; its exit status tells the story then.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("own child");
    Finished {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A TSIG key in the two forms that programs read: `nsupdate -k` files, and the bare secret for Chorus.
pub struct TsigKey {
    pub name: String,
    pub secret: String,
    pub key_file: PathBuf,
    pub secret_file: PathBuf,
}

impl TsigKey {
    pub const ALGORITHM: &str = "hmac-sha256";

    pub fn create(dir: &Path, name: &str) -> Self {
        use base64::Engine;
        let secret = base64::engine::general_purpose::STANDARD.encode(format!("{name:_<32}"));
        let key_file = dir.join(format!("{name}.key"));
        let secret_file = dir.join(format!("{name}.secret"));
        std::fs::write(&secret_file, format!("{secret}\n")).expect("secret file");
        let key = Self { name: format!("{name}."), secret, key_file, secret_file };
        std::fs::write(&key.key_file, key.bind_clause()).expect("key file");
        key
    }

    pub fn bind_clause(&self) -> String {
        format!("key \"{}\" {{ algorithm {}; secret \"{}\"; }};\n", self.name, Self::ALGORITHM, self.secret)
    }

    /// Sends one UPDATE message made of nsupdate's own lines (`add ...`, `delete ...`).
    pub fn update(&self, server: std::net::IpAddr, zone: &str, lines: &[String]) -> Result<(), String> {
        let script = format!("server {server} 53\nzone {zone}\n{}\nsend\n", lines.join("\n"));
        let key_file = self.key_file.to_string_lossy();
        let done = run(&binary("nsupdate", "bind9-dnsutils"), &["-v", "-k", key_file.as_ref()], &script);
        if done.success { Ok(()) } else { Err(format!("{}{}\nof\n{script}", done.stdout, done.stderr)) }
    }
}
