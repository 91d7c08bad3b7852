//! What is wrong with a row, by name.

/// Why a row, or a cell of it, is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// No MCC, and no joint code.
    MccMissing,
    /// Not three digits.
    MccInvalid,
    /// Not two or three digits, and no word for all networks.
    MncInvalid,
    /// A spreadsheet took its leading zeros: more than one code fits.
    MncLostZero,
    /// Three digits that no network has, where the last two are one's: a zero too many.
    MncPadded,
    /// A joint code that is not five or six digits, or a country's three.
    MccmncInvalid,
    /// The joint code and the two single ones say different things.
    CodesDiffer,
    /// A code with a fraction or an exponent: a spreadsheet made it a number.
    CodeIsDecimal,
    /// No price.
    PriceMissing,
    /// A price that is no decimal number.
    PriceNotANumber,
    /// A comma where the mapping says point, or the other way round: it may be a thousandth or a thousand.
    PriceAmbiguous,
    /// Below zero.
    PriceNegative,
    /// More than six digits behind the point, and the mapping does not say how to round.
    PriceTooPrecise,
    /// Above a million of the major unit.
    PriceTooLarge,
    /// No currency in the row, and none in the mapping.
    CurrencyMissing,
    /// Not three letters.
    CurrencyInvalid,
    /// The price says another currency than its column.
    CurrencyDiffers,
    /// No date of a known form.
    DateInvalid,
    /// Day and month can be meant either way.
    DateAmbiguous,
    /// It ends before it begins.
    CeaseBeforeEffective,
    /// A class that the mapping does not know.
    TrafficClassUnknown,
    /// A formula that failed.
    CellError,
    /// Characters that no file of this encoding has: it was saved wrongly once.
    TextGarbled,
    /// Longer than any value.
    CellTooLong,
    /// More cells than the header has columns, as a decimal comma makes them where commas separate cells.
    TooManyCells,
    /// Another row says another price for the same network and date.
    RowsContradict,
    /// Another row says the same. Nothing is lost.
    DuplicateRow,
    /// A sum. Nothing is lost.
    TotalsRow,
    /// The header again, as printed pages have it. Nothing is lost.
    RepeatedHeader,
    /// Text without a code and without a price. Nothing is lost.
    Note,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 30] = [
        Self::MccMissing,
        Self::MccInvalid,
        Self::MncInvalid,
        Self::MncLostZero,
        Self::MncPadded,
        Self::MccmncInvalid,
        Self::CodesDiffer,
        Self::CodeIsDecimal,
        Self::PriceMissing,
        Self::PriceNotANumber,
        Self::PriceAmbiguous,
        Self::PriceNegative,
        Self::PriceTooPrecise,
        Self::PriceTooLarge,
        Self::CurrencyMissing,
        Self::CurrencyInvalid,
        Self::CurrencyDiffers,
        Self::DateInvalid,
        Self::DateAmbiguous,
        Self::CeaseBeforeEffective,
        Self::TrafficClassUnknown,
        Self::CellError,
        Self::TextGarbled,
        Self::CellTooLong,
        Self::TooManyCells,
        Self::RowsContradict,
        Self::DuplicateRow,
        Self::TotalsRow,
        Self::RepeatedHeader,
        Self::Note,
    ];

    /// The name in SQL and API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MccMissing => "mcc_missing",
            Self::MccInvalid => "mcc_invalid",
            Self::MncInvalid => "mnc_invalid",
            Self::MncLostZero => "mnc_lost_zero",
            Self::MncPadded => "mnc_padded",
            Self::MccmncInvalid => "mccmnc_invalid",
            Self::CodesDiffer => "codes_differ",
            Self::CodeIsDecimal => "code_is_decimal",
            Self::PriceMissing => "price_missing",
            Self::PriceNotANumber => "price_not_a_number",
            Self::PriceAmbiguous => "price_ambiguous",
            Self::PriceNegative => "price_negative",
            Self::PriceTooPrecise => "price_too_precise",
            Self::PriceTooLarge => "price_too_large",
            Self::CurrencyMissing => "currency_missing",
            Self::CurrencyInvalid => "currency_invalid",
            Self::CurrencyDiffers => "currency_differs",
            Self::DateInvalid => "date_invalid",
            Self::DateAmbiguous => "date_ambiguous",
            Self::CeaseBeforeEffective => "cease_before_effective",
            Self::TrafficClassUnknown => "traffic_class_unknown",
            Self::CellError => "cell_error",
            Self::TextGarbled => "text_garbled",
            Self::CellTooLong => "cell_too_long",
            Self::TooManyCells => "too_many_cells",
            Self::RowsContradict => "rows_contradict",
            Self::DuplicateRow => "duplicate_row",
            Self::TotalsRow => "totals_row",
            Self::RepeatedHeader => "repeated_header",
            Self::Note => "note",
        }
    }

    /// Nothing is lost when the row is left out.
    pub const fn is_harmless(self) -> bool {
        matches!(self, Self::DuplicateRow | Self::TotalsRow | Self::RepeatedHeader | Self::Note)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The row, as a spreadsheet or an editor numbers it.
    pub row: u32,
    /// The column: its letter and, where it has one, its heading (`C Price`); empty: the row as a whole.
    pub column: String,
    /// Why.
    pub reason: Reason,
    /// What stands in the cell, cut to 100 characters.
    pub cell: String,
    /// What else is known: the codes that fit, the row that contradicts.
    pub hint: String,
}
