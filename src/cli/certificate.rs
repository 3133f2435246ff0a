//! `chorus certificate verify`: works a certificate out again from its file, without a daemon.

use super::args::{CertificateCommand, Global, Output};
use super::exit::{Exit, Failure};
use super::{render, say};
use chorus_certificate_checker::{CertificateFile, Disagreement, FileError, read_file, verify};
use serde_json::json;
use std::io::Read;
use std::path::Path;

pub(super) fn run(global: &Global, command: CertificateCommand) -> Result<Exit, Failure> {
    let CertificateCommand::Verify { file } = command;
    let read = read(&file)?;
    let disagreements = verify(&read.certificate, &read.evidence);
    match global.output {
        Output::Json => say(&render::json(&as_json(&read, &disagreements)))?,
        Output::Table => say(&as_text(&read, &disagreements))?,
    }
    Ok(if disagreements.is_empty() { Exit::Ok } else { Exit::Error })
}

/// Reads a file, or stdin for `-`.
fn read(file: &Path) -> Result<CertificateFile, Failure> {
    let mut text = String::new();
    let outcome = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::read_to_string(file).map(|read| text = read)
    };
    outcome.map_err(|error| {
        Failure::new(Exit::Usage, format!("{} cannot be read: {error}", file.display()), "Name a certificate file")
    })?;
    read_file(&text).map_err(|error| {
        let fix = match &error {
            FileError::UnknownFormat(_) => "Verify it with the version of Chorus that wrote it",
            FileError::NotJson(_)
            | FileError::NotACertificate(_)
            | FileError::NoEvidence
            | FileError::BadEvidence(_) => "Write the file with 'chorus zone certificate ZONE --with-evidence'",
        };
        Failure::new(Exit::Usage, format!("{} cannot be verified: {error}", file.display()), fix)
    })
}

fn as_text(file: &CertificateFile, disagreements: &[Disagreement]) -> String {
    let certificate = &file.certificate;
    let about = format!("{} of {}", certificate.transition, certificate.zone);
    if disagreements.is_empty() {
        return render::escape(&format!(
            "The evidence shows what the certificate of transition {about} says: {}",
            certificate.verdict
        ));
    }
    let mut text = render::escape(&format!("The evidence contradicts the certificate of transition {about}:"));
    for disagreement in disagreements {
        text.push_str(&format!("\n  {}", render::escape(&disagreement.to_string())));
    }
    text
}

fn as_json(file: &CertificateFile, disagreements: &[Disagreement]) -> serde_json::Value {
    let each: Vec<String> = disagreements.iter().map(ToString::to_string).collect();
    json!({
        "zone": file.certificate.zone,
        "transition": file.certificate.transition,
        "agrees": disagreements.is_empty(),
        "disagreements": each,
    })
}
