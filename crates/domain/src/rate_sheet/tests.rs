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
    let rates = [held("43404", 10, -5, None), held("43405", 10, -5, None), held("43406", 10, 9, None)];
    let terms = Terms { is_whole: true, ..terms() };
    let lines = compare(&[offer(1, "43405", 11, Some(2))], &rates, &terms);
    let told: Vec<(Option<u32>, String, Change, DateTime<Utc>)> =
        lines.iter().map(|line| (line.row, line.network.to_string(), line.change, line.from)).collect();
    let expected = [
        (Some(1), "43405".to_owned(), Change::Up, at(2)),
        // That of 43406 begins later, and stays.
        (None, "43404".to_owned(), Change::Closed, at(2)),
    ];
    assert_eq!(told, expected);
}

proptest! {
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
