//! A network namespace per test: port 53 for everybody, IPv4 and IPv6, no interference between tests of one process.
//! Namespaces belong to threads, so each test body runs on a thread of its own; what it starts inherits the namespace.

use std::future::Future;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::process::binary;

/// Runs a story in its own network, and fails it when it takes longer than `limit`.
pub fn in_own_network<F, S>(limit: Duration, story: S)
where
    F: Future<Output = ()>,
    S: FnOnce() -> F + Send + 'static,
{
    let name = std::thread::current().name().unwrap_or("story").to_owned();
    let thread = std::thread::Builder::new().name(name).spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap_or_else(|error| {
            panic!(
                "no own network namespace ({error}): run as root, or `unshare -r cargo test` where user namespaces \
                 are allowed"
            )
        });
        add_addresses();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async move {
            let mut story = pin!(story());
            if tokio::time::timeout(limit, &mut story).await.is_err() {
                // Panics while the story is still alive: its drops then see a failure and keep the directory.
                panic!("the story was not over after {} s", limit.as_secs());
            }
        });
    });
    if let Err(panic) = thread.expect("thread").join() {
        std::panic::resume_unwind(panic);
    }
}

/// named listens only on addresses that an interface has, so every address that is used must be added.
fn add_addresses() {
    let mut batch = String::from("link set lo up\n");
    for number in 1..=40 {
        batch.push_str(&format!("addr add 127.0.1.{number}/32 dev lo\n"));
        batch.push_str(&format!("addr add fd00:c0::{number}/128 dev lo nodad\n"));
    }
    let mut ip = Command::new(binary("ip", "iproute2"))
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("ip can be started");
    std::io::Write::write_all(&mut ip.stdin.take().expect("piped"), batch.as_bytes()).expect("ip reads its batch");
    assert!(ip.wait().expect("ip ends").success(), "ip could not add the loopback addresses");
}
