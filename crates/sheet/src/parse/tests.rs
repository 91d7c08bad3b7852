use proptest::prelude::*;

use super::*;

/// Some networks that there are: two digits in one country, three in another, both in a third.
fn known(network: Network) -> bool {
    ["43404", "43405", "310010", "310410", "40401", "404001"].contains(&network.to_string().as_str())
}

fn read(text: &str, mapping: &Mapping) -> Read {
    let grid = Grid::read(text.as_bytes(), None, None).unwrap();
    parse(&grid, mapping, &known).unwrap()
}

/// Offers as `row network price currency`, and faults as `row column reason`.
fn told(read: &Read) -> (Vec<String>, Vec<String>) {
    let offers = read.offers.iter().map(|o| format!("{} {} {} {}", o.row, o.network, o.price, o.currency));
    let faults = read.faults.iter().map(|f| format!("{} {} {}", f.row, f.column, f.reason.name()));
    (offers.collect(), faults.collect())
}

/// One row under a header with every column.
fn row(cells: &str) -> (Vec<String>, Vec<String>) {
    let head = "MCCMNC;MCC;MNC;Network;Price;Currency;Effective date;Cease;Class\n";
    let classes = [("Premium".to_owned(), "otp".to_owned()), ("All".to_owned(), String::new())];
    let mapping = Mapping {
        traffic_classes: classes.into(),
        columns: crate::Columns { traffic_class: Some("Class".to_owned()), ..crate::Columns::default() },
        ..Mapping::default()
    };
    told(&read(&format!("{head}{cells}\n"), &mapping))
}

#[test]
fn good_rows_are_rates() {
    let rows = [
        (";434;05;Ucell;0.05;EUR;;;", vec!["2 43405 0.05 EUR"]),
        ("43405;;;;0.05;EUR;;;", vec!["2 43405 0.05 EUR"]),
        ("434-05;434;5;;0.05;EUR;;;", vec!["2 43405 0.05 EUR"]),
        ("434 05;;;;0.05;EUR;;;", vec!["2 43405 0.05 EUR"]),
        ("434;;;;0.05;EUR;;;", vec!["2 434 0.05 EUR"]),
        ("434*;;;;0.05;EUR;;;", vec!["2 434 0.05 EUR"]),
        (";434;;;0.05;EUR;;;", vec!["2 434 0.05 EUR"]),
        (";434;all;;0.05;EUR;;;", vec!["2 434 0.05 EUR"]),
        (";434;*;;0.05;EUR;;;", vec!["2 434 0.05 EUR"]),
        (";434;04,05;;0.05;EUR;;;", vec!["2 43404 0.05 EUR", "2 43405 0.05 EUR"]),
        // A zero was lost, and one code only fits.
        (";434;5;;0.05;EUR;;;", vec!["2 43405 0.05 EUR"]),
        (";310;10;;0.05;EUR;;;", vec!["2 310010 0.05 EUR"]),
        ("31010;;;;0.05;EUR;;;", vec!["2 310010 0.05 EUR"]),
        (";310;410;;0.05;EUR;;;", vec!["2 310410 0.05 EUR"]),
        (";262;01;;0.05;EUR;;;", vec!["2 26201 0.05 EUR"]),
        ("43405;;;;€0.05;;;;", vec!["2 43405 0.05 EUR"]),
        ("43405;;;;0.05;eur;;;Premium", vec!["2 43405 0.05 EUR"]),
        ("43405;;;;0.05;EUR;2027-01-01;2027-02-01;all", vec!["2 43405 0.05 EUR"]),
    ];
    for (cells, expected) in rows {
        assert_eq!(row(cells), (expected.into_iter().map(str::to_owned).collect(), Vec::new()), "{cells}");
    }
}

