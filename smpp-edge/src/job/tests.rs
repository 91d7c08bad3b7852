use chrono::TimeDelta;
use contract::edge::{BindType, OperatorSettings};
use contract::profile::{Long, Profile, Receipts};
use contract::{Encoding, SmppFields};
use domain::{Number, Private, Sender};

use super::*;
use crate::track::tests::track;

/// An operator with this profile.
pub(crate) fn settings(profile: Profile) -> OperatorSettings {
    OperatorSettings {
        id: OperatorId::generate(),
        name: "test".to_owned(),
        host: "localhost".to_owned(),
        port: 2775,
        system_id: "chappe".to_owned(),
        password: Private::new("secret"),
        system_type: String::new(),
        bind_type: BindType::Transceiver,
        binds: 1,
        window: 10,
        tps: 0,
        enabled: true,
        profile: Box::new(profile),
        tls_key: None,
    }
}

/// A message whose concatenation reference, where it gets one, is 0x0107.
pub(crate) fn encoder(profile: Profile) -> Encoder {
    Encoder::new(Arc::new(settings(profile)), Arc::new(0x0107.into()))
}

pub(crate) fn routed(text: &str, encoding: Encoding, segments: usize) -> Routed {
    Routed {
        message_id: MessageId::generate(),
        account_id: AccountId::generate(),
        hop: 0,
        to: Number::parse("998901234567").unwrap(),
        from: Sender::parse("Bank").unwrap(),
        text: Private::new(text),
        encoding,
        segments: u8::try_from(segments).unwrap(),
        expires_at: Utc::now() + TimeDelta::hours(1),
        smpp: None::<Box<SmppFields>>,
    }
}

fn job_for(routed: &Routed, profile: Profile) -> Job {
    Job::new(routed, Arc::new(track(1)), &encoder(profile))
}

fn job(text: &str, encoding: Encoding) -> Job {
    job_for(&routed(text, encoding, 1), Profile::default())
}

#[derive(Clone, Copy)]
enum Step {
    Accept,
    Refuse(Status, OutcomeClass),
    Lose,
}

#[test]
fn the_class_follows_from_the_segments() {
    use OutcomeClass::{Accepted, Expired, Permanent, Temporary, Unknown};
    use Step::{Accept, Lose, Refuse};
    let permanent = Refuse(Status::RINVDSTADR, Permanent);
    let temporary = Refuse(Status::RSYSERR, Temporary);
    for (segments, steps, class, answers) in [
        (1, &[Accept][..], Accepted, 1),
        (3, &[Accept, Accept, Accept], Accepted, 3),
        (1, &[permanent], Permanent, 1),
        (1, &[temporary], Temporary, 1),
        (1, &[Lose], Unknown, 1),
        (1, &[], Expired, 0),
        (2, &[permanent], Permanent, 1),
        (2, &[Accept, permanent], Permanent, 2),
        (2, &[Accept, temporary], Permanent, 2),
        (2, &[Accept, Lose], Unknown, 2),
        (2, &[Lose, temporary], Unknown, 2),
        (2, &[Lose, permanent], Permanent, 2),
        (2, &[Accept], Permanent, 1),
    ] {
        let text = "a".repeat(if segments == 1 { 1 } else { 153 * segments });
        let mut job = job_for(&routed(&text, Encoding::Gsm7, segments), Profile::default());
        assert_eq!(job.todo(), segments);
        for step in steps {
            let segment = job.send_next().unwrap();
            match *step {
                Accept => job.accepted(segment, b"77", Rule::Raw),
                Refuse(status, class) => job.refused(segment, status, class),
                Lose => job.unanswered(segment),
            }
        }
        let outcome = job.finish(OperatorId::generate(), Utc::now()).outcome.unwrap();
        assert_eq!((outcome.class, outcome.segments.len()), (class, answers), "{segments} segments");
    }
}

