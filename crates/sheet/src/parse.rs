//! Rows to rates: every row is a rate, or named with what is wrong in it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::rate_sheet::Offer;
use domain::{Currency, Network, TrafficClass};

pub use crate::network::Known;

use crate::date;
use crate::decimal::{self, Price};
use crate::fault::{Fault, Reason};
use crate::grid::{CELL_CHARS_MAX, Cell, Format, Grid, Row};
use crate::header::{self, Header, NoColumn};
use crate::mapping::Mapping;
use crate::network::{self, Refusal};

/// Characters of a cell that a fault shows.
const SHOWN_CHARS_MAX: usize = 100;
/// Characters of a network's name that are kept.
const NAME_CHARS_MAX: usize = 200;
/// Words that begin a row of sums.
const TOTALS: [&str; 7] = ["total", "subtotal", "grand total", "sum", "sub total", "summe", "итого"];

/// What a sheet says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Read {
    /// The rates, in the order of their rows. A row that lists several networks gives several.
    pub offers: Vec<Offer>,
    /// What is wrong, in the order of the rows. A row can have several faults.
    pub faults: Vec<Fault>,
    /// Rows with anything in them, below the header.
    pub rows: u32,
}

/// Reads the rates of a sheet. `known` says which networks there are.
pub fn parse(grid: &Grid, mapping: &Mapping, known: Known<'_>) -> Result<Read, NoColumn> {
    let header = header::find(grid, mapping)?;
    let width = (grid.format == Format::Csv && !header.names.is_empty()).then_some(header.names.len());
    let mut reader = Reader { header: &header, width, mapping, known, read: Read::default() };
    for row in grid.rows.iter().skip(header.data_from) {
        reader.read.rows += 1;
        reader.row(row);
    }
    let mut read = reader.read;
    refuse_contradictions(&mut read);
    read.faults.sort_by_key(|fault| fault.row);
    Ok(read)
}

struct Reader<'a> {
    header: &'a Header,
    /// Columns that a row may have, where a cut cell could make more of them.
    width: Option<usize>,
    mapping: &'a Mapping,
    known: Known<'a>,
    read: Read,
}

/// The faults of one row.
struct Faults<'a> {
    header: &'a Header,
    row: &'a Row,
    found: Vec<Fault>,
}

impl Faults<'_> {
    fn add(&mut self, column: Option<usize>, (reason, hint): Refusal) {
        let cell = column.map(|column| self.row.cell(column).shown()).unwrap_or_default();
        self.found.push(Fault {
            row: self.row.number,
            column: column.map(|column| self.header.column(column)).unwrap_or_default(),
            reason,
            cell: cell.chars().take(SHOWN_CHARS_MAX).collect(),
            hint,
        });
    }

    /// The value, or its fault noted.
    fn value<T>(&mut self, column: usize, read: Result<T, Reason>) -> Option<T> {
        read.map_err(|reason| self.add(Some(column), (reason, String::new()))).ok()
    }
}

