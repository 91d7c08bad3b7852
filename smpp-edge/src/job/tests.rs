use chrono::TimeDelta;
use contract::Encoding;
use domain::{Number, Private};

use super::*;

fn job(text: &str, encoding: Encoding) -> Job {
    let routed = Routed {
        message_id: MessageId::generate(),
        account_id: AccountId::generate(),
        hop: 0,
        to: Number::parse("998901234567").unwrap(),
        from: Sender::parse("Bank").unwrap(),
        text: Private::new(text),
        encoding,
        segments: 1,
        expires_at: Utc::now() + TimeDelta::hours(1),
        smpp: None,
    };
    Job::new(routed, Arc::new(Track::of_test()), 7)
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
        let mut job = job(&text, Encoding::Gsm7);
        assert_eq!(job.todo(), segments);
        for step in steps {
            let segment = job.send_next().unwrap();
            match *step {
                Accept => job.accepted(segment, b"77"),
                Refuse(status, class) => job.refused(segment, status, class),
                Lose => job.unanswered(segment),
            }
        }
        let outcome = job.finish(OperatorId::generate(), Utc::now()).outcome.unwrap();
        assert_eq!((outcome.class, outcome.segments.len()), (class, answers), "{segments} segments");
    }
}

#[test]
fn long_texts_carry_a_header_each() {
    let job = job(&"я".repeat(100), Encoding::Ucs2);
    assert_eq!((job.data_coding, job.parts.len()), (8, 2));
    assert_eq!(&job.parts[0][..6], [5, 0, 3, 7, 2, 1]);
    assert_eq!(&job.parts[1][..6], [5, 0, 3, 7, 2, 2]);
    assert_eq!((job.parts[0].len(), job.parts[1].len()), (6 + 134, 6 + 66));
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
