//! Certificates for servers that are reached in TLS.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// The authority's certificate, for whoever shall trust the server.
pub(crate) const AUTHORITY: &str = "authority.pem";
/// The server's certificate, for `localhost`.
pub(crate) const SERVER: &str = "server.pem";
/// The server's key.
pub(crate) const KEY: &str = "server.key";

/// Makes an authority and a certificate by it, and writes both into `dir`.
pub(crate) fn write_to(dir: &Path) -> anyhow::Result<()> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let server_key = KeyPair::generate()?;
    let server = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&server_key, &authority)?;
    for (name, pem) in [(AUTHORITY, authority.pem()), (SERVER, server.pem()), (KEY, server_key.serialize_pem())] {
        std::fs::write(dir.join(name), pem)?;
    }
    Ok(())
}
