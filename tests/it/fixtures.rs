//! What was ever put on a queue can still be read: a fixture of every version of every kind, for ever.

use std::path::Path;

use contract::news::News;
use contract::{
    Accepted, CustomerEvent, Deliver, Envelope, InboundPart, Item, Outcome, RealtimeEvent, Receipt, Routed,
};

fn check<T: Item>(version: &str) -> String {
    let name = format!("{}.json", T::KIND);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/envelopes").join(version).join(&name);
    let body = std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let envelope: Envelope<T> = serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
    let again = contract::seal(&envelope.items, envelope.at).unwrap();
    let read: Envelope<T> = serde_json::from_slice(&again[0].body).unwrap();
    // An item that is written and read again says the same.
    assert_eq!(serde_json::to_value(&read.items).unwrap(), serde_json::to_value(&envelope.items).unwrap(), "{name}");
    name
}

#[test]
fn every_envelope_of_version_1_still_decodes() {
    let mut known = [
        check::<Accepted>("v1"),
        check::<Routed>("v1"),
        check::<Outcome>("v1"),
        check::<Receipt>("v1"),
        check::<CustomerEvent>("v1"),
        check::<InboundPart>("v1"),
        check::<Deliver>("v1"),
        check::<News>("v1"),
        check::<RealtimeEvent>("v1"),
    ];
    known.sort();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/envelopes/v1");
    let mut kept: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    kept.sort();
    assert_eq!(kept, known);
}
