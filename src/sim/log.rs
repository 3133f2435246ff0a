//! What happened in a world, in order: always as a hash, as text only when somebody wants to read it.

use crate::model::time::Time;
use std::fmt;

/// FNV-1a with 64 bits: enough to see that two runs of one seed differ.
#[derive(Clone, Debug)]
pub struct Log {
    hash: u64,
    line: String,
    kept: Option<Vec<String>>,
}

impl Log {
    pub fn new(keep_text: bool) -> Log {
        Log { hash: 0xcbf2_9ce4_8422_2325, line: String::new(), kept: keep_text.then(Vec::new) }
    }

    pub fn note(&mut self, at_ms: i64, what: fmt::Arguments<'_>) {
        use fmt::Write;
        self.line.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.line, "{at_ms} {what}");
        for octet in self.line.bytes().chain(*b"\n") {
            self.hash = (self.hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
        }
        if let Some(kept) = &mut self.kept {
            kept.push(format!("{:#}  {what}", Time(at_ms)));
        }
    }

    /// For whoever reads, and not part of the hash.
    pub fn tell(&mut self, at_ms: i64, what: impl FnOnce() -> String) {
        if let Some(kept) = &mut self.kept {
            kept.push(format!("{:#}    {}", Time(at_ms), what()));
        }
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    pub fn lines(&self) -> &[String] {
        self.kept.as_deref().unwrap_or_default()
    }
}
