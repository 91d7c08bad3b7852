//! Names of ours as names of SQS, which allow no dot, and back.

use crate::{Error, name_is_valid};

/// The longest name of a queue on SQS.
const SQS_NAME_BYTES_MAX: usize = 80;

/// What a dot becomes. Names that hold it, or a dash beside a dot, have no name on SQS: there would be no way back.
const DOT: &str = "--";

/// The end of the name of a parking place, which is also the dead-letter queue.
const PARKED: &str = "--parked";

/// The names of the queues of one prefix: `<prefix>-<name>`, with every `.` of the name written `--`.
#[derive(Debug)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    pub(super) fn of(prefix: &str) -> Self {
        Self { prefix: format!("{prefix}-") }
    }

    /// What every name begins with.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The name on SQS of a queue of ours.
    pub(super) fn queue(&self, name: &str) -> Result<String, Error> {
        let bad = ["--", "-.", ".-"].iter().any(|pair| name.contains(pair)) || name.ends_with(".parked");
        let sqs_name = format!("{}{}", self.prefix, name.replace('.', DOT));
        if bad || !name_is_valid(name) || sqs_name.len() + PARKED.len() > SQS_NAME_BYTES_MAX {
            return Err(Error::BadName(name.to_owned()));
        }
        Ok(sqs_name)
    }

    /// The name on SQS of the place where a queue's messages are parked.
    pub(super) fn parking(&self, name: &str) -> Result<String, Error> {
        Ok(format!("{}{PARKED}", self.queue(name)?))
    }

    /// Our name of a queue on SQS; `None` for a parking place and for what is not of this prefix.
    pub(super) fn ours(&self, sqs_name: &str) -> Option<String> {
        let name = sqs_name.strip_prefix(&self.prefix)?;
        (!name.is_empty() && !name.ends_with(PARKED)).then(|| name.replace(DOT, "."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        let names = Names::of("chappe-prod");
        let long = "x".repeat(60);
        let rows = [
            ("route", Some("chappe-prod-route")),
            ("submit.opr_01", Some("chappe-prod-submit--opr_01")),
            ("deliver.a-b", Some("chappe-prod-deliver--a-b")),
            ("a.b.c", Some("chappe-prod-a--b--c")),
            ("a--b", None),
            ("a-.b", None),
            ("a.-b", None),
            ("route.parked", None),
            ("", None),
            ("with space", None),
            ("ümlaut", None),
            (&long, Some(&format!("chappe-prod-{long}"))),
            (&"x".repeat(61), None),
        ];
        for (name, expected) in rows {
            let sqs_name = names.queue(name).ok();
            assert_eq!(sqs_name.as_deref(), expected, "{name:?}");
            if let Some(sqs_name) = sqs_name {
                assert_eq!(names.ours(&sqs_name).as_deref(), Some(name));
                assert_eq!(names.ours(&names.parking(name).unwrap()), None, "{name} is no queue where it parks");
            }
        }
    }

    #[test]
    fn queues_of_others_are_not_ours() {
        let names = Names::of("chappe");
        for sqs_name in ["other-route", "chappe", "chappe-", "chapperoute", "chappe-route--parked"] {
            assert_eq!(names.ours(sqs_name), None, "{sqs_name}");
        }
    }
}
