//! Which column is which: by the mapping, and by the headings that suppliers use.

use domain::Currency;

use crate::grid::{COLUMNS_MAX, Cell, Grid, Row};
use crate::mapping::Mapping;

/// Rows that are looked at to find the headings.
const ROWS_LOOKED_AT: usize = 50;

/// A column that must be there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no column for {field}: {detail}")]
pub struct NoColumn {
    /// The name in [`crate::Columns`].
    pub field: &'static str,
    /// What was looked for, and what is there.
    pub detail: String,
}

/// Where things stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Header {
    /// Headings of all columns, as they stand there.
    pub(crate) names: Vec<String>,
    /// Index into the rows of the first row with data.
    pub(crate) data_from: usize,
    pub(crate) mcc: Option<usize>,
    pub(crate) mnc: Option<usize>,
    pub(crate) mccmnc: Option<usize>,
    pub(crate) country: Option<usize>,
    pub(crate) network: Option<usize>,
    pub(crate) price: usize,
    /// The currency in the heading of the price: `Price (EUR)`.
    pub(crate) price_currency: Option<Currency>,
    pub(crate) currency: Option<usize>,
    pub(crate) effective: Option<usize>,
    pub(crate) cease: Option<usize>,
    pub(crate) traffic_class: Option<usize>,
}

const MCC: &[&str] = &["mcc", "mobilecountrycode"];
const MNC: &[&str] = &["mnc", "mobilenetworkcode"];
const MCCMNC: &[&str] = &["mccmnc", "plmn", "imsi", "e212", "networkcode", "imsiprefix"];
const COUNTRY: &[&str] = &["country", "countryname", "destination", "destinationcountry"];
const NETWORK: &[&str] = &["network", "networkname", "operator", "operatorname", "carrier", "mobilenetwork"];
/// Beside an old price the new one counts.
const NEW_PRICE: &[&str] = &["newprice", "newrate", "newcost"];
const PRICE: &[&str] = &["price", "rate", "cost", "pricesubmit", "pricepersms", "smsprice", "unitprice"];
const CURRENCY: &[&str] = &["currency", "ccy", "curr", "cur", "currencycode"];
const EFFECTIVE: &[&str] = &["effective", "effectivedate", "effectivefrom", "validfrom", "startdate", "from", "date"];
const CEASE: &[&str] = &["cease", "ceasedate", "validto", "validuntil", "enddate", "effectiveto", "expires", "until"];
const TRAFFIC_CLASS: &[&str] = &["trafficclass", "traffictype", "class"];

