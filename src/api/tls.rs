//! The certificate that the daemon shows: read from two files, and again when they change.
//!
//! Invariant: files that cannot be used leave the certificate from before in place, and the log says so.

use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const LOOK_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{}: {reason}", path.display())]
    File { path: PathBuf, reason: String },
    #[error("certificate and key do not go together: {0}")]
    Unusable(rustls::Error),
}

/// Where the certificate is: its chain, and its key, both in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub chain: PathBuf,
    pub key: PathBuf,
    /// How often it is looked whether the files changed.
    pub look_every: Duration,
}

impl Certificate {
    pub fn new(chain: PathBuf, key: PathBuf) -> Certificate {
        Certificate { chain, key, look_every: LOOK_EVERY }
    }

    fn read(&self) -> Result<ServerConfig, TlsError> {
        let failed = |path: &Path, reason: String| TlsError::File { path: path.to_owned(), reason };
        let chain = CertificateDer::pem_file_iter(&self.chain).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let chain = chain.map_err(|e| failed(&self.chain, e.to_string()))?;
        if chain.is_empty() {
            return Err(failed(&self.chain, "there is no certificate in it".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|e| failed(&self.key, e.to_string()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(TlsError::Unusable)?.with_no_client_auth().with_single_cert(chain, key);
        let mut config = config.map_err(TlsError::Unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    /// When either of the files was written last.
    fn written(&self) -> [Option<SystemTime>; 2] {
        [&self.chain, &self.key].map(|path| std::fs::metadata(path).and_then(|data| data.modified()).ok())
    }

    /// The certificate, which is read anew when the files change.
    pub(super) async fn watched(self) -> Result<RustlsConfig, TlsError> {
        let mut written = self.written();
        let config = RustlsConfig::from_config(Arc::new(self.read()?));
        let kept = config.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(self.look_every).await;
                let now = self.written();
                if now == written {
                    continue;
                }
                match self.read() {
                    Ok(anew) => {
                        kept.reload_from_config(Arc::new(anew));
                        tracing::info!("the certificate in {} is used from now on", self.chain.display());
                        written = now;
                    }
                    // Two files are not written in one moment: it is tried again.
                    Err(error) => tracing::warn!("the certificate from before is still used: {error}"),
                }
            }
        });
        Ok(config)
    }
}
