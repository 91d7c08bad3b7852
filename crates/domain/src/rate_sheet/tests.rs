use proptest::prelude::*;

use super::*;

fn at(day: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_900_000_800 + day * 86_400, 0).unwrap()
}

fn offer(row: u32, network: &str, price: i64, from: Option<i64>) -> Offer {
    Offer {
        row,
        network: network.parse().unwrap(),
        name: String::new(),
        traffic_class: None,
        price: Micros::new(price),
        is_rounded: false,
        currency: "EUR".parse().unwrap(),
        from: from.map(at),
        to: None,
    }
}

fn held(network: &str, price: i64, from: i64, to: Option<i64>) -> Held {
    Held {
        id: RateId::generate(),
        network: network.parse().unwrap(),
        traffic_class: None,
        price: Micros::new(price),
        currency: "EUR".parse().unwrap(),
        from: at(from),
        to: to.map(at),
    }
}

fn terms() -> Terms {
    Terms {
        received_at: at(0),
        default_from: at(0),
        now: at(0),
        notice_days: 0,
        on_short_notice: ShortNotice::Move,
        is_whole: false,
    }
}

#[test]
fn notice_ends_at_a_midnight_and_never_early() {
    let noon = at(0) + TimeDelta::hours(12);
    // The fixture's day begins at this time of day.
    let midnight = |time: DateTime<Utc>| time.date_naive().and_time(NaiveTime::MIN).and_utc();
    let start = midnight(noon);
    for (received, days, expected) in [
        (noon, 0, noon),
        (start, 7, start + TimeDelta::days(7)),
        (start + TimeDelta::seconds(1), 7, start + TimeDelta::days(8)),
        (start + TimeDelta::hours(23), 1, start + TimeDelta::days(2)),
    ] {
        let terms = Terms { received_at: received, notice_days: days, ..terms() };
        assert_eq!(terms.notice_ends(), expected);
        assert!(terms.notice_ends() - received >= TimeDelta::days(i64::from(days)));
    }
}

#[test]
fn what_holds_at_the_moment_of_the_row_decides() {
    let rates = [held("43405", 10, -5, Some(5)), held("43405", 12, 5, None)];
    let rows = [
        (offer(1, "43405", 10, Some(1)), Change::Unchanged, None),
        (offer(1, "43405", 11, Some(1)), Change::Up, None),
        (offer(1, "43405", 11, Some(6)), Change::Down, None),
        (offer(1, "43405", 13, Some(5)), Change::Up, Some(Refusal::SameMoment)),
        (offer(1, "43405", 9, Some(-3)), Change::Down, None),
        (offer(1, "43404", 9, None), Change::New, None),
        (offer(1, "434", 9, None), Change::New, None),
        (Offer { currency: "USD".parse().unwrap(), ..offer(1, "43405", 9, None) }, Change::Currency, None),
        (Offer { to: Some(at(3)), ..offer(1, "43405", 10, None) }, Change::Closed, None),
        (Offer { to: Some(at(-1)), ..offer(1, "43404", 10, Some(-2)) }, Change::New, Some(Refusal::Over)),
        (Offer { traffic_class: "otp".parse().ok(), ..offer(1, "43405", 9, None) }, Change::New, None),
    ];
    for (offer, change, refused) in rows {
        let lines = compare(std::slice::from_ref(&offer), &rates, &terms());
        assert_eq!((lines[0].change, lines[0].refused), (change, refused), "{offer:?}");
        assert!(lines[0].from >= at(0), "nothing begins before now");
    }
}

#[test]
fn a_whole_sheet_closes_what_it_does_not_list() {
    let rates = [
        held("43404", 10, -5, Some(7)),
        held("43405", 10, -5, None),
        held("43406", 10, 9, None),
        // Dearer from a day on.
        held("43404", 12, 7, None),
        held("43407", 10, -5, Some(1)),
        held("43408", 10, 2, None),
    ];
    let terms = Terms { is_whole: true, ..terms() };
    let lines = compare(&[offer(1, "43405", 11, Some(2))], &rates, &terms);
    let told: Vec<(Option<u32>, String, Change, DateTime<Utc>)> =
        lines.iter().map(|line| (line.row, line.network.to_string(), line.change, line.from)).collect();
    let expected = [
        (Some(1), "43405".to_owned(), Change::Up, at(2)),
        (None, "43404".to_owned(), Change::Closed, at(2)),
        // What would begin later ends where it would begin; what ends before stays as it is.
        (None, "43404".to_owned(), Change::Closed, at(7)),
        (None, "43406".to_owned(), Change::Closed, at(9)),
        (None, "43408".to_owned(), Change::Closed, at(2)),
    ];
    assert_eq!(told, expected);
}

