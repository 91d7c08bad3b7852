//! Which parts make a message: pure functions.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use contract::{InboundPart, PartOf};
use domain::InboundId;
use domain::inbound::address;
use store::inbound::{PartKey, StoredPart};
use uuid::Uuid;

/// Parts of one message come within this; what comes later belongs to another message of the same reference.
pub const TOGETHER: TimeDelta = TimeDelta::days(1);
/// A part of a message that is handed over, with the same octets within this, was sent again by the operator.
pub(crate) const REPEATED: TimeDelta = TimeDelta::minutes(10);

/// A message as far as it came: its parts in their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Whole {
    /// That of its oldest part, so that a message is known when it comes again.
    pub(crate) id: InboundId,
    /// One at least is there.
    pub(crate) parts: Vec<Option<InboundPart>>,
}

impl Whole {
    /// A message of one part.
    pub(crate) fn single(part: InboundPart) -> Self {
        Self { id: InboundId::from_uuid(part.id), parts: vec![Some(part)] }
    }

    /// Something is missing.
    pub(crate) fn is_partial(&self) -> bool {
        self.parts.iter().any(Option::is_none)
    }

    /// The part that came first.
    pub(crate) fn first(&self) -> Option<&InboundPart> {
        self.parts.iter().flatten().min_by_key(|part| (part.received_at, part.id))
    }
}

/// What the parts of a message share; `None`: it is a message by itself.
pub(crate) fn key_of(part: &InboundPart) -> Option<PartKey> {
    let PartOf { reference, total, .. } =
        part.part_of.filter(|of| of.total > 1 && (1..=of.total).contains(&of.part))?;
    Some(PartKey {
        operator: part.operator_id,
        sender: address(part.from.addr.expose()),
        recipient: address(part.to.addr.expose()),
        reference,
        total,
    })
}

/// What a look at stored parts brings.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Assembled {
    /// Messages to hand over.
    pub(crate) wholes: Vec<Whole>,
    /// Into which message a part went.
    pub(crate) marks: Vec<(Uuid, InboundId)>,
}

/// Puts parts together, which stand in the order in which they came. What was begun at `over` or earlier is handed
/// over as it is.
pub(crate) fn assemble(stored: Vec<StoredPart>, over: Option<DateTime<Utc>>) -> Assembled {
    let mut keys: BTreeMap<PartKey, Vec<StoredPart>> = BTreeMap::new();
    for part in stored {
        if let Some(key) = key_of(&part.item) {
            keys.entry(key).or_default().push(part);
        }
    }
    let mut assembled = Assembled::default();
    for (key, parts) in keys {
        for set in sets(key.total, parts) {
            set.end(key.total, over, &mut assembled);
        }
    }
    assembled
}

/// Parts that belong together.
#[derive(Debug)]
struct Set {
    /// They were handed over as this.
    message: Option<InboundId>,
    /// When the first was stored.
    stored_at: DateTime<Utc>,
    /// When the first came, and the last.
    came: (DateTime<Utc>, DateTime<Utc>),
    parts: BTreeMap<u8, InboundPart>,
    repeats: Vec<Uuid>,
    /// Nothing more is waited for.
    closed: bool,
}

fn sets(total: u8, parts: Vec<StoredPart>) -> Vec<Set> {
    let mut sets: Vec<Set> = Vec::new();
    // What was handed over first: a part that comes again can have come before it.
    let (done, waiting): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| part.message.is_some());
    for part in done {
        match sets.iter_mut().find(|set| set.message == part.message) {
            Some(set) => set.add(total, part.item),
            None => sets.push(Set::of(total, part)),
        }
    }
    for part in waiting {
        if let Some(set) = sets.iter_mut().find(|set| set.has(&part.item)) {
            set.repeats.push(part.item.id);
            continue;
        }
        match sets.last_mut().filter(|set| !set.closed) {
            Some(set) if set.lacks(&part.item) => set.add(total, part.item),
            open => {
                // The handset counts from the beginning again: what was begun gets no more parts.
                if let Some(set) = open {
                    set.closed = true;
                }
                sets.push(Set::of(total, part));
            }
        }
    }
    sets
}

fn place(part: &InboundPart) -> u8 {
    part.part_of.map_or(1, |of| of.part)
}

impl Set {
    fn of(total: u8, part: StoredPart) -> Self {
        let StoredPart { item, stored_at, message } = part;
        let came = (item.received_at, item.received_at);
        let mut set =
            Self { message, stored_at, came, parts: BTreeMap::new(), repeats: Vec::new(), closed: message.is_some() };
        set.add(total, item);
        set
    }

    fn add(&mut self, total: u8, part: InboundPart) {
        self.came = (self.came.0.min(part.received_at), self.came.1.max(part.received_at));
        self.parts.entry(place(&part)).or_insert(part);
        self.closed |= self.parts.len() == usize::from(total);
    }

    /// This very part is in it already.
    fn has(&self, part: &InboundPart) -> bool {
        let same = |own: &InboundPart| own.octets == part.octets && own.alphabet == part.alphabet;
        let within = if self.message.is_some() { REPEATED } else { TOGETHER };
        self.parts.get(&place(part)).is_some_and(same)
            && part.received_at - self.came.1 <= within
            && self.came.0 - part.received_at <= within
    }

    /// The part can be one that is waited for.
    fn lacks(&self, part: &InboundPart) -> bool {
        !self.parts.contains_key(&place(part)) && part.received_at - self.came.0 <= TOGETHER
    }

    fn end(mut self, total: u8, over: Option<DateTime<Utc>>, assembled: &mut Assembled) {
        let known = self.message;
        if known.is_none() && !self.closed && over.is_none_or(|over| self.stored_at > over) {
            return;
        }
        let oldest = self.parts.values().map(|part| InboundId::from_uuid(part.id)).min();
        let Some(id) = known.or(oldest) else { return };
        assembled.marks.extend(self.repeats.iter().map(|repeat| (*repeat, id)));
        if known.is_none() {
            assembled.marks.extend(self.parts.values().map(|part| (part.id, id)));
            let parts = (1..=total).map(|place| self.parts.remove(&place)).collect();
            assembled.wholes.push(Whole { id, parts });
        }
    }
}

#[cfg(test)]
#[path = "assemble_tests.rs"]
mod tests;