#[test]
fn outcomes_have_the_billed_segments() {
    let payload = || Profile { long: Long::Payload, ..Profile::default() };
    let one = || {
        let receipts = Receipts { one_for_all_parts: true, ..Receipts::default() };
        Profile { receipts, ..Profile::default() }
    };
    let long = "a".repeat(300);
    for (text, billed, profile, ids) in [
        (long.as_str(), 2, Profile::default(), &["0", "1"][..]),
        (&long, 2, payload(), &["0", "0"]),
        (&long, 2, one(), &["0", "0"]),
        // A longer header than was billed for: what does not fit is sent and not told.
        (&long, 1, Profile::default(), &["0"]),
        ("a", 3, Profile::default(), &["0", "0", "0"]),
    ] {
        let mut job = job_for(&routed(text, Encoding::Gsm7, billed), profile);
        while let Some(segment) = job.send_next() {
            job.accepted(segment, segment.to_string().as_bytes(), Rule::Raw);
        }
        let outcome = job.finish(OperatorId::generate(), Utc::now()).outcome.unwrap();
        let told: Vec<_> = outcome.segments.iter().map(|s| s.smpp_message_id.clone().unwrap()).collect();
        let numbers: Vec<_> = outcome.segments.iter().map(|s| usize::from(s.segment)).collect();
        assert_eq!((told, numbers), (ids.iter().map(ToString::to_string).collect(), (1..=billed).collect()));
        assert_eq!(outcome.class, OutcomeClass::Accepted);
    }
}

#[test]
fn what_is_sent_again_is_sent_again_once() {
    let now = Instant::now();
    let mut job = job("a", Encoding::Gsm7);
    for again in [true, false] {
        let segment = job.send_next().unwrap();
        assert_eq!(job.resend(segment, now), again);
        if !again {
            job.unanswered(segment);
        }
    }
    assert!(!job.is_untouched());
    let outcome = job.finish(OperatorId::generate(), Utc::now()).outcome.unwrap();
    assert_eq!((outcome.class, outcome.segments.len()), (OutcomeClass::Unknown, 1));

    let mut stopped = self::job("a", Encoding::Gsm7);
    let segment = stopped.send_next().unwrap();
    stopped.resend(segment, now);
    let outcome = stopped.finish(OperatorId::generate(), Utc::now()).outcome.unwrap();
    assert_eq!((outcome.class, outcome.segments[0].status), (OutcomeClass::Unknown, None));
}

#[test]
fn a_text_that_its_encoding_cannot_hold_is_refused() {
    let job = job("я", Encoding::Gsm7);
    assert!(job.is_done());
    let outcome = job.finish(OperatorId::generate(), Utc::now()).outcome.unwrap();
    assert_eq!((outcome.class, outcome.segments.len()), (OutcomeClass::Permanent, 0));
}

#[test]
fn a_segment_that_goes_again_waits() {
    let now = Instant::now();
    let mut job = job("a", Encoding::Gsm7);
    let segment = job.send_next().unwrap();
    assert!(!job.is_idle());
    job.send_again(segment, now, true);
    assert_eq!((job.todo(), job.attempts(), job.not_before()), (1, 1, Some(now)));
    let segment = job.send_next().unwrap();
    job.send_again(segment, now, false);
    assert_eq!(job.attempts(), 1, "a throttle counts no attempt");
}

#[test]
fn outcomes_tell_how_the_operator_sees_parts_numbered() {
    let long = |long| Profile { long, ..Profile::default() };
    let text = "a".repeat(300);
    // The reference of the encoder is 0x0107; one of eight bits is its lower octet.
    for (text, profile, wide, expected) in [
        (text.as_str(), long(Long::Udh8), false, vec![Some((7, 1, 2)), Some((7, 2, 2))]),
        (&text, long(Long::Udh16), true, vec![Some((0x0107, 1, 2)), Some((0x0107, 2, 2))]),
        (&text, long(Long::Sar), true, vec![Some((0x0107, 1, 2)), Some((0x0107, 2, 2))]),
        (&text, long(Long::Payload), false, vec![None, None]),
        ("a", long(Long::Udh8), false, vec![None]),
    ] {
        let mut job = job_for(&routed(text, Encoding::Gsm7, expected.len()), profile);
        while let Some(segment) = job.send_next() {
            job.accepted(segment, b"1", Rule::Raw);
        }
        let outcome = job.finish(OperatorId::generate(), Utc::now()).outcome.unwrap();
        let told: Vec<_> = outcome.segments.iter().map(|segment| segment.part_of).collect();
        assert!(told.iter().flatten().all(|part_of| part_of.wide == wide));
        let told: Vec<_> = told.into_iter().map(|one| one.map(|one| (one.reference, one.part, one.total))).collect();
        assert_eq!(told, expected);
    }
}
