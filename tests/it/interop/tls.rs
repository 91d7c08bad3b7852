//! SMPP over TLS: our edge with node-smpp's server, smpplib and node-smpp with ours. Nothing is captured here: the
//! relay would see nothing but TLS.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};

use super::customers::rig::{CUSTOMER, PASSWORD_OF_CUSTOMER, Rig};
use super::operators::operator;
use super::script::Script;
use super::tools;
use crate::chappe::{Chappe, Company, Leftovers, ON_SUBMIT, OperatorIs, SENDER, free_port};
use crate::journey::{JOURNEY, until_state};

/// The name in every certificate.
const NAME: &str = "localhost";

/// An authority that signs certificates for this machine.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // OpenSSL takes a certificate whose names are both the same for one that signed itself.
        params.distinguished_name.push(DnType::CommonName, "authority");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate in PEM.
    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for [`NAME`] and its key, in PEM.
    fn sign(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }
}

/// node-smpp with a certificate of `authority`, which asks for one of it in turn.
async fn secure_operator(authority: &Authority) -> (Script, u16) {
    let (cert, key) = authority.sign();
    let (node, tap) = operator(&json!({"cert": cert, "key": key, "ca": authority.pem()})).await;
    (node, tap.target())
}

/// How our edge meets it.
fn settings(ca: &Authority, own: &Authority) -> Value {
    let (certificate, key) = own.sign();
    let tls = json!({"ca": ca.pem(), "server_name": NAME, "client_certificate": certificate});
    json!({"profile": {"tls": tls}, "tls_key": key})
}

#[tokio::test(flavor = "multi_thread")]
async fn our_edge_binds_to_node_smpp_over_tls_with_a_certificate_of_its_own() {
    let chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let authority = Authority::new();
    let (mut node, port) = secure_operator(&authority).await;
    let is = OperatorIs::simple("Node", ON_SUBMIT, "50");
    company.operator_at(port, is, settings(&authority, &authority)).await;
    assert_eq!(node.told("bound", |_| true).await["status"], 0);
    let text = "Three parts in secret, with Ω and £ in it. ".repeat(10);
    let message = company.send("998930000000", &text).await;
    until_state(&company, &message, "delivered").await;
    chappe.assert_settled(JOURNEY, Leftovers::default()).await;
    assert_eq!(node.events("submit").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_binds_over_tls_whom_the_other_does_not_trust() {
    let chappe = Chappe::start().await;
    let company = Company::found(&chappe).await;
    let (authority, stranger) = (Authority::new(), Authority::new());
    // Our certificate is not of theirs; theirs is not of ours.
    for (name, ca, own) in [("Theirs", &authority, &stranger), ("Ours", &stranger, &authority)] {
        let (mut node, port) = secure_operator(&authority).await;
        let is = OperatorIs::simple(name, ON_SUBMIT, "50");
        let id = company.operator_at(port, is, settings(ca, own)).await;
        node.told("refused", |_| true).await;
        assert_eq!(node.events("bound"), Vec::<Value>::new());
        company.change_operator(&id, json!({"enabled": false})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_libraries_are_served_over_tls() {
    let (authority, dir, port) = (Authority::new(), testkit::temp_dir(), free_port());
    let (certificate, key) = authority.sign();
    let file = |name: &str, pem: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let settings = vec![
        ("CHAPPE_SMPP_TLS_ADDR", format!("127.0.0.1:{port}")),
        ("CHAPPE_SMPP_TLS_CERT", file("certificate.pem", &certificate)),
        ("CHAPPE_SMPP_TLS_KEY", file("key.pem", &key)),
    ];
    let rig = Rig::over(Chappe::with_settings(settings).await, &json!({})).await;
    let options = json!({"port": port, "ca": authority.pem()});
    for (number, command) in [tools::python("customer.py"), tools::node("customer.js")].into_iter().enumerate() {
        let mut customer = Script::start(command, &options);
        let bound = customer.ask("bind", json!({"system_id": CUSTOMER, "password": PASSWORD_OF_CUSTOMER})).await;
        assert_eq!(bound["status"], 0, "{bound}");
        let session = rig.until_session().await;
        assert_eq!((&session["tls"], &session["bind_type"]), (&json!(true), &json!("transceiver")), "{session}");
        let text = "Three parts in secret, with Ω and £ in it. ".repeat(10);
        let to = format!("99893000000{number}");
        let said = json!({"from": SENDER, "to": to, "text": text, "receipt": true});
        let answer = customer.ask("submit", said).await;
        for id in answer["ids"].as_array().unwrap() {
            customer.told("deliver", |told| told["receipted_message_id"] == *id).await;
        }
        assert_eq!(rig.smsc.shown(&to)[0].text, text);
        assert_eq!(customer.ask("unbind", json!({})).await["status"], 0);
        rig.until_sessions(0).await;
    }
    rig.chappe.assert_settled(JOURNEY, Leftovers::default()).await;
}
