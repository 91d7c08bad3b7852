//! How a supplier writes its sheets: saved once, used for every sheet.

use std::collections::BTreeMap;

use domain::{Currency, TrafficClass};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Date formats of a mapping at most.
const FORMATS_MAX: usize = 10;
/// Entries of the table of traffic classes at most.
const CLASSES_MAX: usize = 50;
/// Characters of a name in a mapping at most.
const NAME_CHARS_MAX: usize = 100;

/// Where things stand in a sheet and what they mean. What is not said is found by the usual headings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RateSheetMapping)]
pub struct Mapping {
    /// The name of the sheet in a workbook; the first when nothing is said.
    pub sheet: Option<String>,
    /// What stands between the cells of a CSV; found out when nothing is said.
    pub separator: Option<String>,
    /// The row with the headings, from 1; 0: there is none and columns are named by letters; found when nothing is said.
    pub header_row: Option<u32>,
    /// Which column is which.
    #[schema(inline)]
    pub columns: Columns,
    /// In what prices are written.
    #[schema(inline)]
    pub price_unit: PriceUnit,
    /// What stands between whole and fraction.
    #[schema(inline)]
    pub decimal: Decimal,
    /// What groups digits by three; without it a lone group (`1,234`) is refused as ambiguous.
    #[schema(inline)]
    pub thousands: Option<Thousands>,
    /// What becomes of prices with more than six digits behind the point.
    #[schema(inline)]
    pub rounding: Rounding,
    /// The currency of rows that say none.
    #[schema(example = "EUR")]
    pub currency: Option<String>,
    /// How dates are written, such as `dd/mm/yyyy`, `mm/dd/yy` or `d mmm yyyy hh:mi`; tried in order before the usual ones.
    pub date_formats: Vec<String>,
    /// Minutes that the supplier's clock is ahead of UTC; 0 when nothing is said.
    #[schema(example = 120)]
    pub utc_offset_minutes: i32,
    /// How many digits an MNC has that a spreadsheet took the zeros of: 2 or 3; where the networks that are known do not
    /// say.
    pub mnc_digits: Option<u8>,
    /// Our traffic class for each of the supplier's words; an empty one: for all traffic.
    #[schema(value_type = Object, additional_properties)]
    pub traffic_classes: BTreeMap<String, String>,
}

/// Columns, each by its heading or its letter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RateSheetColumns)]
pub struct Columns {
    /// Mobile country code.
    #[schema(example = "MCC")]
    pub mcc: Option<String>,
    /// Mobile network code; nothing, `all` and `*` mean the country's default.
    #[schema(example = "MNC")]
    pub mnc: Option<String>,
    /// Both in one.
    pub mccmnc: Option<String>,
    /// The name of the country.
    pub country: Option<String>,
    /// The name of the network.
    pub network: Option<String>,
    /// The price of a segment.
    #[schema(example = "C")]
    pub price: Option<String>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// From when it holds.
    pub effective: Option<String>,
    /// Until when.
    pub cease: Option<String>,
    /// The class of traffic.
    pub traffic_class: Option<String>,
}

/// In what prices are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PriceUnit {
    /// Euros.
    #[default]
    Major,
    /// Cents: a hundredth.
    Cents,
    /// Thousandths, or the price of a thousand segments.
    Thousandths,
}

impl PriceUnit {
    /// By how many places the point moves.
    pub(crate) const fn places(self) -> usize {
        match self {
            Self::Major => 0,
            Self::Cents => 2,
            Self::Thousandths => 3,
        }
    }
}

/// What stands between whole and fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decimal {
    /// `0.0045`
    #[default]
    Point,
    /// `0,0045`
    Comma,
}

impl Decimal {
    pub(crate) const fn character(self) -> char {
        match self {
            Self::Point => '.',
            Self::Comma => ',',
        }
    }
}

/// What groups digits by three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Thousands {
    /// `1,234`
    Comma,
    /// `1.234`
    Point,
    /// `1 234`, with any kind of space
    Space,
    /// `1'234`
    Apostrophe,
}

impl Thousands {
    pub(crate) const fn character(self) -> char {
        match self {
            Self::Comma => ',',
            Self::Point => '.',
            Self::Space => ' ',
            Self::Apostrophe => '\'',
        }
    }
}

/// What becomes of a price with more than six digits behind the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// The row is refused.
    #[default]
    Refuse,
    /// To the nearest millionth, a half to the even one.
    HalfEven,
    /// To the next millionth up: never below what is paid.
    Up,
}

/// What is wrong with a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingFault {
    /// JSON pointer inside the mapping.
    pub pointer: &'static str,
    /// What to do.
    pub detail: &'static str,
}

impl Mapping {
    /// The default currency, where it is one.
    pub(crate) fn default_currency(&self) -> Option<Currency> {
        self.currency.as_deref()?.parse().ok()
    }

    /// The separator as a character.
    pub fn separator(&self) -> Option<char> {
        self.separator.as_deref().and_then(|text| if text == "tab" { Some('\t') } else { text.chars().next() })
    }

    /// Everything that is wrong with it.
    pub fn faults(&self) -> Vec<MappingFault> {
        let mut faults = Vec::new();
        let mut that = |good: bool, pointer, detail| {
            if !good {
                faults.push(MappingFault { pointer, detail });
            }
        };
        let one = |text: &str| text == "tab" || text.len() == 1 && text.is_ascii() && !text.contains(['"', '\n', '\r']);
        that(self.separator.as_deref().is_none_or(one), "/separator", "expected one character, or tab");
        let currency = self.currency.is_none() || self.default_currency().is_some();
        that(currency, "/currency", "expected a currency of three letters (ISO 4217)");
        that(self.date_formats.len() <= FORMATS_MAX, "/date_formats", "expected at most 10 formats");
        let formats = self.date_formats.iter().all(|format| crate::date::is_format(format));
        that(formats, "/date_formats", "expected day, month and year in each, such as dd/mm/yyyy");
        that(self.mnc_digits.is_none_or(|n| matches!(n, 2 | 3)), "/mnc_digits", "expected 2 or 3");
        let offset = (-14 * 60..=14 * 60).contains(&self.utc_offset_minutes);
        that(offset, "/utc_offset_minutes", "expected -840 to 840");
        let groups = self.thousands.is_none_or(|group| group.character() != self.decimal.character());
        that(groups, "/thousands", "expected something else than what stands before the fraction");
        that(self.traffic_classes.len() <= CLASSES_MAX, "/traffic_classes", "expected at most 50 classes");
        let class = |name: &String| name.is_empty() || name.parse::<TrafficClass>().is_ok();
        let classes = self.traffic_classes.values().all(class);
        that(classes, "/traffic_classes", "expected names of 1 to 40 of a-z, 0-9, - and _, such as otp");
        let all = self.columns.all();
        let names = all.iter().flatten().all(|name| (1..=NAME_CHARS_MAX).contains(&name.trim().chars().count()));
        that(names, "/columns", "expected headings of 1 to 100 characters, or letters");
        let letters = self.header_row != Some(0)
            || all.iter().flatten().all(|name| crate::header::letters(name).is_some())
                && self.columns.price.is_some()
                && (self.columns.mcc.is_some() || self.columns.mccmnc.is_some());
        that(letters, "/columns", "without a header row name the columns of price and network by letters");
        faults
    }
}

impl Columns {
    fn all(&self) -> [Option<&str>; 10] {
        let Self { mcc, mnc, mccmnc, country, network, price, currency, effective, cease, traffic_class } = self;
        [mcc, mnc, mccmnc, country, network, price, currency, effective, cease, traffic_class].map(Option::as_deref)
    }
}
