//! A second address that serves a copy of the operator's zone in which something was changed after it was signed.

use std::time::Duration;

use hickory_proto::rr::RecordType;

use super::operator::Operator;
use super::parent::start_named;
use super::process::{binary, run};
use super::signers::Follows;
use super::{CHILD, dns, until, v4, v6};

impl Operator {
    /// Takes the zone as it is now, keeps what `change` makes of each line (name, TTL, class, type, RDATA), and serves that
    /// at the second address until [`Operator::cure_second`].
    pub async fn doctor_second(&mut self, change: impl Fn(&str) -> Option<String>) {
        let from = format!("@{}", v4(self.number));
        let key = self.onlooker.key_file.to_string_lossy().into_owned();
        let arguments = ["-k", &key, &from, CHILD, "AXFR", "+noall", "+answer", "+onesoa"];
        let zone = run(&binary("dig", "bind9-dnsutils"), &arguments, "").stdout;
        assert!(zone.contains("SOA"), "{zone}");
        let changed: Vec<String> = zone.lines().filter_map(change).collect();
        assert!(changed.join("\n") != zone.trim_end(), "nothing was changed in\n{zone}");
        let dir = self.dir.join("doctored");
        std::fs::create_dir_all(&dir).expect("directory");
        std::fs::write(dir.join("zone"), changed.join("\n") + "\n").expect("zone file");
        let zones = format!("zone \"{CHILD}\" {{ type primary; file \"zone\"; }};\n");
        self.secondary = None;
        self.secondary = Some(start_named(&dir, "named", &self.key, &[v6(self.number)], &zones));
        self.second_answers().await;
    }

    /// The second address is a secondary again.
    pub async fn cure_second(&mut self) {
        self.start_secondary(Follows::EverySeconds(1));
        self.second_answers().await;
    }

    async fn second_answers(&self) {
        let ip = v6(self.number);
        until("the second address has the zone", Duration::from_secs(20), || {
            dns::ask(ip, CHILD, RecordType::SOA, dns::DIRECT).is_ok_and(|answer| answer.authoritative)
        })
        .await;
    }
}
