//! From what was read to the lines that a person sees, and back to what is applied.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::fx::Fx;
use domain::rate_sheet::impact::{Impact, Volume, impacts};
use domain::rate_sheet::{Held, Line, Offer, Terms, compare};
use domain::{Currency, Micros, Network, OperatorId, TrafficClass};
use serde_json::{Value, json};
use sheet::Fault;
use store::rate_sheets::volumes::Carried;

use super::view::{LineImpact, RateSheetLine, RateSheetSummary, TotalImpact};

/// A sheet compared with the rates that are stored.
pub(super) struct DryRun {
    /// The lines in the order of their rows, ready to be stored.
    pub(super) lines: Value,
    pub(super) summary: RateSheetSummary,
}

/// Compares, and weighs the changes with the traffic of a week.
pub(super) fn dry_run(read: &sheet::Read, held: &[Held], terms: &Terms, carried: &[Carried], fx: &Fx) -> DryRun {
    let broken = read.faults.iter().any(|fault| !fault.reason.is_harmless());
    let whole = terms.is_whole;
    let terms = Terms { is_whole: whole && !broken, ..*terms };
    let lines = compare(&read.offers, held, &terms);
    let weighed = impacts(&lines, held, &volumes(carried));
    let mut summary = RateSheetSummary { closings_withheld: whole && broken, ..RateSheetSummary::default() };
    summary.impact = totals(&weighed);
    let mut shown: Vec<RateSheetLine> = lines.iter().map(show).collect();
    for ((shown, line), impact) in shown.iter_mut().zip(&lines).zip(weighed) {
        // A rate of exchange for later is seldom known: what holds now is the best guess.
        let at = line.from.max(terms.now);
        shown.impact = impact.as_ref().map(|impact| show_impact(impact, fx, at));
    }
    put_row_dates(&mut shown, &read.offers);
    shown.extend(read.faults.iter().map(show_fault));
    shown.sort_by_key(|line| (line.row.is_none(), line.row));
    for line in &shown {
        *count(&mut summary, &line.kind) += 1;
    }
    let stored = (1_i32..)
        .zip(&shown)
        .map(|(position, line)| json!({"position": position, "row": line.row, "kind": line.kind, "body": line}));
    DryRun { lines: Value::Array(stored.collect()), summary }
}

fn count<'a>(summary: &'a mut RateSheetSummary, kind: &str) -> &'a mut usize {
    match kind {
        "new" => &mut summary.new,
        "up" => &mut summary.up,
        "down" => &mut summary.down,
        "currency" => &mut summary.currency,
        "unchanged" => &mut summary.unchanged,
        "closed" => &mut summary.closed,
        "refused" => &mut summary.refused,
        "broken" => &mut summary.broken,
        _ => &mut summary.skipped,
    }
}

/// A line of a comparison, without its impact and the dates of its row.
pub(super) fn show(line: &Line) -> RateSheetLine {
    let kind = if line.refused.is_some() { "refused" } else { line.change.name() };
    RateSheetLine {
        row: line.row,
        kind: kind.to_owned(),
        mcc: Some(line.network.mcc.to_string()),
        mnc: line.network.mnc.map(|mnc| mnc.to_string()),
        name: Some(line.name.clone()).filter(|name| !name.is_empty()),
        traffic_class: line.traffic_class.map(|class| class.as_str().to_owned()),
        change: line.refused.map(|_| line.change.name().to_owned()),
        reason: line.refused.map(|refusal| refusal.name().to_owned()),
        old_price: line.old.map(|(_, price, _)| price.to_string()),
        old_currency: line.old.map(|(.., currency)| currency.to_string()),
        old_rate_id: line.old.and_then(|(id, ..)| id).map(|id| id.to_string()),
        price: line.new.map(|(price, _)| price.to_string()),
        currency: line.new.map(|(_, currency)| currency.to_string()),
        is_rounded: line.is_rounded.then_some(true),
        effective_from: Some(line.from),
        effective_to: line.to,
        moved_from: line.moved_from,
        ..RateSheetLine::default()
    }
}

