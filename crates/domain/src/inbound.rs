//! Whose a message from a handset is, and which words in it do something: rules of numbers and keywords.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, InboundRuleId, OperatorId, SmppSystemId};

/// Letters of a number, short code or keyword at most.
pub const NAME_MAX: usize = 20;

/// What a message did besides being delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The handset wants no more messages of the account.
    OptOut,
    /// It wants them again.
    OptIn,
}

impl Action {
    /// The name in SQL and API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OptOut => "opt_out",
            Self::OptIn => "opt_in",
        }
    }
}

impl FromStr for Action {
    type Err = &'static str;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::OptOut, Self::OptIn].into_iter().find(|a| a.name() == name).ok_or("expected opt_out or opt_in")
    }
}

/// Says whose the messages to a number are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its id.
    pub id: InboundRuleId,
    /// Whose the messages are.
    pub account: AccountId,
    /// Number or short code, as [`address`] writes it.
    pub number: String,
    /// Only those that come through this operator.
    pub operator: Option<OperatorId>,
    /// Only those that begin with this word, as [`fold`] writes it; `None`: those that no keyword claims.
    pub keyword: Option<String>,
    /// Which SMPP system gets them.
    pub system: Option<SmppSystemId>,
    /// Where they are posted.
    pub url: Option<String>,
    /// Words that opt out, as [`fold`] writes them.
    pub stop_words: Vec<String>,
    /// Words that take an opt-out back.
    pub start_words: Vec<String>,
}

impl Rule {
    /// What `words` do: nothing but a stop or start word, alone or beside the rule's keyword. A sentence that begins
    /// with such a word is a sentence.
    pub fn action(&self, words: &[String]) -> Option<Action> {
        let keyword = self.keyword.as_ref();
        let said = match words {
            [first, rest @ ..] if !rest.is_empty() && Some(first) == keyword => rest,
            [rest @ .., last] if !rest.is_empty() && Some(last) == keyword => rest,
            all => all,
        };
        // STOP ALL is STOPALL.
        let said = said.concat();
        if self.stop_words.contains(&said) {
            return Some(Action::OptOut);
        }
        self.start_words.contains(&said).then_some(Action::OptIn)
    }
}

/// The rule for a message to `number` through `operator` that says `words`: one with its keyword before one without,
/// then one for the operator before one for any. `STOP NEWS` belongs to the keyword `NEWS`.
pub fn find<'a>(rules: &'a [Rule], number: &str, operator: OperatorId, words: &[String]) -> Option<&'a Rule> {
    let at = |rule: &&Rule| rule.number == number && rule.operator.is_none_or(|only| only == operator);
    let best = |keyword: Option<&String>| {
        let fitting = rules.iter().filter(at).filter(|rule| rule.keyword.as_ref() == keyword);
        fitting.max_by_key(|rule| rule.operator.is_some())
    };
    let claimed = words.first().and_then(|first| best(Some(first)));
    let asked = || words.get(1).and_then(|last| best(Some(last))).filter(|rule| rule.action(words).is_some());
    claimed.or_else(asked).or_else(|| best(None))
}

/// The words of `text`, folded, without the signs around them.
pub fn words(text: &str) -> Vec<String> {
    let bare = |word: &str| fold(word.trim_matches(|c: char| !c.is_alphanumeric()));
    text.split_whitespace().map(bare).filter(|word| !word.is_empty()).collect()
}

/// `word` in capitals of any language, so that what looks alike is equal: one dotless I (Turkish has two), one
/// apostrophe (Uzbek is written with five).
pub fn fold(word: &str) -> String {
    let alike = |c: char| match c {
        '\u{307}' => None,
        'İ' => Some('I'),
        '`' | '´' | 'ʻ' | 'ʼ' | '‘' | '’' => Some('\''),
        other => Some(other),
    };
    word.chars().flat_map(char::to_uppercase).filter_map(alike).collect()
}

