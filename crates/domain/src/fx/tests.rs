use proptest::prelude::*;

use super::*;

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

/// EUR in UZS at `nanos` from second 0 on, until `to`.
fn rate(nanos: i64, spread_ppm: u32, to: Option<i64>) -> ExchangeRate {
    ExchangeRate {
        id: ExchangeRateId::generate(),
        ratio: Ratio::new(nanos).unwrap(),
        spread_ppm,
        from: DateTime::UNIX_EPOCH,
        to: to.and_then(|to| DateTime::from_timestamp(to, 0)),
    }
}

fn fx(rate: ExchangeRate) -> Fx {
    let mut fx = Fx::default();
    fx.add((currency("EUR"), currency("UZS")), rate);
    fx
}

fn there(fx: &Fx, amount: i64) -> Option<Exchanged> {
    fx.convert(Micros::new(amount), (currency("EUR"), currency("UZS")), DateTime::UNIX_EPOCH)
}

fn back(fx: &Fx, amount: i64) -> Option<Exchanged> {
    fx.convert(Micros::new(amount), (currency("UZS"), currency("EUR")), DateTime::UNIX_EPOCH)
}

#[test]
fn text_forms() {
    for (text, expected) in [
        ("13950.25", Some(13_950_250_000_000)),
        ("0.000000001", Some(1)),
        ("1", Some(SCALE)),
        ("9223372036.854775807", Some(i64::MAX)),
        ("9223372036.854775808", None),
        ("0", None),
        ("0.0000000001", None),
        ("-1", None),
        ("1e3", None),
        ("1.", None),
        (".5", None),
        ("", None),
    ] {
        let read = text.parse::<Ratio>().ok();
        assert_eq!(read.map(Ratio::get), expected, "{text}");
        assert_eq!(read.map(|ratio| ratio.to_string()), expected.map(|_| text.to_owned()));
    }
}

#[test]
fn amounts_are_rounded_half_to_even() {
    // Rate in 10⁻⁹, spread, amount there, and what comes out: the amount and the spread.
    for (nanos, ppm, amount, expected) in [
        (13_950_250_000_000, 0, 4_500, (62_776_125, 0)),
        (13_950_250_000_000, 5_000, 4_500, (62_776_125, 313_881)),
        (500_000_000, 0, 1, (0, 0)),
        (500_000_000, 0, 3, (2, 0)),
        (500_000_000, 0, 5, (2, 0)),
        (500_000_000, 0, -1, (0, 0)),
        (500_000_000, 0, -3, (-2, 0)),
        (500_000_001, 0, 1, (1, 0)),
        (SCALE, 500_000, 1, (1, 0)),
        (SCALE, 500_000, 3, (3, 2)),
    ] {
        let found = there(&fx(rate(nanos, ppm, None)), amount).unwrap();
        assert_eq!((found.amount.get(), found.spread.get()), expected, "{nanos} {ppm} {amount}");
    }
}

#[test]
fn the_direct_rate_goes_before_the_inverse_and_only_one_that_holds_counts() {
    let (eur, uzs) = (currency("EUR"), currency("UZS"));
    let mut fx = fx(rate(10 * SCALE, 0, Some(100)));
    let direct = rate(SCALE / 4, 0, Some(50));
    fx.add((uzs, eur), direct.clone());
    let at = |second| DateTime::from_timestamp(second, 0).unwrap();
    let convert = |pair, second| fx.convert(Micros::new(1_000), pair, at(second)).map(|found| found.amount.get());
    for (pair, second, expected) in [
        ((eur, uzs), 0, Some(10_000)),
        ((uzs, eur), 49, Some(250)),
        ((uzs, eur), 50, Some(100)),
        ((uzs, eur), 99, Some(100)),
        ((uzs, eur), 100, None),
        ((eur, uzs), 100, None),
        ((eur, uzs), -1, None),
        ((eur, currency("USD")), 0, None),
    ] {
        assert_eq!(convert(pair, second), expected, "{pair:?} {second}");
    }
    assert_eq!(fx.convert(Micros::new(1), (uzs, eur), at(0)).unwrap().rate_id, direct.id);
}

#[test]
fn what_leaves_the_range_is_not_converted() {
    let dear = fx(rate(i64::MAX, SPREAD_PPM_MAX, None));
    assert_eq!(there(&dear, i64::MAX), None);
    assert!(back(&dear, i64::MAX).is_some());
    let cheap = fx(rate(1, 0, None));
    assert_eq!(back(&cheap, i64::MAX), None);
    assert_eq!(there(&cheap, i64::MIN).unwrap().amount.get(), -9_223_372_037);
}

proptest! {
    #[test]
    fn the_result_is_the_nearest_and_even_in_the_middle(amount in any::<i32>(), nanos in 1_i64..=1_000_000 * SCALE) {
        let amount = i64::from(amount);
        let got = i128::from(there(&fx(rate(nanos, 0, None)), amount).unwrap().amount.get());
        let off = (got * i128::from(SCALE) - i128::from(amount) * i128::from(nanos)).abs() * 2;
        prop_assert!(off <= i128::from(SCALE));
        prop_assert!(off < i128::from(SCALE) || got % 2 == 0);
    }

    #[test]
    fn there_and_back_ends_within_what_rounding_takes(amount in any::<i32>(), nanos in 1_i64..=1_000_000 * SCALE) {
        let fx = fx(rate(nanos, 0, None));
        let amount = i64::from(amount);
        let again = back(&fx, there(&fx, amount).unwrap().amount.get()).unwrap().amount.get();
        // Half a micro there is half a micro by the rate back, and half a micro more is rounded away there.
        let off = i128::from((again - amount).abs()) * 2 * i128::from(nanos);
        prop_assert!(off <= i128::from(SCALE) + i128::from(nanos), "{amount} came back as {again}");
    }

    #[test]
    fn the_sign_does_not_matter_and_more_is_never_less(
        amount in 0_i64..=1 << 40, more in 0_i64..=1 << 20, nanos in 1_i64..=100_000 * SCALE, ppm in 0..=SPREAD_PPM_MAX,
    ) {
        let fx = fx(rate(nanos, ppm, None));
        let (plus, minus) = (there(&fx, amount).unwrap(), there(&fx, -amount).unwrap());
        prop_assert_eq!((-plus.amount.get(), -plus.spread.get()), (minus.amount.get(), minus.spread.get()));
        let larger = there(&fx, amount + more).unwrap();
        prop_assert!(larger.total().unwrap() >= plus.total().unwrap());
        prop_assert!(plus.spread.get() >= 0 && plus.spread.get() <= plus.amount.get());
    }
}
