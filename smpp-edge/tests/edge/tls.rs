//! TLS to operators, and which certificates are taken.

use contract::edge::BindState;
use contract::profile::Tls as Ours;
use domain::Private;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use smsc::{Config, Profile, Smsc, Tls};

use crate::rig::{Rig, config, messages, operator, until};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for `name` and its key, in PEM.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }
}

#[tokio::test]
async fn certificates_that_are_taken_and_those_that_are_not() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let ca = || Some(authority.0.pem());
    let (certificate_pem, key_pem) = authority.issue("smsc.example");
    let (own, own_key) = authority.issue("chappe");
    let named = |name: &str| Ours { ca: ca(), server_name: Some(name.to_owned()), ..Ours::default() };
    for (case, ours, key, asks_for_ours, bound) in [
        ("chain and name", named("smsc.example"), None, false, true),
        ("another name", named("other.example"), None, false, false),
        ("another name, not compared", Ours { verify_name: false, ..named("other.example") }, None, false, true),
        ("the address as name", Ours { ca: ca(), ..Ours::default() }, None, false, false),
        (
            "not compared, another authority",
            Ours { verify_name: false, ca: Some(stranger.0.pem()), ..Ours::default() },
            None,
            false,
            false,
        ),
        ("known itself", Ours { ca: Some(certificate_pem.clone()), ..Ours::default() }, None, false, true),
        ("the system's authorities", Ours { ca: None, ..named("smsc.example") }, None, false, false),
        ("ours is asked for", named("smsc.example"), None, true, false),
        (
            "ours is shown",
            Ours { client_certificate: Some(own.clone()), ..named("smsc.example") },
            Some(own_key.clone()),
            true,
            true,
        ),
        (
            "ours without its key",
            Ours { client_certificate: Some(own.clone()), ..named("smsc.example") },
            None,
            true,
            false,
        ),
    ] {
        let client_ca_pem = ca().filter(|_| asks_for_ours);
        let tls = Tls { certificate_pem: certificate_pem.clone(), key_pem: key_pem.clone(), client_ca_pem };
        let smsc = Smsc::start(Config { tls: Some(tls), ..Config::default() }).await.unwrap();
        let (_plain, mut settings) = operator(Profile::default()).await;
        settings.port = smsc.addr().port();
        settings.profile.tls = Some(ours);
        settings.tls_key = key.map(Private::new);
        let rig = Rig::start(config(), &[&settings]).await;
        rig.submit(&settings, &messages(20)).await;
        if bound {
            until(case, || rig.outcomes().len() == 20 && rig.receipts().len() == 20).await;
        } else {
            let failed = |b: &contract::BindStatus| b.last_error.is_some() && b.state != BindState::Bound;
            until(case, || rig.status.operators().iter().flat_map(|o| &o.binds).filter(|b| failed(b)).count() == 2)
                .await;
            assert_eq!(smsc.counters().binds, 0, "{case}");
        }
        rig.stop().await;
    }
}

#[tokio::test]
async fn an_operator_behind_ipv6() {
    let listen = "[::1]:0".parse().unwrap();
    let smsc = Smsc::start(Config { listen, ..Config::default() }).await.unwrap();
    let (_v4, mut settings) = operator(Profile::default()).await;
    (settings.host, settings.port) = ("::1".to_owned(), smsc.addr().port());
    let rig = Rig::start(config(), &[&settings]).await;
    rig.submit(&settings, &messages(5)).await;
    rig.wait_for_outcomes(5).await;
    rig.stop().await;
}
