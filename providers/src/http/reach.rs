//! How a server is reached: only at addresses that are allowed, and, with TLS, only if its certificate is trusted.
//!
//! Which addresses are allowed is said in `nets`; what is sent, elsewhere.

use super::{AllowedNets, RestError, Unusable};
use reqwest::dns;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::error::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// An address that is not connected to.
#[derive(Debug)]
pub(super) struct Refused {
    address: IpAddr,
    /// It would be with TLS.
    for_lack_of_tls: bool,
}

impl Refused {
    pub fn error(&self, server: &str) -> RestError {
        let (server, address) = (server.to_owned(), self.address);
        match self.for_lack_of_tls {
            true => RestError::WithoutTls { server, address },
            false => RestError::AddressNotAllowed { server, address },
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not an allowed address", self.address)
    }
}

impl Error for Refused {}

pub(super) fn permitted(nets: &AllowedNets, address: IpAddr, tls: bool) -> Result<(), Refused> {
    match nets.permit(address, tls) {
        true => Ok(()),
        false => Err(Refused { address, for_lack_of_tls: !tls && nets.permit(address, true) }),
    }
}

/// Resolves a name, and refuses it when one of its addresses may not be connected to. The client connects to what this
/// returns, and asks again for each connection: a name that changes in between gains nothing.
pub(super) struct Checked {
    pub nets: AllowedNets,
    pub tls: bool,
}

impl dns::Resolve for Checked {
    fn resolve(&self, name: dns::Name) -> dns::Resolving {
        let (nets, tls) = (self.nets.clone(), self.tls);
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            addresses.iter().try_for_each(|address| permitted(&nets, address.ip(), tls))?;
            Ok(Box::new(addresses.into_iter()) as dns::Addrs)
        })
    }
}

/// Certificates are judged by this machine's own store.
pub fn trusting_this_machine() -> Result<rustls::ClientConfig, Unusable> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let no_tls = |e: rustls::Error| Unusable::NoTls(e.to_string());
    let verifier = rustls_platform_verifier::Verifier::new(provider.clone()).map_err(no_tls)?;
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(no_tls)?.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Ok(config.with_no_client_auth())
}

/// Certificates are good if they are from one of the authorities in this file (PEM).
pub fn trusting_only(file: &std::path::Path) -> Result<rustls::ClientConfig, Unusable> {
    let no_tls = |reason: String| Unusable::NoTls(format!("{}: {reason}", file.display()));
    let mut roots = rustls::RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    roots.add_parsable_certificates(found.map_err(|e| no_tls(e.to_string()))?);
    if roots.is_empty() {
        return Err(no_tls("there is no certificate in it".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|e| no_tls(e.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// For a client that speaks no TLS. It has to be told so: it would else look for a TLS library of its own.
pub fn trusting_nobody() -> Result<rustls::ClientConfig, Unusable> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|e| Unusable::NoTls(e.to_string()))?;
    Ok(config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}