/// Letters and digits of a heading, in lower case.
pub(crate) fn plain(heading: &str) -> String {
    heading.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The column of `A` to `CV`, from 0.
pub(crate) fn letters(name: &str) -> Option<usize> {
    let name = name.trim();
    if name.is_empty() || name.len() > 2 || !name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    let value = name.bytes().fold(0, |value, byte| value * 26 + usize::from(byte.to_ascii_uppercase() - b'A') + 1);
    Some(value - 1).filter(|column| *column < COLUMNS_MAX)
}

/// The letters of a column.
pub(crate) fn letter(column: usize) -> String {
    let digit = |n: usize| char::from(b'A' + u8::try_from(n % 26).unwrap_or(0));
    if column < 26 { digit(column).to_string() } else { format!("{}{}", digit(column / 26 - 1), digit(column)) }
}

/// Finds the columns of a sheet.
pub(crate) fn find(grid: &Grid, mapping: &Mapping) -> Result<Header, NoColumn> {
    match mapping.header_row {
        Some(0) => resolve(&[], 0, mapping).map_err(|(fault, _)| fault),
        Some(number) => {
            let at = grid.rows.iter().position(|row| row.number == number);
            let missing = || NoColumn { field: "header_row", detail: format!("row {number} is empty or not there") };
            let at = at.ok_or_else(missing)?;
            resolve(&[&grid.rows[at]], at + 1, mapping).map_err(|(fault, _)| fault)
        }
        None => search(grid, mapping),
    }
}

/// The first row that has what a header needs; else the first two that have it together (merged cells).
fn search(grid: &Grid, mapping: &Mapping) -> Result<Header, NoColumn> {
    let head = &grid.rows[..grid.rows.len().min(ROWS_LOOKED_AT)];
    let single = head.iter().enumerate().map(|(at, row)| resolve(&[row], at + 1, mapping));
    let double = head.windows(2).enumerate().map(|(at, rows)| resolve(&[&rows[0], &rows[1]], at + 2, mapping));
    let mut first_fault = None;
    let mut best = 0;
    for found in single.chain(double) {
        match found {
            Ok(header) => return Ok(header),
            // The row that looks most like a header says best what is missing.
            Err((fault, found)) if first_fault.is_none() || found > best => {
                (first_fault, best) = (Some(fault), found);
            }
            Err(_) => {}
        }
    }
    let empty = || NoColumn { field: "price", detail: "the sheet is empty".to_owned() };
    Err(first_fault.unwrap_or_else(empty))
}

/// Headings of one column: as they stand in each header row, and joined.
struct Heading {
    shown: String,
    plain: Vec<String>,
}

fn headings(rows: &[&Row]) -> Vec<Heading> {
    let width = rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
    let heading = |column: usize| {
        let texts: Vec<String> =
            rows.iter().map(|row| row.cell(column).shown()).filter(|text| !text.is_empty()).collect();
        let mut plain: Vec<String> = texts.iter().rev().map(|text| self::plain(text)).collect();
        plain.push(self::plain(&texts.concat()));
        Heading { shown: texts.join(" "), plain }
    };
    (0..width).map(heading).collect()
}

/// Reads `rows` as a header; else what is missing, and how many columns were found.
fn resolve(rows: &[&Row], data_from: usize, mapping: &Mapping) -> Result<Header, (NoColumn, usize)> {
    // A row with a number in it is data.
    let is_data = rows.iter().any(|row| row.cells.iter().any(|cell| matches!(cell, Cell::Number(_) | Cell::Date(_))));
    let headings = if is_data && mapping.header_row.is_none() { Vec::new() } else { headings(rows) };
    let mut find = Finder { headings: &headings, missing: None, found: 0 };
    let columns = &mapping.columns;
    let mccmnc = find.column("mccmnc", columns.mccmnc.as_deref(), MCCMNC);
    let mcc = find.column("mcc", columns.mcc.as_deref(), MCC);
    let mnc = find.column("mnc", columns.mnc.as_deref(), MNC);
    let priced = find.price(columns.price.as_deref());
    let header = Header {
        data_from,
        mcc,
        mnc,
        mccmnc,
        price: priced.map_or(0, |(column, _)| column),
        price_currency: priced.and_then(|(_, currency)| currency),
        country: find.column("country", columns.country.as_deref(), COUNTRY),
        network: find.column("network", columns.network.as_deref(), NETWORK),
        currency: find.column("currency", columns.currency.as_deref(), CURRENCY),
        effective: find.column("effective", columns.effective.as_deref(), EFFECTIVE),
        cease: find.column("cease", columns.cease.as_deref(), CEASE),
        traffic_class: find.column("traffic_class", columns.traffic_class.as_deref(), TRAFFIC_CLASS),
        names: headings.iter().map(|heading| heading.shown.clone()).collect(),
    };
    if mcc.is_none() && mccmnc.is_none() {
        find.miss("mcc", "no heading such as MCC or MCCMNC");
    }
    if priced.is_none() {
        find.miss("price", "no heading such as Price or Rate");
    }
    let (missing, found) = (find.missing, find.found);
    missing.map_or(Ok(header), |(field, looked_for)| {
        let there: Vec<&str> = headings.iter().map(|heading| heading.shown.as_str()).collect();
        let detail = format!("{looked_for}; the headings are {:.500}", there.join(", "));
        Err((NoColumn { field, detail }, found))
    })
}

struct Finder<'a> {
    headings: &'a [Heading],
    missing: Option<(&'static str, String)>,
    found: usize,
}

impl Finder<'_> {
    fn miss(&mut self, field: &'static str, looked_for: impl Into<String>) {
        self.missing.get_or_insert((field, looked_for.into()));
    }

    fn named(&self, plain: &str) -> Option<usize> {
        // The heading itself goes before one that is joined of two rows.
        let own = self.headings.iter().position(|heading| heading.plain.first().is_some_and(|name| name == plain));
        own.or_else(|| self.headings.iter().position(|heading| heading.plain.iter().any(|name| name == plain)))
    }

    fn column(&mut self, field: &'static str, wanted: Option<&str>, usual: &[&str]) -> Option<usize> {
        let column = match wanted {
            Some(wanted) => {
                let column = self.named(&plain(wanted)).or_else(|| letters(wanted));
                if column.is_none() {
                    self.miss(field, format!("no heading {wanted:.100}"));
                }
                column
            }
            None => usual.iter().find_map(|name| self.named(name)),
        };
        self.found += usize::from(column.is_some());
        column
    }

    /// The column of the price, whose heading may end with its currency.
    fn price(&mut self, wanted: Option<&str>) -> Option<(usize, Option<Currency>)> {
        if wanted.is_some() {
            let column = self.column("price", wanted, PRICE)?;
            let names = [NEW_PRICE, PRICE].concat();
            return Some((column, self.headings.get(column).and_then(|heading| currency_in(heading, &names))));
        }
        let found = [NEW_PRICE, PRICE].into_iter().find_map(|names| {
            let plain = names.iter().find_map(|name| self.named(name));
            let with_currency = |(column, heading)| Some((column, Some(currency_in(heading, names)?)));
            let plain = plain.map(|column| (column, currency_in(&self.headings[column], names)));
            plain.or_else(|| self.headings.iter().enumerate().find_map(with_currency))
        });
        self.found += usize::from(found.is_some());
        found
    }
}

/// The currency behind one of these names: `Price (EUR)`.
fn currency_in(heading: &Heading, names: &[&str]) -> Option<Currency> {
    let tail = |plain: &String| {
        names.iter().find_map(|name| plain.strip_prefix(name)?.to_uppercase().parse::<Currency>().ok())
    };
    heading.plain.iter().find_map(tail)
}

impl Header {
    /// How a fault names a column.
    pub(crate) fn column(&self, column: usize) -> String {
        let name = self.names.get(column).map(String::as_str).unwrap_or_default();
        format!("{} {name:.100}", letter(column)).trim_end().to_owned()
    }

    /// Is it the header again?
    pub(crate) fn is_repeated_in(&self, row: &Row) -> bool {
        let mut alike = 0;
        for (column, cell) in row.cells.iter().enumerate().filter(|(_, cell)| **cell != Cell::Empty) {
            let name = self.names.get(column).map(|name| plain(name)).unwrap_or_default();
            if name.is_empty() || name != plain(&cell.shown()) {
                return false;
            }
            alike += 1;
        }
        alike >= 2
    }
}
