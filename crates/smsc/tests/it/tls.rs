//! SMPP over TLS.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a failure here is a failure of the test")]

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use smpp::pdu::Bind;
use smpp::{Body, Status};
use smsc::{Config, Profile, Smsc, Tls};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::client::{Client, NUMBER};

/// An authority that signs certificates for this machine.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Certificate and key, PEM.
    fn sign(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    fn operator(&self, client_ca: Option<&Self>) -> Tls {
        let (certificate_pem, key_pem) = self.sign();
        Tls { certificate_pem, key_pem, client_ca_pem: client_ca.map(|authority| authority.0.pem()) }
    }

    /// A client that trusts this authority, with the certificate of another.
    fn connector(&self, own: Option<&Self>) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.0.pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let config = match own.map(Self::sign) {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        TlsConnector::from(Arc::new(config))
    }
}

async fn smsc(tls: Tls) -> Smsc {
    Smsc::start(Config { tls: Some(tls), profile: Profile::default(), ..Config::default() }).await.unwrap()
}

/// A client whose handshake went well. That of a client certificate is known only with the first answer.
async fn connect(smsc: &Smsc, connector: &TlsConnector) -> Option<Client> {
    let stream = TcpStream::connect(smsc.addr()).await.unwrap();
    let stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.ok()?;
    Some(Client::over(stream))
}

const BIND: Body<'static> = Body::BindTransceiver(Bind::new(b"acme", b""));

#[tokio::test]
async fn messages_and_receipts_go_over_tls() {
    let authority = Authority::new();
    let smsc = smsc(authority.operator(None)).await;
    let mut client = connect(&smsc, &authority.connector(None)).await.unwrap();
    assert_eq!(client.ask(&BIND).await.head().1, Status::ROK);
    for _ in 0..50 {
        let id = client.submit_and_wait(NUMBER, "hi").await.message_id();
        assert_eq!(client.receive().await.receipt().0, id);
    }
    // Others do not trust it, and who speaks no TLS gets nothing.
    assert!(connect(&smsc, &Authority::new().connector(None)).await.is_none());
    let mut plain = Client::connect(&smsc).await;
    plain.send(&BIND).await;
    assert_eq!(smsc.counters().binds, 1);
}

#[tokio::test]
async fn clients_show_their_certificate_where_it_is_asked_for() {
    let (authority, customers) = (Authority::new(), Authority::new());
    let smsc = smsc(authority.operator(Some(&customers))).await;
    let mut client = connect(&smsc, &authority.connector(Some(&customers))).await.unwrap();
    assert_eq!(client.ask(&BIND).await.head().1, Status::ROK);
    for own in [None, Some(&authority)] {
        if let Some(mut client) = connect(&smsc, &authority.connector(own)).await {
            assert!(client.is_closed().await);
        }
    }
    assert_eq!(smsc.counters().binds, 1);
}

#[tokio::test]
async fn certificates_that_are_none_are_told_at_the_start() {
    let good = Authority::new().operator(None);
    for tls in [
        Tls { certificate_pem: "nonsense".into(), ..good.clone() },
        Tls { key_pem: String::new(), ..good.clone() },
        Tls { client_ca_pem: Some(String::new()), ..good },
    ] {
        assert!(Smsc::start(Config { tls: Some(tls), ..Config::default() }).await.is_err());
    }
}
