//! Reading a profile from JSON, with everything that is wrong in one answer.

use serde_json::{Map, Value, json};
use smpp::receipt::template;

use super::{Profile, Receipts, Refusal};

/// Sections whose members may all be missing, so that each can be judged alone.
const SECTIONS: [&str; 5] = ["receipts", "link", "wire", "fault", "outcomes"];

/// Everything that is wrong with a profile, a sentence for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<String>);

impl std::fmt::Display for Problems {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Problems {}

impl Profile {
    /// Reads the JSON form; every member may be missing, none may be unknown.
    pub fn from_json(json: &str) -> Result<Self, Problems> {
        let value: Value = serde_json::from_str(json).map_err(|error| Problems(vec![format!("no JSON: {error}")]))?;
        let Value::Object(members) = &value else {
            return Err(Problems(vec!["a profile is a JSON object".to_owned()]));
        };
        let mut wrong = Vec::new();
        unreadable(members, &[], &mut wrong);
        match serde_json::from_value::<Self>(value.clone()) {
            Ok(profile) => profile.check().map(|()| profile),
            Err(error) if wrong.is_empty() => Err(Problems(vec![error.to_string()])),
            Err(_) => Err(Problems(wrong)),
        }
    }

    /// Whether the values make sense together.
    pub fn check(&self) -> Result<(), Problems> {
        let mut wrong = Vec::new();
        shares("refusals", self.refusals.iter().map(|&Refusal { per_mille, .. }| per_mille), &mut wrong);
        self.receipts.check(&mut wrong);
        if self.refusals.iter().any(|refusal| refusal.status == 0) || self.throttle_status == Some(0) {
            wrong.push("a refusal with status 0 would be no refusal".to_owned());
        }
        for (at, rule) in self.rules.iter().enumerate().filter(|(_, rule)| rule.status.is_some()) {
            if rule.outcome.is_some() || rule.reply.is_some() {
                wrong.push(format!("rules[{at}]: a refused submit has neither outcome nor reply"));
            }
        }
        for (name, zero) in [
            ("submits_per_second_max", self.submits_per_second_max == Some(0)),
            ("window_max", self.window_max == Some(0)),
            ("link.enquire_link_every_ms", self.link.enquire_link_every_ms == Some(0)),
            ("link.bytes_per_second_max", self.link.bytes_per_second_max == Some(0)),
        ] {
            if zero {
                wrong.push(format!("{name} is at least 1, or left out"));
            }
        }
        for (at, mobile) in self.mobile.iter().enumerate() {
            if let Err(error) = mobile.check() {
                wrong.push(format!("mobile[{at}]: {error}"));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(Problems(wrong)) }
    }
}

impl Receipts {
    fn check(&self, wrong: &mut Vec<String>) {
        let outcomes = self.outcomes;
        let all = [
            outcomes.undelivered_per_mille,
            outcomes.expired_per_mille,
            outcomes.rejected_per_mille,
            outcomes.silent_per_mille,
        ];
        shares("receipts.outcomes", all.into_iter(), wrong);
        let problems = self.template.as_deref().map(template::problems).unwrap_or_default();
        wrong.extend(problems.into_iter().map(|problem| format!("receipts.template: {problem}")));
        if ![10, 12, 14].contains(&self.date_digits) {
            wrong.push(format!("receipts.date_digits is 10, 12 or 14, not {}", self.date_digits));
        }
        if self.utc_offset_minutes.abs() > 14 * 60 {
            wrong.push(format!("receipts.utc_offset_minutes is over 14 hours: {}", self.utc_offset_minutes));
        }
        for (name, zero) in [("window", self.window == 0), ("attempts_max", self.attempts_max == 0)] {
            if zero {
                wrong.push(format!("receipts.{name} is at least 1"));
            }
        }
        if self.copies == 0 {
            wrong.push("receipts.copies is at least 1; enabled: false sends none".to_owned());
        }
    }
}

fn shares(name: &str, shares: impl Iterator<Item = u32>, wrong: &mut Vec<String>) {
    let sum: u64 = shares.map(u64::from).sum();
    if sum > 1000 {
        wrong.push(format!("{name}: the shares are {sum} of 1000"));
    }
}

/// Judges each member alone, because reading stops at the first error: `path` are the sections around `members`.
fn unreadable(members: &Map<String, Value>, path: &[&str], wrong: &mut Vec<String>) {
    for (name, value) in members {
        let mut document = json!({ name: value });
        for section in path.iter().rev() {
            document = json!({ *section: document });
        }
        let Err(error) = serde_json::from_value::<Profile>(document) else { continue };
        match value {
            Value::Object(inner) if SECTIONS.contains(&name.as_str()) => {
                unreadable(inner, &[path, &[name.as_str()]].concat(), wrong);
            }
            _ => wrong.push(format!("{}: {error}", [path, &[name.as_str()]].concat().join("."))),
        }
    }
}
