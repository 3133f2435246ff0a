//! Verifies certificate files without any other part of Chorus: `cargo run -p chorus-certificate-checker --example verify_files
//! -- FILE...`. The exit status is 1 when the evidence contradicts a certificate, or a file is
//! no certificate file.

use chorus_certificate_checker::{read_file, verify};
use std::process::ExitCode;

fn main() -> ExitCode {
    let (mut verified, mut failed) = (0u64, 0u64);
    for path in std::env::args().skip(1) {
        verified += 1;
        let read = std::fs::read_to_string(&path).map_err(|error| error.to_string());
        let found = match read.and_then(|text| read_file(&text).map_err(|error| error.to_string())) {
            Ok(file) => verify(&file.certificate, &file.evidence).iter().map(ToString::to_string).collect(),
            Err(error) => vec![error],
        };
        failed += u64::from(!found.is_empty());
        found.iter().for_each(|what| println!("{path}: {what}"));
    }
    println!("{verified} files, {failed} contradicted");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
