//! Recomputes the certificate of a transition from the evidence that its file carries.
//!
//! A certificate says whether any resolver could have failed while Chorus changed the operators of a zone. This crate reads
//! the file, works the answer out again from what the servers were seen to serve, and reports every disagreement. It shares
//! no code with the controller: its rules come from the RFCs (4034, 4035, 2181, 2308, 6840, 8767, 8901) and from the
//! description of the evidence in [`evidence`].
//!
//! Where the evidence leaves a choice the checker assumes the longer life: it may report an exposure too many, never one too
//! few.

pub mod certificate;
pub mod clock;
pub mod evidence;
mod file;
mod intervals;
mod judge;
mod margin;
mod names;
mod reach;
mod records;
mod unknown;
mod verify;
mod versions;

pub use certificate::Certificate;
pub use evidence::{Evidence, FORMAT};
pub use file::{CertificateFile, FileError, read_file};
pub use judge::{Exposure, ExposureKind, Judgement, judge};
pub use verify::{Claim, Disagreement, verify};
