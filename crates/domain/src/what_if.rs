//! What if: traffic is routed by two catalogues, and what differs is summed up.
//!
//! Both sides are judged alike, with every operator in session: what is compared is settings, not the moment.

mod drafts;
mod report;

pub use drafts::Drafts;
pub use report::{Pair, Report, Side};

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

    /// Routes `count` messages that are alike by both catalogues.
    pub fn replay(&self, question: &Question<'_>, count: u64, report: &mut Report) {
        let (before, after) = (self.before.pick(question), self.after.pick(question));
        report.add(question, count, (&before, &after));
    }

    /// The settings as they are.
    pub const fn before(&self) -> &Catalogue {
        &self.before
    }
}

#[cfg(test)]
mod tests;
