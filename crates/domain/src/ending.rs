//! Why a message ended as it did, in words: what each code means, and what to do about it.

/// A code in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// What happened.
    pub meaning: String,
    /// What to do about it.
    pub to_do: &'static str,
}

/// Codes of our own, what each means and what to do. `functions/api/errors.md` says the same.
pub const CODES: [(&str, &str, &str); 11] = [
    (
        "no_route",
        "no operator that is switched on has a rate for the network or its country",
        "give an operator a rate for it, or switch one on that has a rate",
    ),
    (
        "routes_exhausted",
        "every operator that could carry it was tried and refused it",
        "look at the answers of the operators; send it again when one of them is well",
    ),
    (
        "below_margin",
        "every operator costs more than the margin guard lets it cost",
        "raise the price, find a cheaper operator, or allow the loss by a guard with a reason",
    ),
    (
        "blocked_by_rule",
        "a routing rule rejects such messages",
        "change or end that rule if the message should have gone",
    ),
    (
        "breaker_open",
        "the circuit breaker of every operator that could carry it is open",
        "see why they fail, and close a breaker that was opened by hand",
    ),
    (
        "daily_cap",
        "every operator that could carry it was given as much today as it may be",
        "raise the cap, or give another operator a rate for the network",
    ),
    (
        "validity_expired",
        "its validity was over before an operator had it",
        "give messages a longer validity, or see why its operator's queue stood still",
    ),
    (
        "no_receipt",
        "an operator took it, and no final receipt came in time",
        "ask the operator for the receipt by its message id; a late receipt still corrects it",
    ),
    ("canceled", "its customer took it back before it was submitted", "nothing"),
    (
        "submit_unanswered",
        "the operator never answered the submit, so nobody knows whether it has the message",
        "look at the sessions with that operator; a receipt may still settle it",
    ),
    ("submit_failed", "the operator could not be given the message", "look at the sessions with that operator"),
];

/// What a code means. Codes that are not ours are the operator's own words for its error.
pub fn meaning(code: &str) -> Meaning {
    if let Some((_, meaning, to_do)) = CODES.iter().find(|(own, ..)| *own == code) {
        return Meaning { meaning: (*meaning).to_owned(), to_do };
    }
    match code.strip_prefix("smpp_") {
        Some(status) => Meaning {
            meaning: format!("the operator refused the submit with SMPP status 0x{status}"),
            to_do: "see what the status means in the operator's manual; its profile says whether another route is tried",
        },
        None => Meaning {
            meaning: format!("the operator's receipt says {code}"),
            to_do: "see what it means in the operator's manual; the operator's profile can give it a name",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_words() {
        for (code, start) in [
            ("no_route", "no operator"),
            ("canceled", "its customer"),
            ("smpp_00000045", "the operator refused the submit with SMPP status 0x00000045"),
            ("absent_subscriber", "the operator's receipt says absent_subscriber"),
        ] {
            let told = meaning(code);
            assert!(told.meaning.starts_with(start) && !told.to_do.is_empty(), "{told:?}");
        }
    }
}
