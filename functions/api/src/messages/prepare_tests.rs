use std::sync::LazyLock;

use chrono::DateTime;
use domain::account::Account;
use domain::tariff::{ChargeOn, OnUnconfirmed, Tariff};
use domain::{PlanId, Role, TariffId};
use serde_json::json;

use super::*;

const NOW_S: i64 = 1_800_000_000;

fn terms() -> Terms<'static> {
    static NOTHING: LazyLock<LookedUp> = LazyLock::new(LookedUp::default);
    Terms { now: DateTime::from_timestamp(NOW_S, 0).unwrap(), private_urls: false, looked_up: &NOTHING }
}

/// One house that sends on its own account at 50.00 a segment to Uzbekistan, as `Shop`.
fn shop() -> (Catalogue, AccountId) {
    let (id, plan) = (AccountId::generate(), PlanId::generate());
    let account = Account {
        id,
        parent: None,
        role: Role::Admin,
        plan: Some(plan),
        currency: "UZS".parse().unwrap(),
        suspended: false,
        segments_per_second: None,
        any_sender: false,
    };
    let tariff = Tariff {
        id: TariffId::generate(),
        class: None,
        price: Micros::new(50_000_000),
        currency: account.currency,
        charge_on: ChargeOn::Submit,
        on_unconfirmed: OnUnconfirmed::Release,
        from: DateTime::UNIX_EPOCH,
        to: None,
    };
    let mut catalogue = Catalogue::default();
    catalogue.accounts.insert(id, account);
    catalogue.add_tariff(plan, "434".parse().ok(), tariff);
    catalogue.prefixes.insert("99890", "43404".parse().unwrap());
    catalogue.prefixes.insert("7", "250".parse().unwrap());
    catalogue.senders.insert((id, "shop".to_owned()));
    (catalogue, id)
}

/// A good request with `changes` on top.
fn request(changes: &Value) -> SendRequest {
    let mut body = json!({"to": "+998901234567", "from": "Shop", "text": "hello"});
    for (key, value) in changes.as_object().unwrap() {
        body[key] = value.clone();
    }
    serde_json::from_value(body).unwrap()
}

fn refused(changes: &Value) -> Vec<(String, &'static str)> {
    let (catalogue, account) = shop();
    match prepare(&catalogue, account, request(changes), terms()) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.into_iter().map(|e| (e.pointer, e.code.name())).collect(),
    }
}

#[test]
fn a_good_request_becomes_a_priced_message() {
    let (catalogue, account) = shop();
    let rows = [
        (json!({}), (Encoding::Gsm7, 1, "50.00", 86_400)),
        (json!({"text": "ё", "validity_seconds": 60}), (Encoding::Ucs2, 1, "50.00", 60)),
        (json!({"text": "x".repeat(161), "max_price": "100"}), (Encoding::Gsm7, 2, "100.00", 86_400)),
        (json!({"to": "00998901234567", "from": "SHOP"}), (Encoding::Gsm7, 1, "50.00", 86_400)),
    ];
    for (changes, (encoding, segments, cost, validity)) in rows {
        let message = prepare(&catalogue, account, request(&changes), terms()).unwrap();
        assert_eq!((message.encoding, message.segments), (encoding, segments), "{changes}");
        assert_eq!(total(&message.chain, message.segments).unwrap().to_string(), cost);
        assert_eq!((message.expires_at - message.created_at).num_seconds(), validity);
        assert_eq!((message.to.e164().as_str(), message.mcc_mnc.to_string().as_str()), ("+998901234567", "43404"));
    }
}

#[test]
fn every_refusal_names_its_field() {
    let many: Map<String, Value> = (0..21).map(|n| (n.to_string(), json!(n))).collect();
    let rows: [(Value, &[(&str, &str)]); 23] = [
        (json!({"to": "12"}), &[("/to", "invalid_number")]),
        (json!({"to": "+442071234567"}), &[("/to", "unpriced_destination")]),
        (json!({"to": "+79161234567"}), &[("/to", "unpriced_destination")]),
        (json!({"from": "Ш"}), &[("/from", "invalid_sender")]),
        (json!({"from": "Other"}), &[("/from", "sender_not_allowed")]),
        (json!({"text": ""}), &[("/text", "empty_text")]),
        (json!({"text": "a\u{0}b"}), &[("/text", "invalid_request")]),
        (json!({"text": "x".repeat(153 * 255 + 1)}), &[("/text", "text_too_long")]),
        (json!({"max_price": "49.999999"}), &[("/max_price", "above_max_price")]),
        (json!({"max_price": "1e3"}), &[("/max_price", "invalid_request")]),
        (json!({"max_price": "-1"}), &[("/max_price", "invalid_request")]),
        (json!({"validity_seconds": 59}), &[("/validity_seconds", "invalid_request")]),
        (json!({"validity_seconds": i64::MAX}), &[("/validity_seconds", "invalid_request")]),
        (json!({"status_url": "http://169.254.169.254/"}), &[("/status_url", "invalid_request")]),
        (json!({"client_reference": "x".repeat(129)}), &[("/client_reference", "invalid_request")]),
        (json!({"client_reference": "a\u{0}"}), &[("/client_reference", "invalid_request")]),
        (json!({"traffic_class": "OTP"}), &[("/traffic_class", "invalid_request")]),
        (json!({"traffic_class": "x".repeat(41)}), &[("/traffic_class", "invalid_request")]),
        (json!({"template": "a b"}), &[("/template", "invalid_request")]),
        (json!({"metadata": many}), &[("/metadata", "invalid_request")]),
        (json!({"metadata": {"a": {"b": 1}}}), &[("/metadata", "invalid_request")]),
        (json!({"metadata": {"a": "\u{0}"}}), &[("/metadata", "invalid_request")]),
        (
            json!({"to": "x", "from": "Ш", "text": "", "validity_seconds": 1}),
            &[
                ("/to", "invalid_number"),
                ("/from", "invalid_sender"),
                ("/text", "empty_text"),
                ("/validity_seconds", "invalid_request"),
            ],
        ),
    ];
    for (changes, expected) in rows {
        let expected: Vec<_> = expected.iter().map(|(p, c)| ((*p).to_owned(), *c)).collect();
        assert_eq!(refused(&changes), expected, "{changes}");
    }
}

#[test]
fn a_suspended_account_sends_nothing() {
    let (mut catalogue, account) = shop();
    catalogue.accounts.get_mut(&account).unwrap().suspended = true;
    for changes in [json!({}), json!({"from": "Other", "text": ""})] {
        let errors = prepare(&catalogue, account, request(&changes), terms()).unwrap_err();
        assert_eq!(errors.iter().map(|e| e.code).collect::<Vec<_>>(), [Code::AccountSuspended]);
    }
}