#[test]
fn every_kind_of_broken_row_is_named() {
    let rows = [
        (";;;Ucell;0.05;EUR;;;", vec!["2 B MCC mcc_missing"]),
        (";43;05;;0.05;EUR;;;", vec!["2 B MCC mcc_invalid"]),
        (";434;1234;;0.05;EUR;;;", vec!["2 C MNC mnc_invalid"]),
        (";434;1;;0.05;EUR;;;", vec!["2 C MNC mnc_lost_zero"]),
        (";404;1;;0.05;EUR;;;", vec!["2 C MNC mnc_lost_zero"]),
        ("4341;;;;0.05;EUR;;;", vec!["2 A MCCMNC mnc_lost_zero"]),
        ("Uzbekistan;;;;0.05;EUR;;;", vec!["2 A MCCMNC mccmnc_invalid"]),
        ("43404;434;05;;0.05;EUR;;;", vec!["2 A MCCMNC codes_differ"]),
        ("4.34E+04;;;;0.05;EUR;;;", vec!["2 A MCCMNC code_is_decimal"]),
        ("434.05;;;;0.05;EUR;;;", vec!["2 A MCCMNC code_is_decimal"]),
        ("43405;;;;;EUR;;;", vec!["2 E Price price_missing"]),
        ("43405;;;;on request;EUR;;;", vec!["2 E Price price_not_a_number"]),
        ("43405;;;;0,05;EUR;;;", vec!["2 E Price price_ambiguous"]),
        ("43405;;;;-0.05;EUR;;;", vec!["2 E Price price_negative"]),
        ("43405;;;;0.0512345678;EUR;;;", vec!["2 E Price price_too_precise"]),
        ("43405;;;;999999999999999;EUR;;;", vec!["2 E Price price_too_large"]),
        ("43405;;;;0.05;;;;", vec!["2 F Currency currency_missing"]),
        ("43405;;;;0.05;Euro;;;", vec!["2 F Currency currency_invalid"]),
        ("43405;;;;$0.05 USD;EUR;;;", vec!["2 E Price price_not_a_number"]),
        ("43405;;;;0.05 USD;EUR;;;", vec!["2 E Price currency_differs"]),
        ("43405;;;;0.05;EUR;31.02.2027;;", vec!["2 G Effective date date_invalid"]),
        ("43405;;;;0.05;EUR;01/02/2027;;", vec!["2 G Effective date date_ambiguous"]),
        ("43405;;;;0.05;EUR;2027-02-01;2027-01-01;", vec!["2 H Cease cease_before_effective"]),
        ("43405;;;;0.05;EUR;;;Silver", vec!["2 I Class traffic_class_unknown"]),
        ("43405;;;\u{fffd}cell;0.05;EUR;;;", vec!["2 D Network text_garbled"]),
        ("Total;;;;12.50;;;;", vec!["2  totals_row"]),
        ("MCCMNC;MCC;MNC;Network;Price;Currency;Effective date;Cease;Class", vec!["2  repeated_header"]),
        ("All prices without VAT;;;;;;;;", vec!["2  note"]),
        // All that is wrong, not the first only.
        (
            ";43;05;;x;Euro;soon;;",
            vec![
                "2 B MCC mcc_invalid",
                "2 E Price price_not_a_number",
                "2 F Currency currency_invalid",
                "2 G Effective date date_invalid",
            ],
        ),
    ];
    for (cells, expected) in rows {
        assert_eq!(row(cells), (Vec::new(), expected.into_iter().map(str::to_owned).collect()), "{cells}");
    }
    assert_eq!(row(";434;005;;0.05;EUR;;;").1, ["2 C MNC mnc_padded"]);
    assert_eq!(row("434005;;;;0.05;EUR;;;").1, ["2 A MCCMNC mnc_padded"]);
    assert_eq!(row(";404;001;;0.05;EUR;;;").0, ["2 404001 0.05 EUR"]);
    let two = Mapping { mnc_digits: Some(2), currency: Some("EUR".to_owned()), ..Mapping::default() };
    assert_eq!(told(&read("MCC;MNC;Price\n434;005;0.05\n", &two)).0, ["2 43405 0.05 EUR"]);
    let (offers, faults) = told(&read("MCC,MNC,Price\n434,04,0.05\n434,05,0,045\n", &two));
    assert_eq!((offers, faults), (vec!["2 43404 0.05 EUR".to_owned()], vec!["3 D too_many_cells".to_owned()]));
    let long = format!("43405;;;{};0.05;EUR;;;", "x".repeat(CELL_CHARS_MAX + 1));
    assert_eq!(row(&long).1, ["2 D Network cell_too_long"]);
}

#[test]
fn rows_that_contradict_are_all_refused_and_duplicates_lose_nothing() {
    let text = "MCCMNC,Price,Currency\n43405,0.05,EUR\n43404,0.04,EUR\n43405,0.06,EUR\n43404,0.04,EUR\n";
    let (offers, faults) = told(&read(text, &Mapping::default()));
    assert_eq!(offers, ["3 43404 0.04 EUR"]);
    assert_eq!(faults, ["2  rows_contradict", "4  rows_contradict", "5  duplicate_row"]);
    // A row is refused with all networks that it lists, and leaves another row's word alone.
    let text = "MCC;MNC;Price;Currency\n434;04,05;0.05;EUR\n434;05;0.06;EUR\n434;04;0.05;EUR\n";
    let (offers, faults) = told(&read(text, &Mapping::default()));
    assert_eq!(offers, ["4 43404 0.05 EUR"]);
    assert_eq!(faults, ["2  rows_contradict", "3  rows_contradict"]);
}

#[test]
fn headers_are_found_where_suppliers_put_them() {
    let rows = [
        "Rate sheet of 2026\n\nMCC,MNC,Price (EUR)\n434,05,0.05\n",
        // Merged cells: what belongs together stands in two rows.
        "Destination,,Rate,\nMCC,MNC,EUR,Valid from\n434,05,0.05,2027-01-01\n",
        "Country;Operator;MCC/MNC;New rate;CCY\nUzbekistan;Ucell;434/05;0.05;EUR\n",
        "mobile country code\tmobile network code\tcost\tcurrency\n434\t05\t0.05\tEUR\n",
        // Beside an old price the new one counts.
        "MCCMNC;Price;New price;Currency\n43405;0.04;0.05;EUR\n",
        "MCCMNC;Rate (USD);New rate (EUR)\n43405;0.04;0.05\n",
        "MCCMNC;Price (USD);Price;New cost (EUR)\n43405;0.04;0.04;0.05\n",
    ];
    for text in rows {
        let read = read(text, &Mapping::default());
        assert_eq!(read.offers.len(), 1, "{text}: {:?}", read.faults);
        assert_eq!((read.offers[0].network.to_string(), read.offers[0].price.get()), ("43405".to_owned(), 50_000));
        assert_eq!(read.offers[0].currency.code(), "EUR");
    }
}

