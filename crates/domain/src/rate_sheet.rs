//! A supplier's rate sheet against the rates in force: what each row changes, what the notice rule makes of it, and what
//! it does to the margin of the traffic of a week.

pub mod impact;
mod later;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};

use crate::id::RateId;
use crate::money::{Currency, Micros};
use crate::network::Network;
use crate::tariff::in_force;
use crate::traffic::TrafficClass;

/// A rate that a sheet offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its row, as a spreadsheet numbers it.
    pub row: u32,
    /// For which network, or country.
    pub network: Network,
    /// What the supplier calls it.
    pub name: String,
    /// For this class of traffic only; `None`: for all.
    pub traffic_class: Option<TrafficClass>,
    /// For one segment.
    pub price: Micros,
    /// The sheet had more digits, and the mapping said how to round.
    pub is_rounded: bool,
    /// The currency of the price.
    pub currency: Currency,
    /// From when it holds; `None`: from when the sheet says, or came.
    pub from: Option<DateTime<Utc>>,
    /// Until when; `None`: until another one comes.
    pub to: Option<DateTime<Utc>>,
}

/// A rate that is stored: in force now, or later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its id.
    pub id: RateId,
    /// For which network, or country.
    pub network: Network,
    /// For this class of traffic only.
    pub traffic_class: Option<TrafficClass>,
    /// For one segment.
    pub price: Micros,
    /// The currency of the price.
    pub currency: Currency,
    /// From when it holds, inclusive.
    pub from: DateTime<Utc>,
    /// Until when, exclusive.
    pub to: Option<DateTime<Utc>>,
}

impl Offer {
    fn cost(&self) -> (Micros, Currency) {
        (self.price, self.currency)
    }
}

impl Held {
    fn cost(&self) -> (Micros, Currency) {
        (self.price, self.currency)
    }
}

/// What becomes of an increase that is effective too soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ShortNotice {
    /// It begins when the notice is over.
    #[default]
    Move,
    /// The row is refused.
    Refuse,
}

impl ShortNotice {
    /// The name in SQL and API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Move => "move",
            Self::Refuse => "refuse",
        }
    }

    /// Reads the name; `None` when it is neither.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Move, Self::Refuse].into_iter().find(|one| one.name() == name)
    }
}

/// Under which terms a sheet is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// When the supplier's message came.
    pub received_at: DateTime<Utc>,
    /// From when rows hold that say nothing.
    pub default_from: DateTime<Utc>,
    /// Now: no rate begins earlier, whatever the sheet says. What was is not changed.
    pub now: DateTime<Utc>,
    /// Days between receipt and an increase, at least.
    pub notice_days: u16,
    /// What becomes of an increase that is effective sooner.
    pub on_short_notice: ShortNotice,
    /// The sheet lists everything: what it does not list is closed, and what it does not confirm does not begin.
    pub is_whole: bool,
}

impl Terms {
    /// The first midnight (UTC) when an increase may begin. Suppliers' days begin at midnight; never before the notice
    /// is over.
    pub fn notice_ends(&self) -> DateTime<Utc> {
        let end = self.received_at + TimeDelta::days(i64::from(self.notice_days));
        let midnight = end.date_naive().and_time(NaiveTime::MIN).and_utc();
        if self.notice_days == 0 || midnight == end { end } else { midnight + Days::new(1) }
    }
}

/// What a row does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Change {
    /// There was no rate for this network.
    New,
    /// Dearer.
    Up,
    /// Cheaper.
    Down,
    /// In another currency, so that nobody can say.
    Currency,
    /// The same price: nothing is published.
    Unchanged,
    /// The rate ends.
    Closed,
}

impl Change {
    /// Every change.
    pub const ALL: [Self; 6] = [Self::New, Self::Up, Self::Down, Self::Currency, Self::Unchanged, Self::Closed];

    /// The name in SQL and API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Up => "up",
            Self::Down => "down",
            Self::Currency => "currency",
            Self::Unchanged => "unchanged",
            Self::Closed => "closed",
        }
    }

    /// Reads the name; `None` when it is none of them.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// A rate is published for it.
    pub const fn publishes(self) -> bool {
        matches!(self, Self::New | Self::Up | Self::Down | Self::Currency)
    }
}

