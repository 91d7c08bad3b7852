//! TLS to an operator. Peers of this field are odd: certificates of their own making, without a usable name, or that
//! sign themselves. What is trusted is said in the profile; nothing is trusted unseen.

use std::sync::Arc;

use contract::edge::OperatorSettings;
use contract::profile::Tls;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::End;
use crate::stream::Stream;

/// Settings that give no TLS connection, whatever the operator does.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// `server_name`, or the host in its place, is neither a name nor an address.
    #[error("the server name cannot be used")]
    Name,
    /// No certificate in `ca`, or none that the system trusts.
    #[error("there is no certificate to trust")]
    NoRoots,
    /// `client_certificate` or its key is missing or no PEM.
    #[error("the client certificate or its key cannot be read")]
    Client,
    /// What rustls says of them.
    #[error("{0}")]
    Refused(#[from] rustls::Error),
    /// Its certificates cannot be taken together.
    #[error("{0}")]
    Verifier(#[from] rustls::client::VerifierBuilderError),
    /// The task that reads them was lost.
    #[error("cannot be read now")]
    Lost(#[from] tokio::task::JoinError),
}

/// The handshake over an open connection.
pub(super) async fn connect(tcp: TcpStream, settings: &OperatorSettings, tls: &Tls) -> Result<Stream, End> {
    let name = tls.server_name.as_deref().unwrap_or(&settings.host);
    let name = ServerName::try_from(name.to_owned()).map_err(|_| Error::Name)?;
    let (tls, key) = (tls.clone(), settings.tls_key.clone());
    // Reading what the system trusts takes milliseconds: not on a thread that serves sessions.
    let reading = tokio::task::spawn_blocking(move || client_config(&tls, key.as_ref().map(domain::Private::expose)));
    let config = reading.await.map_err(Error::Lost)??;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.map_err(End::Io)?;
    Ok(Stream::Tls(Box::new(stream.into())))
}

fn client_config(tls: &Tls, key: Option<&str>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let own = tls.ca.as_deref().map(certificates).transpose().map_err(|_| Error::NoRoots)?;
    let verifier = Verifier::new(own, tls.verify_name, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let Some(certificate) = &tls.client_certificate else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(certificate).map_err(|_| Error::Client)?;
    let key = PrivateKeyDer::from_pem_slice(key.unwrap_or_default().as_bytes()).map_err(|_| Error::Client)?;
    Ok(builder.with_client_auth_cert(chain, key)?)
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect()
}

/// The usual check, but for what the profile says otherwise: a name that is not compared, and a certificate that is
/// trusted as it is.
#[derive(Debug)]
struct Verifier {
    chain: Arc<WebPkiServerVerifier>,
    verify_name: bool,
    /// Of `ca`: a server may show one of these itself, which no chain may (RFC 5280 section 4.2.1.9).
    known: Vec<CertificateDer<'static>>,
}

impl Verifier {
    fn new(
        own: Option<Vec<CertificateDer<'static>>>,
        verify_name: bool,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let known = own.clone().unwrap_or_default();
        let trusted = own.unwrap_or_else(|| rustls_native_certs::load_native_certs().certs);
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted);
        if roots.is_empty() {
            return Err(Error::NoRoots);
        }
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build()?;
        Ok(Self { chain, verify_name, known })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.known.iter().any(|known| known == end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        // The name is compared last: where only that fails, the chain is good.
        match self.chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.verify_name => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