#[test]
fn a_mapping_names_columns_by_heading_or_letter() {
    let columns = |mcc: &str, price: &str| crate::Columns {
        mccmnc: Some(mcc.to_owned()),
        price: Some(price.to_owned()),
        ..crate::Columns::default()
    };
    let mapping =
        |header_row, columns| Mapping { header_row, columns, currency: Some("EUR".to_owned()), ..Mapping::default() };
    let text = "Code,Old,Tariff\n43405,0.05,0.06\n";
    for mapping in [
        mapping(None, columns("code", "Tariff")),
        mapping(Some(1), columns("A", "C")),
        mapping(Some(1), columns("Code", "c")),
    ] {
        assert_eq!(told(&read(text, &mapping)).0, ["2 43405 0.06 EUR"], "{mapping:?}");
    }
    let bare = mapping(Some(0), columns("A", "C"));
    assert_eq!(told(&read("43405,0.05,0.06\n", &bare)).0, ["1 43405 0.06 EUR"]);
    assert!(bare.faults().is_empty());
    assert_eq!(mapping(Some(0), columns("Code", "C")).faults()[0].pointer, "/columns");
    let grid = Grid::read(text.as_bytes(), None, None).unwrap();
    let missing = parse(&grid, &mapping(None, columns("Code", "Price")), &known).unwrap_err();
    assert_eq!(
        (missing.field, missing.detail.as_str()),
        ("price", "no heading Price; the headings are Code, Old, Tariff")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever strangers send: an answer, and never a panic; every row is a rate or has a fault.
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        if let Ok(grid) = Grid::read(&bytes, None, None) {
            let _ = parse(&grid, &Mapping::default(), &known);
        }
    }

    #[test]
    fn any_text_under_a_header_is_rate_or_fault(
        lines in proptest::collection::vec("[-0-9a-zA-Z.,;*€/'\" \u{a0}\u{fffd}]{0,40}", 0..30),
        comma in any::<bool>(),
    ) {
        let decimal = if comma { crate::Decimal::Comma } else { crate::Decimal::Point };
        let mapping = Mapping { decimal, ..Mapping::default() };
        let text = format!("MCC;MNC;Price;Currency;Effective\n{}\n", lines.join("\n"));
        let grid = Grid::read(text.as_bytes(), None, Some(';')).unwrap();
        let read = parse(&grid, &mapping, &known).unwrap();
        let mut answered: Vec<u32> = read.offers.iter().map(|o| o.row).chain(read.faults.iter().map(|f| f.row)).collect();
        answered.sort_unstable();
        answered.dedup();
        let rows: Vec<u32> = grid.rows.iter().skip(1).map(|row| row.number).collect();
        prop_assert_eq!(answered, rows);
    }

    /// A workbook with any byte changed is answered, too.
    #[test]
    fn a_broken_workbook_is_answered(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut bytes = workbook().to_vec();
        let place = at.index(bytes.len());
        bytes[place] = byte;
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            if let Ok(grid) = Grid::read(bytes, None, None) {
                let _ = parse(&grid, &Mapping::default(), &known);
            }
        }
    }
}

fn workbook() -> &'static [u8] {
    static BYTES: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    BYTES.get_or_init(|| {
        let mut book = rust_xlsxwriter::Workbook::new();
        let sheet = book.add_worksheet();
        for (column, name) in (0..).zip(["MCC", "MNC", "Price", "Currency"]) {
            sheet.write(0, column, name).unwrap();
        }
        sheet.write(1, 0, 434).unwrap();
        sheet.write(1, 2, 0.05).unwrap();
        sheet.write(1, 3, "EUR").unwrap();
        book.save_to_buffer().unwrap()
    })
}

#[test]
fn a_mapping_is_saved_as_json_and_misspelt_names_are_refused() {
    let saved = r#"{"columns": {"mccmnc": "Code", "price": "C"}, "decimal": "comma", "rounding": "up", "price_unit": "cents",
        "thousands": "point", "traffic_classes": {"Premium": "otp"}}"#;
    let mapping: Mapping = serde_json::from_str(saved).unwrap();
    assert!(mapping.faults().is_empty());
    let again: Mapping = serde_json::from_value(serde_json::to_value(&mapping).unwrap()).unwrap();
    assert_eq!(again, mapping);
    for wrong in [r#"{"colums": {}}"#, r#"{"columns": {"prize": "C"}}"#, r#"{"decimal": "dot"}"#] {
        assert!(serde_json::from_str::<Mapping>(wrong).is_err(), "{wrong}");
    }
}
