use super::*;

fn read(text: &str, mapping: &Mapping) -> Result<Option<String>, Reason> {
    let cell = Cell::text(text);
    date(&cell, mapping).map(|at| at.map(|at| at.format("%Y-%m-%d %H:%M").to_string()))
}

type Expected = Result<Option<&'static str>, Reason>;

#[test]
fn dates_are_read_or_refused() {
    let usual = Mapping::default();
    let american = Mapping { date_formats: vec!["mm/dd/yyyy".to_owned()], ..Mapping::default() };
    let short =
        Mapping { date_formats: vec!["dd/mm/yy hh:mi".to_owned(), "d mmm yy".to_owned()], ..Mapping::default() };
    let east = Mapping { utc_offset_minutes: 120, ..Mapping::default() };
    let rows: [(&Mapping, &str, Expected); 28] = [
        (&usual, "", Ok(None)),
        (&usual, "Immediate", Ok(None)),
        (&usual, "2026-12-01", Ok(Some("2026-12-01 00:00"))),
        (&usual, "2026-12-01 13:30", Ok(Some("2026-12-01 13:30"))),
        (&usual, "2026-12-01T13:30:00Z", Ok(Some("2026-12-01 13:30"))),
        (&usual, "2026/12/01", Ok(Some("2026-12-01 00:00"))),
        (&usual, "20261201", Ok(Some("2026-12-01 00:00"))),
        (&usual, "01.12.2026", Ok(Some("2026-12-01 00:00"))),
        (&usual, "01.12.2026 08:00", Ok(Some("2026-12-01 08:00"))),
        (&usual, "1-Dec-2026", Ok(Some("2026-12-01 00:00"))),
        (&usual, "01-DEC-26", Ok(Some("2026-12-01 00:00"))),
        (&usual, "1 December 2026", Ok(Some("2026-12-01 00:00"))),
        (&usual, "Dec 1, 2026", Ok(Some("2026-12-01 00:00"))),
        (&usual, "31/12/2026", Ok(Some("2026-12-31 00:00"))),
        (&usual, "12/31/2026", Ok(Some("2026-12-31 00:00"))),
        (&usual, "12/12/2026", Ok(Some("2026-12-12 00:00"))),
        (&usual, "01/02/2026", Err(Reason::DateAmbiguous)),
        (&usual, "31-12-2026", Ok(Some("2026-12-31 00:00"))),
        (&usual, "01/12/26", Err(Reason::DateInvalid)),
        (&usual, "2026-13-01", Err(Reason::DateInvalid)),
        (&usual, "0026-12-01", Err(Reason::DateInvalid)),
        (&usual, "soon", Err(Reason::DateInvalid)),
        (&american, "01/02/2026", Ok(Some("2026-01-02 00:00"))),
        (&short, "01/02/26 10:15", Ok(Some("2026-02-01 10:15"))),
        (&short, "1 Feb 26", Ok(Some("2026-02-01 00:00"))),
        (&east, "2026-12-01", Ok(Some("2026-11-30 22:00"))),
        (&east, "2026-12-01T00:00:00Z", Ok(Some("2026-12-01 00:00"))),
        (&east, "1999-12-01T00:00:00+03:00", Err(Reason::DateInvalid)),
    ];
    for (mapping, text, expected) in rows {
        assert_eq!(read(text, mapping), expected.map(|at| at.map(str::to_owned)), "{text}");
    }
    let serial = date(&Cell::Number("46357".to_owned()), &usual).unwrap().unwrap();
    assert_eq!(serial.format("%Y-%m-%d").to_string(), "2026-12-01", "a date that lost its format");
}

#[test]
fn formats_name_day_month_and_year_once() {
    for (format, good) in [
        ("dd/mm/yyyy", true),
        ("d mmm yy hh:mi", true),
        ("yyyy-mm-dd", true),
        ("mm/yyyy", false),
        ("dd dd mm yy", false),
        ("", false),
    ] {
        assert_eq!(is_format(format), good, "{format}");
    }
}