impl Reader<'_> {
    fn row(&mut self, row: &Row) {
        let header = self.header;
        let mut faults = Faults { header, row, found: Vec::new() };
        if let Some(reason) = self.no_rate(row) {
            faults.add(None, (reason, String::new()));
            faults.found[0].cell = first_text(row).chars().take(SHOWN_CHARS_MAX).collect();
            self.read.faults.append(&mut faults.found);
            return;
        }
        spoilt(row, &mut faults);
        let beyond = self.width.and_then(|width| {
            row.cells.iter().enumerate().skip(width).find(|(_, cell)| **cell != Cell::Empty).map(|(column, _)| column)
        });
        if let Some(column) = beyond {
            faults.add(Some(column), (Reason::TooManyCells, "is a decimal comma taken for a separator?".to_owned()));
        }
        if faults.found.is_empty() {
            let offers = self.offers(row, &mut faults);
            if faults.found.is_empty() {
                self.read.offers.extend(offers);
            }
        }
        self.read.faults.append(&mut faults.found);
    }

    /// Rows that are no rates, and need not be.
    fn no_rate(&self, row: &Row) -> Option<Reason> {
        let header = self.header;
        if header.is_repeated_in(row) {
            return Some(Reason::RepeatedHeader);
        }
        let is_empty = |column: Option<usize>| column.is_none_or(|column| *row.cell(column) == Cell::Empty);
        let first = first_text(row).to_lowercase();
        let first = first.trim_end_matches([':', '.', ' ']);
        if TOTALS.contains(&first)
            && [header.mcc, header.mccmnc].into_iter().all(|column| {
                column.is_none_or(|column| !row.cell(column).shown().starts_with(|c: char| c.is_ascii_digit()))
            })
        {
            return Some(Reason::TotalsRow);
        }
        let filled = row.cells.iter().filter(|cell| **cell != Cell::Empty).count();
        let has_digits = first.starts_with(|c: char| c.is_ascii_digit());
        let is_note = filled == 1 && !has_digits && is_empty(Some(header.price)) && !is_failed(row);
        is_note.then_some(Reason::Note)
    }

    fn offers(&self, row: &Row, faults: &mut Faults<'_>) -> Vec<Offer> {
        let (header, mapping) = (self.header, self.mapping);
        let networks = self.networks(row, faults);
        let price = self.price(row, faults);
        let currency = self.currency(row, price, faults);
        let mut moment = |column: Option<usize>| {
            let column = column?;
            faults.value(column, date::date(row.cell(column), mapping)).flatten()
        };
        let (from, to) = (moment(header.effective), moment(header.cease));
        if let (Some(from), Some(to)) = (from, to)
            && to <= from
        {
            faults.add(header.cease, (Reason::CeaseBeforeEffective, String::new()));
        }
        let traffic_class = self.traffic_class(row, faults);
        let (Some(networks), Some(price), Some(currency)) = (networks, price, currency) else { return Vec::new() };
        let name = self.name(row);
        let offer = |network| Offer {
            row: row.number,
            network,
            name: name.clone(),
            traffic_class,
            price: price.amount,
            is_rounded: price.is_rounded,
            currency,
            from,
            to,
        };
        networks.into_iter().map(offer).collect()
    }

    fn networks(&self, row: &Row, faults: &mut Faults<'_>) -> Option<Vec<Network>> {
        let (header, digits) = (self.header, self.mapping.mnc_digits);
        let text = |column: Option<usize>, faults: &mut Faults<'_>| match column {
            Some(column) => faults.value(column, network::code(row.cell(column))),
            None => Some(None),
        };
        let (joint, mcc, mnc) = (text(header.mccmnc, faults), text(header.mcc, faults), text(header.mnc, faults));
        let (joint, mcc, mnc) = (joint?, mcc?, mnc?);
        let joint = joint.map(|text| network::of_joint(text, self.known, digits));
        let pair = mcc.map(|mcc| network::of_two(mcc, mnc, self.known, digits));
        match (joint, pair) {
            (None, None) => {
                faults.add(header.mcc.or(header.mccmnc), (Reason::MccMissing, String::new()));
                None
            }
            (Some(read), None) => read.map_err(|refusal| faults.add(header.mccmnc, refusal)).ok(),
            (None, Some(read)) => {
                let column = |reason| if reason == Reason::MccInvalid { header.mcc } else { header.mnc };
                read.map_err(|refusal| faults.add(column(refusal.0), refusal)).ok()
            }
            (Some(Ok(joint)), Some(Ok(pair))) if joint == pair => Some(joint),
            // The joint code loses no zeros where it is text; a pair that says only the country adds nothing.
            (Some(Ok(joint)), Some(Ok(pair))) if pair.iter().all(|one| joint.iter().all(|j| j.country() == *one)) => {
                Some(joint)
            }
            (Some(Ok(joint)), Some(Err((Reason::MncLostZero | Reason::MncPadded, _)))) => Some(joint),
            (Some(Err((Reason::MncLostZero | Reason::MncPadded, _))), Some(Ok(pair))) => Some(pair),
            (Some(Err(refusal)), Some(_)) => {
                faults.add(header.mccmnc, refusal);
                None
            }
            (Some(Ok(_)), Some(_)) => {
                faults.add(header.mccmnc, (Reason::CodesDiffer, String::new()));
                None
            }
        }
    }

    fn price(&self, row: &Row, faults: &mut Faults<'_>) -> Option<Price> {
        let column = self.header.price;
        let read = match row.cell(column) {
            Cell::Empty => Err(Reason::PriceMissing),
            Cell::Error(_) => Err(Reason::CellError),
            Cell::Date(_) => Err(Reason::PriceNotANumber),
            Cell::Number(text) => decimal::price(text, true, self.mapping),
            Cell::Text(text) => decimal::price(text, false, self.mapping),
        };
        faults.value(column, read)
    }

    fn currency(&self, row: &Row, price: Option<Price>, faults: &mut Faults<'_>) -> Option<Currency> {
        let header = self.header;
        let own = match header.currency.map(|column| (column, row.cell(column))) {
            None | Some((_, Cell::Empty)) => None,
            Some((column, Cell::Text(text))) => {
                let read = text.to_uppercase().parse().map_err(|_| Reason::CurrencyInvalid);
                Some(faults.value(column, read)?)
            }
            Some((column, cell)) => {
                let failed = matches!(cell, Cell::Error(_));
                let reason = if failed { Reason::CellError } else { Reason::CurrencyInvalid };
                faults.add(Some(column), (reason, String::new()));
                return None;
            }
        };
        let own = own.or(header.price_currency);
        let in_price = price.and_then(|price| price.currency);
        match (own, in_price) {
            (Some(own), Some(other)) if own != other => {
                faults.add(Some(header.price), (Reason::CurrencyDiffers, format!("the column says {own}")));
                None
            }
            (None, None) => {
                let default = self.mapping.default_currency();
                if default.is_none() {
                    faults.add(Some(header.currency.unwrap_or(header.price)), (Reason::CurrencyMissing, String::new()));
                }
                default
            }
            (own, other) => own.or(other),
        }
    }

    fn traffic_class(&self, row: &Row, faults: &mut Faults<'_>) -> Option<TrafficClass> {
        let column = self.header.traffic_class?;
        let text = row.cell(column).shown().to_lowercase();
        let known = self.mapping.traffic_classes.iter().find(|(word, _)| word.trim().to_lowercase() == text);
        match known {
            _ if text.is_empty() => None,
            // A word that means every class.
            Some((_, ours)) if ours.is_empty() => None,
            Some((_, ours)) => ours.parse().ok(),
            None => {
                let hint = "say in the mapping which class it is".to_owned();
                faults.add(Some(column), (Reason::TrafficClassUnknown, hint));
                None
            }
        }
    }

    fn name(&self, row: &Row) -> String {
        let parts =
            [self.header.country, self.header.network].into_iter().flatten().map(|column| row.cell(column).shown());
        let joined = parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        joined.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect()
    }
}

