//! The certificate file: a certificate with the evidence that it rests on.

use crate::certificate::Certificate;
use crate::evidence::{Evidence, FORMAT};
use serde_json::Value;

/// A certificate with its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFile {
    /// The claims.
    pub certificate: Certificate,
    /// The observations and assumptions that the claims rest on.
    pub evidence: Evidence,
}

/// Why a text is not a certificate file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is not JSON at all.
    #[error("it is not JSON: {0}")]
    NotJson(serde_json::Error),
    /// It is JSON, and not a certificate.
    #[error("it is not a certificate: {0}")]
    NotACertificate(serde_json::Error),
    /// The certificate carries no evidence.
    #[error("the certificate carries no evidence")]
    NoEvidence,
    /// The evidence has a format that this program does not know.
    #[error("the evidence has format {0}, and this program reads format {FORMAT}")]
    UnknownFormat(String),
    /// The evidence is not of its format.
    #[error("the evidence cannot be read: {0}")]
    BadEvidence(serde_json::Error),
}

/// Reads a certificate file.
pub fn read_file(text: &str) -> Result<CertificateFile, FileError> {
    let value: Value = serde_json::from_str(text).map_err(FileError::NotJson)?;
    let evidence = value.get("evidence").cloned().unwrap_or(Value::Null);
    let certificate: Certificate = serde_json::from_value(value).map_err(FileError::NotACertificate)?;
    if evidence.is_null() {
        return Err(FileError::NoEvidence);
    }
    match evidence.get("format") {
        Some(format) if format.as_u64() == Some(u64::from(FORMAT)) => {}
        Some(format) => return Err(FileError::UnknownFormat(format.to_string())),
        None => return Err(FileError::UnknownFormat("none".to_owned())),
    }
    let evidence = serde_json::from_value(evidence).map_err(FileError::BadEvidence)?;
    Ok(CertificateFile { certificate, evidence })
}