/// Why a row is not applied though it can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The increase is effective before the notice is over.
    ShortNotice,
    /// Another rate begins at this very moment; rates are never edited.
    SameMoment,
    /// It is over before it can begin.
    Over,
    /// A later row for the same network holds already when this one could begin.
    Superseded,
}

impl Refusal {
    /// The name in SQL and API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ShortNotice => "short_notice",
            Self::SameMoment => "same_moment",
            Self::Over => "over",
            Self::Superseded => "superseded",
        }
    }
}

/// What one row of a sheet changes, or the closing of what it does not list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The row; `None`: the sheet does not list the network, or has no row for this moment.
    pub row: Option<u32>,
    /// For which network, or country.
    pub network: Network,
    /// What the supplier calls it.
    pub name: String,
    /// For this class of traffic only.
    pub traffic_class: Option<TrafficClass>,
    /// What happens.
    pub change: Change,
    /// Why it does not happen.
    pub refused: Option<Refusal>,
    /// What holds at that moment otherwise: a stored rate, or one of an earlier row (without an id).
    pub old: Option<(Option<RateId>, Micros, Currency)>,
    /// What is to hold.
    pub new: Option<(Micros, Currency)>,
    /// The sheet had more digits.
    pub is_rounded: bool,
    /// From when the change holds; for a closing: when the rate ends.
    pub from: DateTime<Utc>,
    /// Until when a new rate holds.
    pub to: Option<DateTime<Utc>>,
    /// What the sheet says instead of `from`, where the notice rule or the clock moved it.
    pub moved_from: Option<DateTime<Utc>>,
}

impl Line {
    /// A rate is published for it.
    pub fn publishes(&self) -> bool {
        self.refused.is_none() && self.change.publishes()
    }

    /// A rate is ended for it.
    pub fn closes(&self) -> bool {
        self.refused.is_none() && self.change == Change::Closed
    }
}

/// What a rate is for.
type Key = (Network, Option<TrafficClass>);

/// One rate of a timeline: stored (with its id) or offered by an earlier row.
#[derive(Debug, Clone)]
struct Span {
    id: Option<RateId>,
    price: Micros,
    currency: Currency,
    from: DateTime<Utc>,
    to: Option<DateTime<Utc>>,
}

/// Compares a sheet with the rates that are stored. Lines come in the order of the rows; closings follow.
///
/// Rows for the same network are compared one after the other in the order of their dates, each with what holds at its
/// moment when those before it have been applied. A row that could only begin when a later one holds, because its own date is
/// past or its notice is not over, never holds: the last word of a sheet about a moment is the one that counts. Where a row
/// ends and another one begins, the price changes, and no rate ends. A stored rate that a row prolongs at its price goes on; one
/// of later stays, unless the sheet is whole.
///
/// An increase is one whatever it replaces: where nothing is held for a network, the stored rate is taken that its traffic
/// costs until then, such as its country's.
pub fn compare(offers: &[Offer], held: &[Held], terms: &Terms) -> Vec<Line> {
    let mut timelines: BTreeMap<Key, Vec<Span>> = BTreeMap::new();
    let mut stored: BTreeMap<Key, Vec<&Held>> = BTreeMap::new();
    for rate in held {
        stored.entry((rate.network, rate.traffic_class)).or_default().push(rate);
        let Held { id, price, currency, from, to, .. } = *rate;
        let span = Span { id: Some(id), price, currency, from, to };
        timelines.entry((rate.network, rate.traffic_class)).or_default().push(span);
    }
    let mut order: Vec<&Offer> = offers.iter().collect();
    let said = |offer: &Offer| offer.from.unwrap_or(terms.default_from);
    order.sort_by_key(|offer| (said(offer), offer.row));
    let mut dates: BTreeMap<Key, Vec<DateTime<Utc>>> = BTreeMap::new();
    for offer in &order {
        dates.entry((offer.network, offer.traffic_class)).or_default().push(said(offer));
    }
    let mut lines: Vec<Line> = Vec::with_capacity(order.len());
    let mut again = Vec::new();
    for offer in order {
        let key = (offer.network, offer.traffic_class);
        let next = dates[&key].iter().find(|date| **date > said(offer)).copied();
        let behind = |at| behind(key, &stored, at);
        let timeline = timelines.entry(key).or_default();
        let line = compare_one(offer, timeline, next, behind, terms);
        apply(&line, timeline);
        if terms.is_whole {
            let held = stored.get(&key).map(Vec::as_slice).unwrap_or_default();
            again.extend(later::unconfirmed((offer, &line), next, (held, timeline), terms));
        }
        lines.push(line);
    }
    if terms.is_whole {
        lines.extend(closings(offers, held, (&lines, &timelines), terms));
        lines.extend(again);
    }
    lines.sort_by_key(|line| (line.row.is_none(), line.row, line.network, line.row.is_none().then_some(line.from)));
    lines
}

