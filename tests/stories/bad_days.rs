//! What the stories of bad input and bad days have in common: a refused command, and a zone that waits for something.
//! No judgement on what is awaited: that is the stories'.

use std::time::Duration;

use hickory_proto::rr::RecordType;
use serde_json::Value;

use crate::lab::operator::Operator;
use crate::lab::{CHILD, Chorus};
use crate::stage::Stage;

/// For what takes some polls and some TTLs of 5 s on a busy machine.
pub const SOON: Duration = Duration::from_secs(60);

impl Chorus {
    /// Runs a command that must fail: with this exit code, nothing on stdout, and one line that has all of `words`.
    pub async fn refuses<S: AsRef<str>>(&self, arguments: &[S], status: i32, words: &[&str]) -> String {
        let output = self.cli(arguments).await;
        let line: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        let line = format!("chorus {}", line.join(" "));
        assert_eq!(output.status, status, "{line}: {}{}\n{}", output.stdout, output.stderr, self.log_end());
        assert_eq!(output.stdout, "", "{line}");
        let one_line = output.stderr.starts_with("chorus: ") && output.stderr.trim_end().lines().count() == 1;
        assert!(one_line, "{line} says more than one line: {}", output.stderr);
        for word in words {
            assert!(output.stderr.contains(word), "{line}: no {word:?} in: {}", output.stderr);
        }
        output.stderr
    }

    /// Until the zone waits for this code; gives the text for people.
    pub async fn waits_for(&self, code: &str) -> String {
        let what = format!("waiting_for has the code {code}");
        text(&self.shown_until(CHILD, &what, SOON, |shown| waiting(shown)["code"] == code).await)
    }

    /// Looks on for `rounds` more rounds of observation: the zone waits for this code all the time.
    pub async fn keeps_waiting_for(&self, code: &str, rounds: usize) {
        let mut last = Value::Null;
        for _ in 0..=rounds {
            let shown = self.shown_until(CHILD, "a new round", SOON, |shown| shown["updated_at"] != last).await;
            assert_eq!(waiting(&shown)["code"], code, "{shown:#}");
            assert_eq!(shown["exposures"], Value::Array(Vec::new()), "{shown:#}");
            last = shown["updated_at"].clone();
        }
    }

    /// Until the transition that is under way is done.
    pub async fn comes_to_rest(&self) {
        let limit = Duration::from_secs(150);
        self.shown_until(CHILD, "the transition is done", limit, |shown| shown["rest"] == true).await;
    }
}

impl Stage {
    /// Everything at the apex of an operator that a group has in common.
    pub fn apex(&self, operator: &Operator) -> Vec<Vec<String>> {
        let types = [RecordType::DNSKEY, RecordType::CDS, RecordType::CDNSKEY, RecordType::CSYNC, RecordType::NS];
        types.iter().map(|rtype| operator.served(*rtype)).collect()
    }

    /// The tags of an operator's key-signing keys, as texts for people name them.
    pub fn key_names(&self, operator: usize) -> Vec<String> {
        let keys = self.operators[operator].own_keys().iter().filter(|key| key.secure_entry_point());
        keys.map(|key| format!("key {}", crate::lab::dns::key_tag(key))).collect()
    }
}

pub fn waiting(shown: &Value) -> &Value {
    &shown["transition"]["waiting_for"]
}

pub fn text(shown: &Value) -> String {
    waiting(shown)["text"].as_str().unwrap_or_default().to_owned()
}
