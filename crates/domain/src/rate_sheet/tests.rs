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

#[test]
fn an_end_that_makes_traffic_dearer_has_its_notice() {
    let rates = [held("43401", 10, -5, None), held("434", 50, -5, None)];
    let terms = Terms { is_whole: true, notice_days: 7, ..terms() };
    let notice = terms.notice_ends();
    let ceases = |day| Offer { to: Some(at(day)), ..offer(2, "43401", 10, None) };
    // Rows beside that of the country, which costs so much; when the rate of the network ends, and what was said.
    let rows = [
        (50, None, notice, Some(at(0))),
        (9, None, at(0), None),
        (50, Some(ceases(2)), notice, Some(at(2))),
        (50, Some(ceases(9)), at(9), None),
    ];
    for (country, row, ends, said) in rows {
        let offers: Vec<Offer> = [offer(1, "434", country, None)].into_iter().chain(row).collect();
        let find = |terms: &Terms| {
            let lines = compare(&offers, &rates, terms);
            lines.into_iter().find(|line| line.change == Change::Closed).unwrap()
        };
        let line = find(&terms);
        assert_eq!((line.from, line.moved_from, line.refused), (ends, said, None), "{country} {offers:?}");
        let refused = find(&Terms { on_short_notice: ShortNotice::Refuse, ..terms }).refused;
        assert_eq!(refused, said.map(|_| Refusal::ShortNotice), "{country} {offers:?}");
    }
    // One that ends by itself before that is left alone, and what follows it waits.
    let rates = [held("43401", 10, -5, Some(3)), held("43401", 12, 3, None), held("434", 50, -5, None)];
    let lines = compare(&[offer(1, "434", 50, None)], &rates, &terms);
    let closed: Vec<_> =
        lines.iter().filter(|line| line.closes()).map(|line| (line.old.unwrap().1, line.from)).collect();
    assert_eq!(closed, [(Micros::new(12), notice)]);
}

/// What holds on a day once the lines have been applied to what was stored, as the store applies them.
fn after(stored: &[Held], lines: &[Line], moment: DateTime<Utc>) -> Option<i64> {
    let mut rates = stored.to_vec();
    for line in lines.iter().filter(|line| line.closes()) {
        let closed = line.old.unwrap().0;
        rates.retain(|rate| Some(rate.id) != closed || rate.from != line.from);
        rates.iter_mut().filter(|rate| Some(rate.id) == closed).for_each(|rate| rate.to = Some(line.from));
    }
    for line in lines.iter().filter(|line| line.publishes()) {
        assert!(rates.iter().all(|rate| rate.from != line.from), "two rates of one moment");
        let next = rates.iter().map(|rate| rate.from).filter(|from| *from > line.from).min();
        rates
            .iter_mut()
            .filter(|rate| in_force(rate.from, rate.to, line.from))
            .for_each(|rate| rate.to = Some(line.from));
        let to = [line.to, next].into_iter().flatten().min();
        rates.push(Held { from: line.from, to, ..held("43405", line.new.unwrap().0.get(), 0, None) });
    }
    rates.iter().find(|rate| in_force(rate.from, rate.to, moment)).map(|rate| rate.price.get())
}