/// The price that holds at a moment once the lines have been applied to one stored rate without an end.
fn holds(stored: Option<i64>, lines: &[Line], moment: DateTime<Utc>) -> Option<i64> {
    let published = lines.iter().filter(|line| line.publishes() && line.from <= moment);
    published.max_by_key(|line| line.from).and_then(|line| Some(line.new?.0.get())).or(stored)
}

/// Rows as price and day, days of notice, what holds on a day, and which rows never hold.
type Words = (&'static [(i64, i64)], u16, &'static [(i64, i64)], &'static [u32]);

#[test]
fn the_last_word_about_a_moment_counts() {
    let rates = [held("43405", 50, -30, None)];
    let rows: [Words; 7] = [
        // An old price and the one of today.
        (&[(60, -30), (55, -10)], 0, &[(0, 55)], &[1]),
        (&[(60, -30), (55, -10), (70, 4)], 0, &[(0, 55), (4, 70)], &[1]),
        // What the notice moves behind a later row is replaced before it begins.
        (&[(60, 1), (50, 3)], 7, &[(0, 50), (8, 50)], &[1]),
        (&[(60, 1), (40, 3)], 7, &[(0, 50), (3, 40), (8, 40)], &[1]),
        (&[(60, 1), (70, 3)], 7, &[(0, 50), (6, 50), (8, 70)], &[1]),
        (&[(60, 1), (55, 10)], 7, &[(0, 50), (8, 60), (10, 55)], &[]),
        (&[(40, 1), (60, 3)], 7, &[(1, 40), (6, 40), (8, 60)], &[]),
    ];
    for (said, notice_days, expected, never) in rows {
        let offers: Vec<Offer> =
            (1..).zip(said).map(|(row, (price, day))| offer(row, "43405", *price, Some(*day))).collect();
        let lines = compare(&offers, &rates, &Terms { notice_days, ..terms() });
        for (day, price) in expected {
            assert_eq!(holds(Some(50), &lines, at(*day)), Some(*price), "{said:?} on day {day}");
        }
        let refused = lines.iter().filter(|line| line.refused == Some(Refusal::Superseded)).filter_map(|line| line.row);
        assert_eq!(refused.collect::<Vec<_>>(), never, "{said:?}");
    }
}

#[test]
fn an_increase_over_what_traffic_cost_so_far_has_its_notice() {
    let otp = |offer: Offer| Offer { traffic_class: "otp".parse().ok(), ..offer };
    let rates = [held("434", 50, -5, None), held("43404", 40, -5, None)];
    let soon = Some(2);
    let rows = [
        (offer(1, "43405", 62, soon), true),
        (offer(1, "43405", 50, soon), false),
        (otp(offer(1, "43404", 45, soon)), true),
        (otp(offer(1, "43404", 40, soon)), false),
        (otp(offer(1, "434", 51, soon)), true),
        (Offer { currency: "USD".parse().unwrap(), ..offer(1, "43405", 1, soon) }, true),
        (offer(1, "436", 99, soon), false),
    ];
    for (offer, waits) in rows {
        let terms = Terms { notice_days: 7, ..terms() };
        let lines = compare(std::slice::from_ref(&offer), &rates, &terms);
        let moved = if waits { (terms.notice_ends(), Some(at(2))) } else { (at(2), None) };
        assert_eq!((lines[0].change, lines[0].from, lines[0].moved_from), (Change::New, moved.0, moved.1), "{offer:?}");
        let strict = Terms { on_short_notice: ShortNotice::Refuse, ..terms };
        let refused = compare(std::slice::from_ref(&offer), &rates, &strict)[0].refused;
        assert_eq!(refused, waits.then_some(Refusal::ShortNotice));
    }
    // Of a first sheet everything begins when it says, whatever stands beside it.
    let first = [offer(1, "434", 50, soon), offer(2, "43405", 62, soon)];
    let lines = compare(&first, &[], &Terms { notice_days: 7, ..terms() });
    assert!(lines.iter().all(|line| line.from == at(2)));
}

#[test]
fn an_end_where_another_row_begins_is_a_change_of_price() {
    let rates = [held("43405", 50, -5, None)];
    let ending = |row, price, from, to| Offer { to: Some(at(to)), ..offer(row, "43405", price, Some(from)) };
    let terms = Terms { notice_days: 7, ..terms() };
    let lines = compare(&[ending(1, 50, -5, 1), offer(2, "43405", 100, Some(1))], &rates, &terms);
    let told: Vec<_> = lines.iter().map(|line| (line.change, line.from, line.refused)).collect();
    assert_eq!(told, [(Change::Unchanged, at(0), None), (Change::Up, terms.notice_ends(), None)]);
}

#[test]
fn a_rate_that_ends_goes_on_where_the_sheet_says_so() {
    let rates = [held("43404", 10, -5, Some(5)), held("43405", 10, -5, Some(5)), held("43405", 12, 5, None)];
    let until = |day, offer| Offer { to: Some(at(day)), ..offer };
    let rows = [
        (offer(1, "43404", 10, None), Change::New, at(5), None),
        (until(9, offer(1, "43404", 10, None)), Change::New, at(5), Some(at(9))),
        (until(5, offer(1, "43404", 10, None)), Change::Unchanged, at(0), None),
        (until(4, offer(1, "43404", 10, None)), Change::Closed, at(4), None),
        // Another rate follows already.
        (offer(1, "43405", 10, None), Change::Unchanged, at(0), None),
    ];
    for (offer, change, from, to) in rows {
        let line = &compare(std::slice::from_ref(&offer), &rates, &Terms { notice_days: 7, ..terms() })[0];
        assert_eq!((line.change, line.from, line.to, line.refused), (change, from, to, None), "{offer:?}");
    }
}

proptest! {
    /// When every notice is over, what holds is what the last row says whose date has come.
    #[test]
    fn a_sheet_is_taken_at_its_last_word(
        stored in proptest::option::of(1_i64..5),
        said in proptest::collection::btree_map(-9_i64..20, 1_i64..5, 0..8),
        notice_days in 0_u16..9,
    ) {
        let rates: Vec<Held> = stored.iter().map(|price| held("43405", *price, -30, None)).collect();
        let offers: Vec<Offer> =
            (1..).zip(&said).map(|(row, (day, price))| offer(row, "43405", *price, Some(*day))).collect();
        let terms = Terms { notice_days, ..terms() };
        let lines = compare(&offers, &rates, &terms);
        for day in 0..30 {
            let last = said.range(..=day).next_back().map(|(_, price)| *price).or(stored);
            let told = holds(stored, &lines, at(day));
            if at(day) >= terms.notice_ends() {
                prop_assert_eq!(told, last, "on day {}", day);
            }
        }
    }

    /// Whatever comes: what is published begins in order, never before now, never two at one moment; increases wait.
    #[test]
    fn lines_keep_their_promises(
        offers in proptest::collection::vec((0_usize..3, 1_i64..5, proptest::option::of(-3_i64..20)), 0..20),
        rates in proptest::collection::vec((0_usize..3, 1_i64..5), 0..3),
        notice_days in 0_u16..9,
    ) {
        let networks = ["434", "43404", "43405"];
        let rates: Vec<Held> = rates.iter().enumerate().map(|(nth, (network, price))| {
            let nth = i64::try_from(nth).unwrap();
            held(networks[*network], *price, nth * 4, Some(nth * 4 + 4))
        }).collect();
        let offers: Vec<Offer> =
            (1..).zip(&offers).map(|(row, (network, price, from))| offer(row, networks[*network], *price, *from)).collect();
        let terms = Terms { notice_days, ..terms() };
        let lines = compare(&offers, &rates, &terms);
        prop_assert_eq!(lines.len(), offers.len());
        let mut moments = BTreeSet::new();
        for line in lines.iter().filter(|line| line.publishes()) {
            prop_assert!(line.from >= terms.now);
            prop_assert!(moments.insert((line.network, line.from)), "two rates of one moment");
            prop_assert!(!rates.iter().any(|rate| rate.network == line.network && rate.from == line.from));
            if line.change == Change::Up {
                prop_assert!(line.from >= terms.notice_ends());
            }
        }
    }
}
