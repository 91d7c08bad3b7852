//! Where customers connect: plain or in TLS, straight or through a load balancer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;

/// One bound port.
#[derive(Clone, Debug)]
pub struct Listener {
    socket: Arc<TcpListener>,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    pub(super) proxied: bool,
}

impl Listener {
    /// Binds `address`, IPv4 or IPv6.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self::new(TcpListener::bind(address).await?))
    }

    /// Listens on `socket`: SMPP without TLS.
    pub fn new(socket: TcpListener) -> Self {
        Self { socket: Arc::new(socket), tls: None, proxied: false }
    }

    /// SMPP in TLS from the first octet on.
    #[must_use]
    pub fn with_tls(mut self, tls: Arc<rustls::ServerConfig>) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Every connection begins with a PROXY protocol header of version 2, in which the load balancer tells the peer's
    /// address. A connection without one is closed.
    #[must_use]
    pub const fn behind_proxy(mut self) -> Self {
        self.proxied = true;
        self
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(super) fn socket(&self) -> &TcpListener {
        &self.socket
    }
}

/// TLS 1.2 and 1.3 with this certificate chain and its key, both in PEM. Clients need no certificate.
///
/// # Errors
/// When either cannot be read, or they do not belong together.
pub fn server_tls(certificates: &[u8], key: &[u8]) -> anyhow::Result<Arc<rustls::ServerConfig>> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates).collect();
    let chain = chain.context("the certificates are not PEM")?;
    anyhow::ensure!(!chain.is_empty(), "there is no certificate in the PEM");
    let key = PrivateKeyDer::from_pem_slice(key).context("the key is not PEM")?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("the certificate and the key do not fit")?;
    Ok(Arc::new(config))
}
