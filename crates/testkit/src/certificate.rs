//! Certificates for servers that are reached in TLS.

use std::path::Path;
use std::process::{Command, Output};

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

/// Runs the test `name` of this very program again, in a process that finds `variable` in its environment and trusts
/// this authority alone, or the system's where there is none: whom a program trusts it reads when it connects, and a
/// test must not change that for others.
pub fn run_again(name: &str, variable: (&str, &str), authority: Option<&Path>) -> Output {
    let own = std::env::current_exe().expect("a test knows its own program");
    let mut program = Command::new(own);
    program.args(["--exact", name, "--nocapture"]).env(variable.0, variable.1).env_remove("SSL_CERT_FILE");
    program.envs(authority.map(|file| ("SSL_CERT_FILE", file)));
    program.output().expect("a test can start its own program")
}
