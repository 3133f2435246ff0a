//! The certificates of a simulated world, held against the independent checker.

use super::Report;
use chorus_certificate_checker::{read_file, verify};

/// Returns what the checker objects to in the certificates of this world: one sentence each, with the zone's transition.
pub fn disagreements(report: &Report) -> Vec<String> {
    let of_file = |text: &String| match read_file(text) {
        Err(error) => vec![format!("{error}: {}", text.chars().take(200).collect::<String>())],
        Ok(file) => verify(&file.certificate, &file.evidence)
            .into_iter()
            .map(|disagreement| format!("{}: {:?}: {disagreement}", file.certificate.transition, disagreement.claim))
            .collect(),
    };
    report.certificates.iter().flat_map(of_file).collect()
}
