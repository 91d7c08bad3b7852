//! Rates of later that a whole sheet does not confirm: it says every price, so that its own go on where they would begin.

use chrono::{DateTime, Utc};

use super::{Change, Held, Line, Offer, Refusal, Span, Terms, apply, change, closing, with_notice};
use crate::tariff::in_force;

/// What becomes of stored rates that begin behind a row for their network and before its next: the row's price is told again
/// for the moment when they would begin. What would have been dearer never begins; what would have been cheaper holds until
/// the notice is over.
///
/// `line` is what the row does, and is in `timeline` already; so are those that are answered.
pub(super) fn unconfirmed(
    (offer, line): (&Offer, &Line),
    next: Option<DateTime<Utc>>,
    (held, timeline): (&[&Held], &mut Vec<Span>),
    terms: &Terms,
) -> Vec<Line> {
    if line.refused.is_some_and(|why| why != Refusal::Superseded) {
        return Vec::new();
    }
    let said = offer.from.unwrap_or(terms.default_from).max(terms.now);
    let is_later = |rate: &&Held| rate.from > said && next.is_none_or(|next| rate.from < next);
    let mut later: Vec<&Held> = held.iter().copied().filter(is_later).collect();
    later.sort_by_key(|rate| rate.from);
    // Where another row begins when this one ends, only the price changes.
    let offer = Offer { to: offer.to.filter(|to| next.is_none_or(|next| next > *to)), ..offer.clone() };
    let mut told = Vec::new();
    for rate in later {
        for line in again(rate, &offer, next, timeline, terms) {
            timeline.retain(|span| !(line.closes() && span.id == Some(rate.id)));
            apply(&line, timeline);
            told.push(line);
        }
    }
    told
}

/// The price of `offer` once more, for the moment when `rate` would begin.
fn again(rate: &Held, offer: &Offer, next: Option<DateTime<Utc>>, timeline: &[Span], terms: &Terms) -> Vec<Line> {
    let Some(span) = timeline.iter().find(|span| span.id == Some(rate.id)) else { return Vec::new() };
    if offer.to.is_some_and(|to| to <= rate.from) {
        return vec![closing(rate, rate.from)];
    }
    let change = change(offer, Some(span));
    if change == Change::Unchanged {
        return Vec::new();
    }
    let (from, refused) = with_notice(rate.from, matches!(change, Change::Up | Change::Currency), terms);
    let line = Line {
        row: None,
        name: offer.name.clone(),
        change,
        refused,
        new: Some((offer.price, offer.currency)),
        is_rounded: offer.is_rounded,
        to: offer.to.filter(|to| *to > from),
        moved_from: (from != rate.from).then_some(rate.from),
        ..closing(rate, from)
    };
    if refused.is_some() {
        return vec![line];
    }
    if from == rate.from {
        return vec![closing(rate, from), line];
    }
    // Where it holds no more by then, or another row does, that is told of by itself.
    let goes_on = in_force(span.from, span.to, from) && [offer.to, next].into_iter().flatten().all(|end| end > from);
    if goes_on { vec![line] } else { Vec::new() }
}
