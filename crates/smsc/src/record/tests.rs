use std::sync::Arc;

use smpp::udh::{Concat, Reference};

use super::{Accepted, Recorder, Repeats};
use crate::IdForm;

fn segment(part: Option<(u8, u8, u8)>, body: &[u8]) -> Accepted {
    let concat = |(reference, total, part)| Concat { reference: Reference::Bits8(reference), total, part };
    Accepted {
        system_id: Arc::from("acme"),
        number: 1,
        source: b"Acme".as_slice().into(),
        destination: b"998901".as_slice().into(),
        esm_class: 0,
        data_coding: 0,
        registered_delivery: 1,
        part: part.map(concat),
        body: body.into(),
        ids: IdForm::Decimal,
        state: None,
        done_ms: 0,
    }
}

#[test]
fn long_messages_are_shown_in_one_piece() {
    let check = |segments: Vec<Accepted>, texts: &[&str]| {
        let recorder = Recorder::new(100, 0);
        recorder.add(&mut segments.clone());
        let shown: Vec<String> = recorder.shown("998901").into_iter().map(|shown| shown.text).collect();
        assert_eq!(shown, texts, "{segments:?}");
    };
    let part = |reference, total, part, body| segment(Some((reference, total, part)), body);
    check(vec![], &[]);
    check(vec![segment(None, b"hi"), segment(None, b"ho")], &["hi", "ho"]);
    check(vec![part(7, 2, 2, b"lo"), part(7, 2, 1, b"hel")], &["hello"]);
    check(vec![part(7, 2, 1, b"hel")], &[]);
    check(vec![part(7, 2, 1, b"hel"), part(8, 2, 2, b"lo")], &[]);
    // A part that came twice shows once; the same reference may be used again.
    check(vec![part(7, 2, 1, b"hel"), part(7, 2, 1, b"hel"), part(7, 2, 2, b"lo")], &["hello"]);
    check(vec![part(7, 1, 1, b"a"), part(7, 1, 1, b"b")], &["a", "b"]);
    // A pair that somebody tore is whole again.
    check(vec![part(7, 2, 1, b"a\x1B"), part(7, 2, 2, b"e")], &["a€"]);
}

#[test]
fn repetitions_are_counted_by_what_the_reader_sees() {
    let recorder = Recorder::new(1, 3);
    let mut batch = vec![
        segment(None, b"one"),
        segment(Some((1, 2, 1)), b"two"),
        segment(Some((9, 2, 1)), b"two"),
        segment(Some((9, 2, 2)), b"two"),
        segment(None, b"one"),
        segment(None, b"four"),
    ];
    recorder.add(&mut batch);
    assert_eq!(recorder.repeats(), Repeats { distinct: 3, repeated: 2, untold: 1 });
    assert_eq!(recorder.log().len(), 1);
    assert_eq!(recorder.times_seen("998901", "one"), 2);
    assert_eq!(recorder.times_seen("998901", "two"), 0);
    assert_eq!(recorder.times_seen("998902", "one"), 0);
}