/// What traffic costs for which no rate of its own is held, by the rates that are stored.
fn behind<'a>(key: Key, stored: &BTreeMap<Key, Vec<&'a Held>>, at: DateTime<Utc>) -> Option<&'a Held> {
    places_behind(key)
        .find_map(|place| stored.get(&place)?.iter().find(|rate| in_force(rate.from, rate.to, at)).copied())
}

/// Where traffic looks next that finds no rate at a place, in that order.
fn places_behind((network, class): Key) -> impl Iterator<Item = Key> {
    let places = [(network, None), (network.country(), class), (network.country(), None)];
    places.into_iter().filter(move |place| *place != (network, class))
}

fn compare_one<'a>(
    offer: &Offer,
    timeline: &[Span],
    next: Option<DateTime<Utc>>,
    behind: impl Fn(DateTime<Utc>) -> Option<&'a Held>,
    terms: &Terms,
) -> Line {
    let said = offer.from.unwrap_or(terms.default_from);
    let mut from = said.max(terms.now);
    let at = |from| timeline.iter().find(|span| in_force(span.from, span.to, from));
    let to = offer.to.filter(|to| next.is_none_or(|next| next > *to));
    let mut change = change(offer, at(from));
    let mut refused = None;
    let is_increase = match change {
        Change::Up | Change::Currency => true,
        Change::New => behind(from).is_some_and(|rate| is_dearer(offer.cost(), rate.cost())),
        _ => false,
    };
    let (noticed, refusal) = with_notice(from, is_increase, terms);
    refused = refused.or(refusal);
    if noticed != from {
        from = noticed;
        change = self::change(offer, at(from));
    }
    let held = at(from);
    let ends = to.filter(|to| held.is_some_and(|span| span.to.is_none_or(|end| *to < end)));
    let mut closed_from = None;
    if let Some(end) = ends.filter(|_| change == Change::Unchanged) {
        let end = end.max(terms.now);
        let is_increase = behind(end).is_some_and(|rate| is_dearer(rate.cost(), offer.cost()));
        let (at, refusal) = with_notice(end, is_increase, terms);
        // One that ends by itself before the notice is over is not prolonged.
        let at = held.and_then(|span| span.to).map_or(at, |to| at.min(to));
        (change, from, refused, closed_from) = (Change::Closed, at, refusal, (at != end).then_some(end));
    }
    let lapses = held
        .and_then(|span| span.to)
        .filter(|end| to.is_none_or(|to| to > *end) && next.is_none_or(|next| next > *end) && at(*end).is_none());
    if let Some(end) = lapses.filter(|_| change == Change::Unchanged) {
        (change, from) = (Change::New, end);
    }
    if change.publishes() {
        let same = at(from).is_some_and(|span| span.from == from);
        let over = to.is_some_and(|to| to <= from);
        let late = next.is_some_and(|next| next <= from);
        let reasons = [(late, Refusal::Superseded), (over, Refusal::Over), (same, Refusal::SameMoment)];
        refused = refused.or(reasons.into_iter().find_map(|(holds, why)| holds.then_some(why)));
    }
    Line {
        row: Some(offer.row),
        network: offer.network,
        name: offer.name.clone(),
        traffic_class: offer.traffic_class,
        change,
        refused,
        old: held.map(|span| (span.id, span.price, span.currency)),
        new: Some((offer.price, offer.currency)),
        is_rounded: offer.is_rounded,
        from,
        to: to.filter(|_| change.publishes()),
        moved_from: closed_from.or((from != said && offer.from.is_some() && change != Change::Closed).then_some(said)),
    }
}

