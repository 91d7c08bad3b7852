//! Prices as suppliers write them. Text to an exact integer; never through a float.

use domain::{Currency, Micros};

use crate::fault::Reason;
use crate::mapping::{Decimal, Mapping, Rounding, Thousands};

/// Digits of a price at most, before and behind the point.
const DIGITS_MAX: usize = 30;
/// Digits behind the point that an amount keeps.
const PLACES: usize = 6;

/// A price that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Price {
    pub(crate) amount: Micros,
    /// It had more digits than an amount keeps.
    pub(crate) is_rounded: bool,
    /// The currency that stands in the cell itself.
    pub(crate) currency: Option<Currency>,
}

/// Reads a price. `is_number`: a spreadsheet's own number, whose point is a point whatever the mapping says.
pub(crate) fn price(text: &str, is_number: bool, mapping: &Mapping) -> Result<Price, Reason> {
    let (text, currency) = without_currency(text);
    let (negative, text) = match text.strip_prefix(['-', '\u{2212}']) {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text),
    };
    let digits = if is_number { text.to_owned() } else { ungrouped(text, mapping)? };
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || whole.len() + fraction.len() == 0 {
        return Err(Reason::PriceNotANumber);
    }
    if whole.len() + fraction.len() > DIGITS_MAX {
        return Err(Reason::PriceTooLarge);
    }
    let (amount, is_rounded) = micros(whole, fraction, mapping)?;
    if amount > Micros::PRICE_MAX {
        return Err(Reason::PriceTooLarge);
    }
    if negative && amount != Micros::ZERO {
        return Err(Reason::PriceNegative);
    }
    Ok(Price { amount, is_rounded, currency })
}

/// Takes a sign or a code of a currency off either end.
fn without_currency(text: &str) -> (&str, Option<Currency>) {
    let text = text.trim();
    for (sign, code) in [("€", "EUR"), ("£", "GBP"), ("US$", "USD")] {
        if let Some(rest) = text.strip_prefix(sign).or_else(|| text.strip_suffix(sign)) {
            return (rest.trim(), code.parse().ok());
        }
    }
    // A dollar may be anybody's.
    if let Some(rest) = text.strip_prefix('$').or_else(|| text.strip_suffix('$')) {
        return (rest.trim(), None);
    }
    let head = text.get(..3).and_then(|code| Some((text.get(3..)?, code)));
    let tail = text.len().checked_sub(3).and_then(|at| Some((text.get(..at)?, text.get(at..)?)));
    for (rest, code) in [head, tail].into_iter().flatten() {
        if let Ok(currency) = code.to_ascii_uppercase().parse() {
            return (rest.trim(), Some(currency));
        }
    }
    (text, None)
}

/// The digits with a point, without what groups them.
fn ungrouped(text: &str, mapping: &Mapping) -> Result<String, Reason> {
    let is_space = |c: char| c.is_whitespace() || c == '\u{a0}' || c == '\u{202f}';
    let text: String = text
        .chars()
        .map(|c| {
            if is_space(c) {
                ' '
            } else if c == '’' {
                '\''
            } else {
                c
            }
        })
        .collect();
    let point = mapping.decimal.character();
    let (whole, fraction) = text.split_once(point).unwrap_or((&text, ""));
    let has_point = text.contains(point);
    let separators: Vec<char> = whole.chars().filter(|c| !c.is_ascii_digit()).collect();
    if fraction.chars().any(|c| !c.is_ascii_digit()) {
        let other = if mapping.decimal == Decimal::Point { ',' } else { '.' };
        let both = fraction.chars().all(|c| c.is_ascii_digit() || c == other || c == point);
        return Err(if both { Reason::PriceAmbiguous } else { Reason::PriceNotANumber });
    }
    let Some(&group) = separators.first() else { return Ok(format!("{whole}.{fraction}")) };
    let all = [Thousands::Comma, Thousands::Point, Thousands::Space, Thousands::Apostrophe];
    if separators.iter().any(|c| *c != group) || !all.iter().any(|known| known.character() == group) {
        return Err(Reason::PriceNotANumber);
    }
    let told = mapping.thousands.map(Thousands::character);
    let groups: Vec<&str> = whole.split(group).collect();
    let first_fits = (1..=3).contains(&groups[0].len()) && !groups[0].starts_with('0');
    let fits = first_fits && groups[1..].iter().all(|digits| digits.len() == 3);
    let is_clear =
        told == Some(group) || told.is_none() && (has_point || groups.len() > 2 || matches!(group, ' ' | '\''));
    if !fits || !is_clear {
        // `0,0045` where the mapping says point: a decimal comma, most likely. `1,234` may be either.
        return Err(if matches!(group, ',' | '.') { Reason::PriceAmbiguous } else { Reason::PriceNotANumber });
    }
    Ok(format!("{}.{fraction}", groups.concat()))
}

/// Moves the point by the unit of the mapping, and rounds once where the mapping allows it.
fn micros(whole: &str, fraction: &str, mapping: &Mapping) -> Result<(Micros, bool), Reason> {
    let digits = format!("{whole}{fraction}");
    let places = fraction.len() + mapping.price_unit.places();
    let value: i128 = digits.parse().map_err(|_| Reason::PriceTooLarge)?;
    let scale = |exponent: usize| u32::try_from(exponent).ok().and_then(|exponent| 10_i128.checked_pow(exponent));
    let (value, is_rounded) = if places <= PLACES {
        let factor = scale(PLACES - places).ok_or(Reason::PriceTooLarge)?;
        (value.checked_mul(factor).ok_or(Reason::PriceTooLarge)?, false)
    } else {
        let divisor = scale(places - PLACES).ok_or(Reason::PriceTooPrecise)?;
        (rounded(value, divisor, mapping.rounding)?, value % divisor != 0)
    };
    let amount = i64::try_from(value).map_err(|_| Reason::PriceTooLarge)?;
    Ok((Micros::new(amount), is_rounded))
}

fn rounded(value: i128, divisor: i128, rounding: Rounding) -> Result<i128, Reason> {
    let (quotient, rest) = (value / divisor, value % divisor);
    let up = match rounding {
        _ if rest == 0 => false,
        Rounding::Refuse => return Err(Reason::PriceTooPrecise),
        Rounding::Up => true,
        Rounding::HalfEven => rest * 2 > divisor || rest * 2 == divisor && quotient % 2 == 1,
    };
    Ok(quotient + i128::from(up))
}

#[cfg(test)]
mod tests;
