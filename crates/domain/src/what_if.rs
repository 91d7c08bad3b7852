//! What if: traffic is routed by two catalogues, and what differs is summed up.
//!
//! Both sides are judged alike, with every operator in session: what is compared is settings, not the moment.

mod drafts;
mod report;
mod turns;

pub use drafts::Drafts;
pub use report::{Pair, Report, Side};
pub use turns::Turns;

use crate::catalogue::Catalogue;
use crate::live::Live;
use crate::overrides::Overrides;
use crate::prefix::PrefixTrie;
use crate::routing::Question;

/// Two catalogues to compare.
#[derive(Debug)]
pub struct WhatIf {
    before: Catalogue,
    after: Catalogue,
}

impl WhatIf {
    /// The settings as they are, and with drafts.
    pub fn new(mut before: Catalogue, drafts: &Drafts) -> Self {
        for operator in &mut before.operators {
            operator.bound = true;
        }
        before.standings = Live::new(before.standings.get().scores_only());
        // Routing reads no numbers and no senders; they are most of a catalogue.
        before.prefixes = PrefixTrie::default();
        before.overrides = Overrides::default();
        before.senders.clear();
        let after = drafts.apply(before.clone());
        Self { before, after }
    }

    /// Routes a message by both catalogues; its turn is the one that its question names.
    pub fn replay(&self, question: &Question<'_>, report: &mut Report) {
        let (before, after) = (self.before.pick(question), self.after.pick(question));
        report.add(question, 1, (&before, &after));
    }

    /// Routes `count` messages that are alike by both catalogues. Where operators take turns, they go on where `turns` are;
    /// the turn of the question counts for nothing.
    pub fn list(&self, question: &Question<'_>, count: u64, turns: &mut Turns, report: &mut Report) {
        let (before, after) = (self.before.pick(question), self.after.pick(question));
        let takers = [turns::is_taken(&before), turns::is_taken(&after)];
        if takers == [false, false] {
            report.add(question, count, (&before, &after));
            return;
        }
        for _ in 0..count {
            let before = if takers[0] { self.before.pick(&turns.next(0, question, &before)) } else { before };
            let after = if takers[1] { self.after.pick(&turns.next(1, question, &after)) } else { after };
            report.add(question, 1, (&before, &after));
        }
    }

    /// The settings as they are.
    pub const fn before(&self) -> &Catalogue {
        &self.before
    }
}

#[cfg(test)]
mod tests;