/// What the row itself says, so that the offer can be read back from the line.
pub(super) fn put_row_dates(shown: &mut [RateSheetLine], offers: &[Offer]) {
    let key = |row: u32, network: Network| (row, network.to_string());
    let said: BTreeMap<_, _> =
        offers.iter().map(|offer| (key(offer.row, offer.network), (offer.from, offer.to))).collect();
    for line in shown {
        let network = format!("{}{}", line.mcc.as_deref().unwrap_or_default(), line.mnc.as_deref().unwrap_or_default());
        if let Some((from, to)) = line.row.and_then(|row| said.get(&(row, network))) {
            (line.row_effective, line.row_cease) = (*from, *to);
        }
    }
}

/// The offer of a stored line; `None` for closings and broken rows.
pub(super) fn offer(line: &RateSheetLine) -> Option<Offer> {
    Some(Offer {
        row: line.row?,
        network: Network::parse(line.mcc.as_deref()?, line.mnc.as_deref()).ok()?,
        name: line.name.clone().unwrap_or_default(),
        traffic_class: line.traffic_class.as_deref().and_then(|class| class.parse::<TrafficClass>().ok()),
        price: line.price.as_deref()?.parse().ok()?,
        is_rounded: line.is_rounded.unwrap_or(false),
        currency: line.currency.as_deref()?.parse().ok()?,
        from: line.row_effective,
        to: line.row_cease,
    })
}

fn show_fault(fault: &Fault) -> RateSheetLine {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    RateSheetLine {
        row: Some(fault.row),
        kind: if fault.reason.is_harmless() { "skipped" } else { "broken" }.to_owned(),
        reason: Some(fault.reason.name().to_owned()),
        column: some(&fault.column),
        cell: some(&fault.cell),
        hint: some(&fault.hint),
        ..RateSheetLine::default()
    }
}

fn show_impact(impact: &Impact, fx: &Fx, at: DateTime<Utc>) -> LineImpact {
    let amount = |cost: Option<(Currency, i128)>| cost.map(|(_, amount)| money(amount));
    LineImpact {
        segments: impact.segments,
        earned: impact.earned.iter().map(|(currency, amount)| (currency.to_string(), money(*amount))).collect(),
        old_cost: amount(impact.old_cost),
        new_cost: amount(impact.new_cost),
        old_margin: impact.margin(impact.old_cost, fx, at).map(money),
        new_margin: impact.margin(impact.new_cost, fx, at).map(money),
    }
}

/// A sum as a decimal string. Sums beyond what an amount holds stay at its end: they are shown, never booked.
pub(crate) fn money(sum: i128) -> String {
    let end = if sum < 0 { i64::MIN } else { i64::MAX };
    Micros::new(i64::try_from(sum).unwrap_or(end)).to_string()
}

/// Costs before and then, by currency, of changes where both are in one.
fn totals(impacts: &[Option<Impact>]) -> Vec<TotalImpact> {
    let mut sums: BTreeMap<Currency, (i64, i128, i128)> = BTreeMap::new();
    for impact in impacts.iter().flatten() {
        if let (Some((currency, old)), Some((other, new))) = (impact.old_cost, impact.new_cost)
            && currency == other
        {
            let sum = sums.entry(currency).or_default();
            *sum = (sum.0 + impact.segments, sum.1 + old, sum.2 + new);
        }
    }
    let total = |(currency, (segments, old, new)): (Currency, (i64, i128, i128))| TotalImpact {
        currency: currency.to_string(),
        segments,
        old_cost: money(old),
        new_cost: money(new),
        difference: money(new - old),
    };
    sums.into_iter().map(total).collect()
}

/// Traffic by network and class, over all accounts.
fn volumes(carried: &[Carried]) -> Vec<Volume> {
    let mut volumes: BTreeMap<(Network, Option<TrafficClass>), Volume> = BTreeMap::new();
    for one in carried {
        let (network, class) = (one.network, one.class);
        let new = || Volume { network, class, segments: 0, earned: BTreeMap::new() };
        let volume = volumes.entry((network, class)).or_insert_with(new);
        volume.segments += one.segments;
        if let Some((currency, amount)) = one.earned {
            *volume.earned.entry(currency).or_insert(0) += amount;
        }
    }
    volumes.into_values().collect()
}

/// For the audit log: how much there is of what.
pub(super) fn short(operator: OperatorId, summary: &RateSheetSummary) -> Value {
    json!({"operator_id": operator, "new": summary.new, "up": summary.up, "down": summary.down,
        "currency": summary.currency, "closed": summary.closed, "refused": summary.refused, "broken": summary.broken})
}
