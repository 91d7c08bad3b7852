use proptest::prelude::*;

use super::*;
use crate::mapping::PriceUnit;

fn mapping(decimal: Decimal, thousands: Option<Thousands>, rounding: Rounding, price_unit: PriceUnit) -> Mapping {
    Mapping { price_unit, decimal, thousands, rounding, ..Mapping::default() }
}

#[test]
fn prices_are_exact_or_refused() {
    use Reason::{PriceAmbiguous, PriceNegative, PriceNotANumber, PriceTooLarge, PriceTooPrecise};
    let point = mapping(Decimal::Point, None, Rounding::Refuse, PriceUnit::Major);
    let comma = mapping(Decimal::Comma, None, Rounding::Refuse, PriceUnit::Major);
    let grouped = mapping(Decimal::Point, Some(Thousands::Comma), Rounding::Refuse, PriceUnit::Major);
    let even = mapping(Decimal::Point, None, Rounding::HalfEven, PriceUnit::Major);
    let up = mapping(Decimal::Point, None, Rounding::Up, PriceUnit::Major);
    let cents = mapping(Decimal::Point, None, Rounding::Refuse, PriceUnit::Cents);
    let thousandths = mapping(Decimal::Point, None, Rounding::Refuse, PriceUnit::Thousandths);
    let rows: [(&Mapping, &str, Result<i64, Reason>); 43] = [
        (&point, "0.0045", Ok(4_500)),
        (&point, ".5", Ok(500_000)),
        (&point, "5.", Ok(5_000_000)),
        (&point, "0.000001", Ok(1)),
        (&point, "0.0450000000", Ok(45_000)),
        (&point, "0.0000001", Err(PriceTooPrecise)),
        (&point, "-0.01", Err(PriceNegative)),
        (&point, "-0", Ok(0)),
        (&point, "free", Err(PriceNotANumber)),
        (&point, "", Err(PriceNotANumber)),
        (&point, ".", Err(PriceNotANumber)),
        (&point, "1e-3", Err(PriceNotANumber)),
        (&point, "0.01 / 0.02", Err(PriceNotANumber)),
        (&point, "99999999999999999", Err(PriceTooLarge)),
        (&point, "9999999999999999999999999999999999", Err(PriceTooLarge)),
        // A decimal comma, or a thousand.
        (&point, "0,0045", Err(PriceAmbiguous)),
        (&point, "0,045", Err(PriceAmbiguous)),
        (&point, "1,234", Err(PriceAmbiguous)),
        (&point, "1.234,5", Err(PriceAmbiguous)),
        (&point, "1,234.5", Ok(1_234_500_000)),
        (&point, "1,000,000", Ok(1_000_000_000_000)),
        (&point, "1,000,000.000001", Err(PriceTooLarge)),
        (&point, "1 234.5", Ok(1_234_500_000)),
        (&point, "1\u{a0}234", Ok(1_234_000_000)),
        (&point, "1'234.5", Ok(1_234_500_000)),
        (&point, "1,23,4.5", Err(PriceAmbiguous)),
        (&grouped, "1,234", Ok(1_234_000_000)),
        (&grouped, "0,234", Err(PriceAmbiguous)),
        (&grouped, "12 345.5", Err(PriceNotANumber)),
        (&comma, "0,0045", Ok(4_500)),
        (&comma, "1.234,5", Ok(1_234_500_000)),
        (&comma, "1.234", Err(PriceAmbiguous)),
        (&comma, "0.045", Err(PriceAmbiguous)),
        (&comma, "12", Ok(12_000_000)),
        (&even, "0.0000005", Ok(0)),
        (&even, "0.0000015", Ok(2)),
        (&even, "0.00000051", Ok(1)),
        (&up, "0.00000001", Ok(1)),
        (&cents, "4.5", Ok(45_000)),
        (&cents, "0.0001", Ok(1)),
        (&cents, "0.00001", Err(PriceTooPrecise)),
        (&thousandths, "45", Ok(45_000)),
        (&even, "0.0450000001", Ok(45_000)),
    ];
    for (mapping, text, expected) in rows {
        let read = price(text, false, mapping).map(|price| price.amount.get());
        assert_eq!(read, expected, "{text} under {:?}", mapping.decimal);
    }
    assert!(price("0.0450000001", false, &even).unwrap().is_rounded);
    assert!(!price("0.045", false, &even).unwrap().is_rounded);
    let number = price("0.045", true, &comma).unwrap();
    assert_eq!(number.amount.get(), 45_000, "a number of a spreadsheet has a point, whatever the text says");
}

#[test]
fn a_currency_in_the_cell_is_taken_off() {
    for (text, expected) in [
        ("€0.05", Some("EUR")),
        ("0.05 €", Some("EUR")),
        ("£ 0.05", Some("GBP")),
        ("0.05 usd", Some("USD")),
        ("EUR 0.05", Some("EUR")),
        ("$0.05", None),
        ("0.05", None),
    ] {
        let read = price(text, false, &Mapping::default()).unwrap();
        assert_eq!((read.amount.get(), read.currency), (50_000, expected.and_then(|code| code.parse().ok())), "{text}");
    }
}

proptest! {
    /// Whatever is read is what was written, digit by digit.
    #[test]
    fn what_is_written_is_read(micros in 0..=Micros::PRICE_MAX.get()) {
        let written = Micros::new(micros);
        let read = price(&written.to_string(), false, &Mapping::default()).unwrap();
        prop_assert_eq!((read.amount, read.is_rounded), (written, false));
    }

    #[test]
    fn rounding_up_never_pays_less(digits in "[0-9]{1,6}\\.[0-9]{1,12}") {
        let up = mapping(Decimal::Point, None, Rounding::Up, PriceUnit::Major);
        let even = mapping(Decimal::Point, None, Rounding::HalfEven, PriceUnit::Major);
        let (up, even) = (price(&digits, false, &up).unwrap(), price(&digits, false, &even).unwrap());
        prop_assert!(up.amount >= even.amount && up.amount.get() - even.amount.get() <= 1);
    }
}