/// A number or short code in the one form by which it is looked up: no `+` or `00` before a number, capitals. Nothing
/// that a database cannot keep.
pub fn address(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect();
    let digits = text.strip_prefix('+').unwrap_or(&text);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return fold(&text);
    }
    let international = digits.strip_prefix("00").filter(|rest| rest.len() >= 7 && !rest.starts_with('0'));
    international.unwrap_or(digits).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(number: &str, operator: Option<OperatorId>, keyword: Option<&str>) -> Rule {
        Rule {
            id: InboundRuleId::generate(),
            account: AccountId::generate(),
            number: number.to_owned(),
            operator,
            keyword: keyword.map(fold),
            system: None,
            url: None,
            stop_words: ["stop", "stopall", "стоп", "to'xta", "durdur", "iptal"].map(fold).to_vec(),
            start_words: ["start", "да"].map(fold).to_vec(),
        }
    }

    #[test]
    fn keyword_before_default_and_operator_before_any() {
        let (ours, other) = (OperatorId::generate(), OperatorId::generate());
        let rules = [
            rule("1234", None, None),
            rule("1234", Some(ours), None),
            rule("1234", None, Some("news")),
            rule("1234", Some(ours), Some("news")),
            rule("1234", None, Some("погода")),
            rule("1234", Some(other), Some("only")),
            rule("5678", None, Some("alone")),
            rule("998712000000", None, None),
        ];
        let rows = [
            ("1234", ours, "hello", Some(1)),
            ("1234", other, "hello", Some(0)),
            ("1234", ours, "NEWS please", Some(3)),
            ("1234", other, "news", Some(2)),
            ("1234", other, "  «News!» today", Some(2)),
            ("1234", ours, "Погода", Some(4)),
            ("1234", ours, "ПОГОДА в Ташкенте", Some(4)),
            ("1234", ours, "newspaper", Some(1)),
            ("1234", ours, "the news", Some(1)),
            ("1234", ours, "stop news", Some(3)),
            ("1234", other, "Stop all News", Some(0)),
            ("1234", ours, "only", Some(1)),
            ("1234", other, "only", Some(5)),
            ("1234", other, "", Some(0)),
            ("5678", ours, "alone", Some(6)),
            ("5678", ours, "together", None),
            ("5678", ours, "", None),
            ("9", ours, "news", None),
            ("998712000000", ours, "x", Some(7)),
        ];
        for (number, operator, text, expected) in rows {
            let found = find(&rules, &address(number), operator, &words(text));
            assert_eq!(found.map(|rule| rule.id), expected.map(|at: usize| rules[at].id), "{number} {text}");
        }
    }

    #[test]
    fn words_that_do_something_do_it_alone_or_beside_the_keyword() {
        let rule = rule("1234", None, Some("news"));
        let (out, back) = (Some(Action::OptOut), Some(Action::OptIn));
        let rows = [
            ("STOP", out),
            ("stop", out),
            (" Stop. ", out),
            ("\"sToP\"!!", out),
            ("Stop all", out),
            ("стоп", out),
            ("СТОП", out),
            ("Стоп!", out),
            ("TO‘XTA", out),
            ("toʻxta", out),
            ("to`xta", out),
            ("İPTAL", out),
            ("ıptal", out),
            ("iptal", out),
            ("Durdur", out),
            ("stop news", out),
            ("NEWS stop", out),
            ("news", None),
            ("stop it now", None),
            ("please stop", None),
            ("stopp", None),
            ("start", back),
            ("News START", back),
            ("Да", back),
            ("ДА", back),
            ("", None),
            ("!!", None),
        ];
        for (text, expected) in rows {
            assert_eq!(rule.action(&words(text)), expected, "{text}");
        }
    }

    #[test]
    fn one_form_of_every_address() {
        let rows = [
            ("+998712000000", "998712000000"),
            ("00998712000000", "998712000000"),
            ("998 71 200 00 00", "998712000000"),
            ("0071", "0071"),
            ("4400", "4400"),
            ("000", "000"),
            ("Acme", "ACME"),
            ("a\0b", "AB"),
            ("", ""),
        ];
        for (text, expected) in rows {
            assert_eq!(address(text), expected, "{text:?}");
        }
    }
}
