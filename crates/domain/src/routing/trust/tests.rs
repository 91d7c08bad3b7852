use Doubt::{AllAlike, ConvertsLess, DeliveredToDead, DeliversEverything, NotReceived, TooFast, TooLate, UntrueTests};

use super::*;

/// An honest operator: of a thousand messages 930 arrive, after 4 s on the average, spread widely.
fn honest() -> Record {
    let mut latencies = Latencies::default();
    latencies.0[3] = 400;
    latencies.0[4] = 400;
    latencies.0[6] = 100;
    latencies.0[8] = 30;
    let (latency_ms, latency_sq) = (930 * 4_000, 930 * 400 * 400 * 2);
    Record { delivered: 930, failed: 70, latencies, latency_ms, latency_sq, ..Record::default() }
}

/// All delivered, all after `ms`, in this class.
fn faked(count: u64, ms: u64, class: usize) -> Record {
    let mut latencies = Latencies::default();
    latencies.0[class] = count;
    let (latency_ms, latency_sq) = (count * ms, count * (ms / 10) * (ms / 10));
    Record { delivered: count, latencies, latency_ms, latency_sq, ..Record::default() }
}

/// Doubts, and what they take.
type Told<'a> = &'a [(Doubt, u16)];

#[track_caller]
fn check(own: Record, others: Record, expected: &[(Doubt, u16)], trust: u16) {
    let doubts = judge(&own, &others);
    let told: Vec<(Doubt, u16)> = doubts.0.iter().map(|reason| (reason.doubt, reason.takes)).collect();
    assert_eq!((told.as_slice(), doubts.trust()), (expected, trust), "{own:?}");
}

#[test]
fn nothing_known_is_no_doubt() {
    for own in [Record::default(), honest(), faked(99, 0, 0), faked(99, 900_000, 11)] {
        check(own, Record::default(), &[], 1000);
        check(own, honest(), &[], 1000);
    }
}

#[test]
fn receipts_that_are_too_good() {
    // At once: too fast, all alike, and everything arrives where by the others it does not.
    check(faked(100, 20, 0), honest(), &[(TooFast, 570), (AllAlike, 300)], 130);
    check(faked(1_000, 20, 0), honest(), &[(TooFast, 570), (AllAlike, 300), (DeliversEverything, 250)], 0);
    check(faked(1_000, 0, 0), honest(), &[(TooFast, 570), (AllAlike, 300), (DeliversEverything, 250)], 0);
    // Not all alike, but who answers at once is not trusted for that alone.
    let spread = Record { latency_ms: 100 * 100, latency_sq: 100 * 500, ..faked(100, 0, 0) };
    check(spread, honest(), &[(TooFast, 570)], 430);
    // After a plausible time, but always the same.
    check(faked(400, 4_000, 4), honest(), &[(AllAlike, 300)], 700);
    check(faked(1_000, 4_000, 4), honest(), &[(AllAlike, 300), (DeliversEverything, 250)], 450);
    // Nobody to compare with: not enough to be demoted.
    check(faked(1_000, 4_000, 4), Record::default(), &[(AllAlike, 300), (DeliversEverything, 100)], 600);
    // A good network, where the others deliver everything, too.
    let good = Record { failed: 0, ..honest() };
    check(Record { failed: 4, ..good }, good, &[], 1000);
    check(Record { failed: 4, ..good }, honest(), &[(DeliversEverything, 250)], 750);
    check(Record { failed: 5, ..good }, honest(), &[], 1000);
    // Some fast ones are forgiven.
    let with_fast = |count| {
        let mut record = honest();
        record.latencies.0[0] = count;
        record
    };
    check(with_fast(46), honest(), &[], 1000);
    check(with_fast(465), honest(), &[(TooFast, 270)], 730);
}

#[test]
fn receipts_that_are_too_late() {
    let with_late = |count| {
        let mut record = honest();
        record.latencies.0[11] = count;
        record
    };
    check(with_late(93), honest(), &[], 1000);
    check(with_late(465), honest(), &[(TooLate, 160)], 840);
    check(with_late(930), honest(), &[(TooLate, 360)], 640);
}

#[test]
fn test_numbers() {
    let dead = |dead, dead_delivered| Record { dead, dead_delivered, ..honest() };
    let tests = |tests, untrue| Record { tests, untrue, ..honest() };
    let rows: [(Record, Told<'_>, u16); 11] = [
        (dead(10, 0), &[], 1000),
        (dead(1, 1), &[(DeliveredToDead, 300)], 700),
        (dead(100, 1), &[(DeliveredToDead, 300)], 700),
        (dead(100, 2), &[(DeliveredToDead, 300)], 700),
        (dead(4, 2), &[(DeliveredToDead, 450)], 550),
        (dead(2, 2), &[(DeliveredToDead, 900)], 100),
        (tests(5, 0), &[], 1000),
        (tests(1, 1), &[(UntrueTests, 200)], 800),
        (tests(10, 2), &[(UntrueTests, 180)], 820),
        (tests(4, 3), &[(UntrueTests, 675)], 325),
        (Record { dead: 2, dead_delivered: 2, ..tests(2, 2) }, &[(DeliveredToDead, 900), (UntrueTests, 900)], 0),
    ];
    for (own, expected, trust) in rows {
        check(own, Record::default(), expected, trust);
    }
}

#[test]
fn conversions_and_complaints_against_those_of_others() {
    let of = |watched, converted, not_received| Record { watched, converted, not_received, ..honest() };
    let rows: [(Record, Record, Told<'_>, u16); 12] = [
        (of(1_000, 300, 0), of(1_000, 310, 0), &[], 1000),
        (of(1_000, 155, 0), of(1_000, 310, 0), &[], 1000),
        (of(1_000, 154, 0), of(1_000, 310, 0), &[(ConvertsLess, 352)], 648),
        (of(1_000, 0, 0), of(1_000, 310, 0), &[(ConvertsLess, 700)], 300),
        (of(2_000, 62, 0), of(1_000, 310, 0), &[(ConvertsLess, 630)], 370),
        // Too few on either side.
        (of(99, 0, 0), of(1_000, 310, 0), &[], 1000),
        (of(1_000, 0, 0), of(99, 90, 0), &[], 1000),
        (of(1_000, 0, 0), of(1_000, 19, 0), &[], 1000),
        (of(1_000, 0, 19), of(1_000, 0, 0), &[], 1000),
        (of(1_000, 0, 30), of(1_000, 0, 10), &[], 1000),
        (of(1_000, 0, 31), of(1_000, 0, 10), &[(NotReceived, 31)], 969),
        (of(1_000, 0, 900), of(1_000, 0, 10), &[(NotReceived, 600)], 400),
    ];
    for (own, others, expected, trust) in rows {
        check(own, others, expected, trust);
    }
}
