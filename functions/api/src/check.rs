//! Collects what is wrong with the fields of one request, so that the answer names all of it.

use std::fmt::Display;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use domain::tariff::ChargeOn;
use domain::{Micros, Network};

use crate::problem::{Code, FieldError, Problem};

/// The errors found so far.
#[derive(Debug, Default)]
pub(crate) struct Check {
    errors: Vec<FieldError>,
}

impl Check {
    /// Notes an error.
    pub(crate) fn refuse(&mut self, pointer: &str, code: Code, detail: impl Into<std::borrow::Cow<'static, str>>) {
        self.errors.push(FieldError::new(pointer, code, detail));
    }

    /// Notes an error unless `good`.
    pub(crate) fn that(&mut self, good: bool, pointer: &str, detail: &'static str) {
        if !good {
            self.refuse(pointer, Code::InvalidRequest, detail);
        }
    }

    /// The value, or its error noted.
    pub(crate) fn value<T, E: Display>(&mut self, pointer: &str, code: Code, read: Result<T, E>) -> Option<T> {
        read.map_err(|error| self.refuse(pointer, code, error.to_string())).ok()
    }

    /// Reads a value from its text form.
    pub(crate) fn parse<T: FromStr<Err: Display>>(&mut self, pointer: &str, text: &str) -> Option<T> {
        self.value(pointer, Code::InvalidRequest, text.parse())
    }

    /// Reads an optional value from its text form.
    pub(crate) fn parse_some<T: FromStr<Err: Display>>(&mut self, pointer: &str, text: Option<&str>) -> Option<T> {
        text.and_then(|text| self.parse(pointer, text))
    }

    /// A name for people: 1 to `max` characters without control characters.
    pub(crate) fn label(&mut self, pointer: &str, text: &str, max: usize) {
        let length = text.trim().chars().count();
        let good = (1..=max).contains(&length) && !text.chars().any(char::is_control);
        if !good {
            self.refuse(pointer, Code::InvalidRequest, format!("expected 1 to {max} characters"));
        }
    }

    /// A price, a rate or a fee: a decimal from 0 to [`Micros::PRICE_MAX`].
    pub(crate) fn price(&mut self, pointer: &str, text: &str) -> Option<Micros> {
        self.up_to(pointer, text, Micros::PRICE_MAX)
    }

    /// A limit, a cap or another amount that nobody pays at once: a decimal from 0 to [`Micros::AMOUNT_MAX`].
    pub(crate) fn limit(&mut self, pointer: &str, text: &str) -> Option<Micros> {
        self.up_to(pointer, text, Micros::AMOUNT_MAX)
    }

    /// An amount that may lie below zero, as a balance may: no further from zero than [`Micros::AMOUNT_MAX`].
    pub(crate) fn level(&mut self, pointer: &str, text: &str) -> Option<Micros> {
        let max = Micros::AMOUNT_MAX;
        let level: Micros = self.parse(pointer, text)?;
        if level > max || level < -max {
            self.refuse(pointer, Code::InvalidRequest, format!("expected an amount from -{max} to {max}"));
            return None;
        }
        Some(level)
    }

    fn up_to(&mut self, pointer: &str, text: &str, max: Micros) -> Option<Micros> {
        let amount: Micros = self.parse(pointer, text)?;
        if amount.is_negative() || amount > max {
            self.refuse(pointer, Code::InvalidRequest, format!("expected an amount from 0 to {max}"));
            return None;
        }
        Some(amount)
    }

    /// When a price or a rate is taken; on submit where nothing is said.
    pub(crate) fn charge_on(&mut self, name: Option<&str>) -> Option<ChargeOn> {
        let read = name.map_or(Some(ChargeOn::default()), ChargeOn::parse);
        self.that(read.is_some(), "/charge_on", "expected submit or delivered");
        read
    }

    /// A network, or a country where there is no MNC.
    pub(crate) fn network(&mut self, at: &str, mcc: &str, mnc: Option<&str>) -> Option<Network> {
        let country = self.parse(&format!("{at}/mcc"), mcc);
        let network = match mnc {
            Some(mnc) => self.parse(&format!("{at}/mnc"), mnc).map(Some),
            None => Some(None),
        };
        Some(Network { mcc: country?, mnc: network? })
    }

    /// A moment in the form of RFC 3339.
    pub(crate) fn time(&mut self, pointer: &str, text: Option<&str>) -> Option<DateTime<Utc>> {
        let read = DateTime::parse_from_rfc3339(text?).map(|time| time.with_timezone(&Utc));
        let detail = "expected a time such as 2026-01-31T12:00:00.000Z";
        read.map_err(|_| self.refuse(pointer, Code::InvalidRequest, detail)).ok()
    }

    /// Checks something that lies below `at`: what is wrong with it is noted there.
    pub(crate) fn within<T>(&mut self, at: &str, check: impl FnOnce(&mut Self) -> T) -> T {
        let mut inner = Self::default();
        let read = check(&mut inner);
        self.take(at, inner.errors);
        read
    }

    /// Notes errors that were found below `at`.
    pub(crate) fn take(&mut self, at: &str, errors: Vec<FieldError>) {
        self.errors.extend(errors.into_iter().map(|error| {
            let pointer = format!("{at}{}", error.pointer);
            FieldError { pointer, ..error }
        }));
    }

    /// All errors found.
    pub(crate) fn into_errors(self) -> Vec<FieldError> {
        self.errors
    }

    /// How many errors were found.
    pub(crate) fn len(&self) -> usize {
        self.errors.len()
    }

    /// `true` as long as nothing was found.
    pub(crate) fn is_clean(&self) -> bool {
        self.errors.is_empty()
    }

    /// Ends the check: the refusal, where anything was found.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::fields(self.errors)) }
    }

    /// Ends the check with a value that needed every field.
    pub(crate) fn finish_with<T>(self, value: Option<T>) -> Result<T, Problem> {
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            _ => Err(Problem::fields(self.errors)),
        }
    }
}