#[test]
fn a_whole_sheet_takes_back_what_it_does_not_confirm() {
    // Days and prices of the stored rates; of the rows; lines without a row (`None`: when the notice is over); what holds.
    type Row = (&'static [(i64, i64)], &'static [(i64, i64)], &'static [(Change, Option<i64>)], &'static [(i64, i64)]);
    let rows: [Row; 8] = [
        (
            &[(-9, 50), (5, 60)],
            &[(0, 50)],
            &[(Change::Closed, Some(5)), (Change::Down, Some(5))],
            &[(4, 50), (5, 50), (90, 50)],
        ),
        (&[(-9, 50), (5, 60)], &[(0, 40)], &[(Change::Closed, Some(5)), (Change::Down, Some(5))], &[(0, 40), (5, 40)]),
        // What would have been cheaper holds until the notice is over.
        (&[(-9, 50), (5, 40)], &[(0, 50)], &[(Change::Up, None)], &[(0, 50), (5, 40), (6, 40), (7, 50)]),
        (&[(-9, 50), (8, 40)], &[(0, 50)], &[(Change::Closed, Some(8)), (Change::Up, Some(8))], &[(7, 50), (8, 50)]),
        (&[(-9, 50), (5, 40), (6, 30)], &[(0, 50)], &[(Change::Up, None)], &[(5, 40), (6, 30), (7, 50)]),
        // Confirmed, or before the sheet speaks.
        (&[(-9, 50), (5, 60)], &[(0, 50), (5, 60)], &[], &[(4, 50), (5, 60)]),
        (&[(-9, 50), (5, 60)], &[(6, 55)], &[], &[(4, 50), (5, 60), (6, 55)]),
        (
            &[(-9, 50), (9, 60), (12, 70)],
            &[(0, 50), (10, 55)],
            &[(Change::Closed, Some(9)), (Change::Down, Some(9)), (Change::Closed, Some(12)), (Change::Down, Some(12))],
            &[(9, 50), (10, 55), (12, 55)],
        ),
    ];
    for (stored, said, told, expected) in rows {
        let to = |nth: usize| stored.get(nth + 1).map(|next| next.0);
        let rates: Vec<Held> =
            stored.iter().enumerate().map(|(nth, (day, price))| held("43405", *price, *day, to(nth))).collect();
        let offers: Vec<Offer> =
            (1..).zip(said).map(|(row, (day, price))| offer(row, "43405", *price, Some(*day))).collect();
        // The notice is over in the night before the seventh day.
        let terms = Terms { is_whole: true, notice_days: 7, received_at: at(0) - TimeDelta::hours(18), ..terms() };
        let lines = compare(&offers, &rates, &terms);
        let without: Vec<_> =
            lines.iter().filter(|line| line.row.is_none()).map(|line| (line.change, line.from)).collect();
        let wanted: Vec<_> = told.iter().map(|(change, day)| (*change, day.map_or(terms.notice_ends(), at))).collect();
        assert_eq!(without, wanted, "{stored:?} {said:?}");
        for (day, price) in expected {
            assert_eq!(after(&rates, &lines, at(*day)), Some(*price), "{stored:?} {said:?} on day {day}");
        }
        let loose = compare(&offers, &rates, &Terms { is_whole: false, ..terms });
        assert!(loose.iter().all(|line| line.row.is_some()), "a sheet that is not whole says nothing about the rest");
    }
}

#[test]
fn a_whole_sheet_takes_nothing_back_by_a_row_that_is_refused() {
    let rates = [held("43405", 50, -9, Some(5)), held("43405", 40, 5, None)];
    let terms = Terms { is_whole: true, notice_days: 7, on_short_notice: ShortNotice::Refuse, ..terms() };
    let rows = [
        (offer(1, "43405", 60, Some(1)), vec![(Some(1), Change::Up, Some(Refusal::ShortNotice))]),
        (
            offer(1, "43405", 50, Some(1)),
            vec![(Some(1), Change::Unchanged, None), (None, Change::Up, Some(Refusal::ShortNotice))],
        ),
        (
            Offer { to: Some(at(4)), ..offer(1, "43405", 50, Some(1)) },
            vec![(Some(1), Change::Closed, None), (None, Change::Closed, None)],
        ),
    ];
    for (offer, expected) in rows {
        let lines = compare(std::slice::from_ref(&offer), &rates, &terms);
        let told: Vec<_> = lines.iter().map(|line| (line.row, line.change, line.refused)).collect();
        assert_eq!(told, expected, "{offer:?}");
    }
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

    /// When every notice is over, a whole sheet is all that holds, whatever was announced before.
    #[test]
    fn a_whole_sheet_is_all_that_holds(
        stored in proptest::collection::btree_map(-9_i64..20, 1_i64..5, 0..6),
        said in proptest::collection::btree_map(-9_i64..20, 1_i64..5, 1..6),
        notice_days in 0_u16..9,
    ) {
        // Rates and rows begin at different times of a day: a row about the very moment of a rate is refused.
        let half = TimeDelta::hours(12);
        let ends: Vec<i64> = stored.keys().skip(1).copied().collect();
        let rates: Vec<Held> = stored.iter().enumerate().map(|(nth, (day, price))| {
            let rate = held("43405", *price, *day, ends.get(nth).copied());
            Held { from: rate.from + half, to: rate.to.map(|to| to + half), ..rate }
        }).collect();
        let offers: Vec<Offer> =
            (1..).zip(&said).map(|(row, (day, price))| offer(row, "43405", *price, Some(*day))).collect();
        let terms = Terms { is_whole: true, notice_days, ..terms() };
        let lines = compare(&offers, &rates, &terms);
        for day in 0..40 {
            let last = said.range(..=day).next_back().map(|(_, price)| *price);
            if last.is_some() && at(day) >= terms.notice_ends() && *said.keys().next().unwrap() <= day {
                prop_assert_eq!(after(&rates, &lines, at(day)), last, "on day {} of {:?}", day, lines);
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