/// Whether one is more than the other, or in another currency, so that nobody can say.
fn is_dearer((price, currency): (Micros, Currency), than: (Micros, Currency)) -> bool {
    currency != than.1 || price > than.0
}

/// When a change holds that is said for a moment: an increase has its notice, however it is said.
fn with_notice(said: DateTime<Utc>, is_increase: bool, terms: &Terms) -> (DateTime<Utc>, Option<Refusal>) {
    match terms.on_short_notice {
        _ if !is_increase || said >= terms.notice_ends() => (said, None),
        ShortNotice::Refuse => (said, Some(Refusal::ShortNotice)),
        ShortNotice::Move => (terms.notice_ends(), None),
    }
}

fn change(offer: &Offer, held: Option<&Span>) -> Change {
    match held {
        None => Change::New,
        Some(span) if span.currency != offer.currency => Change::Currency,
        Some(span) if span.price < offer.price => Change::Up,
        Some(span) if span.price > offer.price => Change::Down,
        Some(_) => Change::Unchanged,
    }
}

/// What a line does to a timeline: the span that holds at its moment ends, and the new one ends where a later one begins.
fn apply(line: &Line, timeline: &mut Vec<Span>) {
    let at = line.from;
    if !line.publishes() && !line.closes() {
        return;
    }
    if let Some(span) = timeline.iter_mut().find(|span| in_force(span.from, span.to, at)) {
        span.to = Some(at);
    }
    let Some((price, currency)) = line.new.filter(|_| line.publishes()) else { return };
    let next = timeline.iter().map(|span| span.from).filter(|from| *from > at).min();
    let to = [line.to, next].into_iter().flatten().min();
    timeline.push(Span { id: None, price, currency, from: at, to });
}

/// Rates that a whole sheet does not list, at the moment when its first row holds; those that would begin later end where they
/// would begin, and never hold. What makes traffic dearer, by the rates that the sheet leaves behind it, has its notice.
fn closings(
    offers: &[Offer],
    held: &[Held],
    (lines, timelines): (&[Line], &BTreeMap<Key, Vec<Span>>),
    terms: &Terms,
) -> Vec<Line> {
    let listed: BTreeSet<(Network, Option<TrafficClass>)> =
        offers.iter().map(|offer| (offer.network, offer.traffic_class)).collect();
    let first = lines.iter().map(|line| line.moved_from.unwrap_or(line.from)).min();
    let at = first.unwrap_or(terms.default_from).max(terms.now);
    let missing = held
        .iter()
        .filter(|rate| rate.to.is_none_or(|to| to > at) && !listed.contains(&(rate.network, rate.traffic_class)));
    let close = |rate: &Held| {
        let end = at.max(rate.from);
        let is_increase = left_behind(rate, timelines, end).is_some_and(|next| is_dearer(next, rate.cost()));
        let (from, refused) = with_notice(end, is_increase, terms);
        let line = Line { refused, moved_from: (from != end).then_some(end), ..closing(rate, from) };
        // One that ends by itself before the notice is over needs no line.
        rate.to.is_none_or(|to| to > from).then_some(line)
    };
    missing.filter_map(close).collect()
}

/// What the traffic of a rate costs without it, once the sheet is applied.
fn left_behind(rate: &Held, timelines: &BTreeMap<Key, Vec<Span>>, at: DateTime<Utc>) -> Option<(Micros, Currency)> {
    let mut others = places_behind((rate.network, rate.traffic_class));
    let span = others.find_map(|place| timelines.get(&place)?.iter().find(|span| in_force(span.from, span.to, at)))?;
    Some((span.price, span.currency))
}

/// The end of a stored rate, without a row.
fn closing(rate: &Held, from: DateTime<Utc>) -> Line {
    Line {
        row: None,
        network: rate.network,
        name: String::new(),
        traffic_class: rate.traffic_class,
        change: Change::Closed,
        refused: None,
        old: Some((Some(rate.id), rate.price, rate.currency)),
        new: None,
        is_rounded: false,
        from,
        to: None,
        moved_from: None,
    }
}

#[cfg(test)]
mod tests;