fn first_text(row: &Row) -> String {
    row.cells.iter().find(|cell| **cell != Cell::Empty).map(Cell::shown).unwrap_or_default()
}

fn is_failed(row: &Row) -> bool {
    row.cells.iter().any(|cell| matches!(cell, Cell::Error(_)))
}

/// Cells that no mapping can read.
fn spoilt(row: &Row, faults: &mut Faults<'_>) {
    for (column, cell) in row.cells.iter().enumerate() {
        let Cell::Text(text) = cell else { continue };
        if text.chars().count() > CELL_CHARS_MAX {
            faults.add(Some(column), (Reason::CellTooLong, String::new()));
        } else if text.contains(['\u{fffd}', '\u{1}', '\u{2}', '\u{3}', '\u{7f}']) {
            faults.add(Some(column), (Reason::TextGarbled, String::new()));
        }
    }
}

type Key = (Network, Option<TrafficClass>, Option<DateTime<Utc>>);

/// Rows that say another price for the same network, class and date are all refused, with everything they say: nobody knows
/// what is meant. Of the others, those that say the same are duplicates.
fn refuse_contradictions(read: &mut Read) {
    let said = |offer: &Offer| (offer.price, offer.currency, offer.to);
    let mut contradict: BTreeMap<u32, (usize, u32)> = BTreeMap::new();
    for group in alike(&read.offers) {
        let first = group[0];
        if group.iter().any(|at| said(&read.offers[*at]) != said(&read.offers[first])) {
            let other = |at: usize| read.offers[if at == first { group[1] } else { first }].row;
            for at in &group {
                contradict.entry(read.offers[*at].row).or_insert((*at, other(*at)));
            }
        }
    }
    for (at, other) in contradict.values() {
        let fault = fault(&read.offers[*at], Reason::RowsContradict, *other);
        read.faults.push(fault);
    }
    read.offers.retain(|offer| !contradict.contains_key(&offer.row));
    let mut twice: Vec<(usize, u32)> = Vec::new();
    for group in alike(&read.offers) {
        twice.extend(group[1..].iter().map(|at| (*at, read.offers[group[0]].row)));
    }
    twice.sort_unstable();
    for (at, other) in twice.into_iter().rev() {
        let offer = read.offers.remove(at);
        read.faults.push(fault(&offer, Reason::DuplicateRow, other));
    }
}

/// Which offers are for the same network, class and date, where there are several; the first rows first.
fn alike(offers: &[Offer]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    for (at, offer) in offers.iter().enumerate() {
        groups.entry((offer.network, offer.traffic_class, offer.from)).or_default().push(at);
    }
    groups.into_values().filter(|group| group.len() > 1).collect()
}

fn fault(offer: &Offer, reason: Reason, other: u32) -> Fault {
    let hint = format!("row {other} is for the same network and date");
    let cell = format!("{} {} {}", offer.network, offer.price, offer.currency);
    Fault { row: offer.row, column: String::new(), reason, cell, hint }
}

#[cfg(test)]
mod tests;
