use super::*;

fn latencies(counted: &[(usize, u64)]) -> Latencies {
    let mut latencies = Latencies::default();
    for (class, count) in counted {
        latencies.0[*class] = *count;
    }
    latencies
}

#[test]
fn percentiles_are_the_ends_of_their_classes() {
    /// Counts by class, and the median and the 95th percentile.
    type Case<'a> = (&'a [(usize, u64)], Option<i64>, Option<i64>);
    let rows: [Case<'_>; 7] = [
        (&[], None, None),
        (&[(0, 1)], Some(500), Some(500)),
        (&[(1, 100)], Some(1_000), Some(1_000)),
        (&[(2, 95), (8, 5)], Some(2_000), Some(2_000)),
        (&[(2, 94), (8, 6)], Some(2_000), Some(60_000)),
        (&[(2, 50), (3, 50)], Some(2_000), Some(3_000)),
        (&[(11, 9)], Some(3_600_000), Some(3_600_000)),
    ];
    for (counted, p50, p95) in rows {
        let latencies = latencies(counted);
        assert_eq!((latencies.percentile_ms(500), latencies.percentile_ms(950)), (p50, p95), "{counted:?}");
    }
}

/// Counts as accepted, refused, rejected, unanswered, delivered, failed, missing.
fn counts(of: [u64; 7], latency: &[(usize, u64)]) -> Counts {
    let [accepted, refused, rejected, unanswered, delivered, failed, missing] = of;
    Counts { accepted, refused, rejected, unanswered, delivered, failed, missing, latencies: latencies(latency) }
}

#[test]
fn a_score_is_exact() {
    /// Counts, latencies, and success, delivery, speed and the whole; or too few.
    type Case<'a> = ([u64; 7], &'a [(usize, u64)], Option<[u16; 4]>);
    let rows: [Case<'_>; 12] = [
        ([0; 7], &[], None),
        ([19, 0, 500, 0, 19, 0, 0], &[(3, 19)], None),
        ([20, 0, 0, 0, 20, 0, 0], &[(3, 20)], Some([1000, 1000, 1000, 1000])),
        // What is wrong with a message does not count.
        ([20, 0, 80, 0, 20, 0, 0], &[(3, 20)], Some([1000, 1000, 1000, 1000])),
        ([90, 10, 0, 0, 90, 0, 0], &[(3, 90)], Some([900, 1000, 1000, 900])),
        ([90, 5, 0, 5, 90, 0, 0], &[(3, 90)], Some([900, 1000, 1000, 900])),
        ([100, 0, 0, 0, 80, 15, 5], &[(7, 80)], Some([1000, 800, 1000, 800])),
        // Too few receipts say nothing of delivery.
        ([100, 0, 0, 0, 1, 18, 0], &[(7, 1)], Some([1000, 1000, 1000, 1000])),
        ([100, 0, 0, 0, 100, 0, 0], &[(8, 100)], Some([1000, 1000, 500, 500])),
        ([100, 0, 0, 0, 100, 0, 0], &[(9, 100)], Some([1000, 1000, 100, 100])),
        ([100, 0, 0, 0, 100, 0, 0], &[(11, 100)], Some([1000, 1000, 100, 100])),
        ([2, 1, 0, 18, 1, 30, 0], &[(8, 1)], Some([95, 32, 500, 1])),
    ];
    for (of, latency, expected) in rows {
        let score = Score::of(&counts(of, latency));
        let told = score.map(|score| [score.success, score.delivery, score.speed, score.permille()]);
        assert_eq!(told, expected, "{of:?}");
    }
}

#[test]
fn trust_multiplies_into_the_score() {
    let good = Score::default();
    for (trust, expected) in [(1000, 1000), (500, 500), (1, 1), (0, 1)] {
        assert_eq!(good.trusted(trust).permille(), expected, "{trust}");
    }
    assert_eq!(Score { success: 900, delivery: 800, speed: 500, trust: 700 }.permille(), 252);
}

#[test]
fn what_a_success_costs() {
    let rows = [
        (50_000_000, 1000, 50_000_000_000),
        (40_000_000, 500, 80_000_000_000),
        (45_000_000, 333, 135_135_135_135),
        (0, 1000, 1_000),
        (0, 500, 2_000),
        (7, 0, 7_000_000),
        (i64::MAX, 1, i64::MAX),
    ];
    for (cost, score, expected) in rows {
        assert_eq!(cost_of_success(Micros::new(cost), score), expected, "{cost} at {score}");
    }
}

#[test]
fn counts_add_up() {
    let one = counts([1, 2, 3, 4, 5, 6, 7], &[(0, 1), (11, 2)]);
    assert_eq!(one.plus(&one), counts([2, 4, 6, 8, 10, 12, 14], &[(0, 2), (11, 4)]));
}
