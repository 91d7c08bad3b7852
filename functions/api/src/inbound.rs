//! Messages from handsets: whose they are, what came, and who wants no more.

pub(crate) mod messages;
pub(crate) mod opt_outs;
pub(crate) mod rules;
