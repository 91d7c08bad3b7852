//! The codes of messages are those of the page that customers read.

use super::read;

/// Where the table of the codes begins.
const HEADING: &str = "# Codes of messages";

/// The rows of the table under [`HEADING`]: code, what happened, what to do.
fn documented() -> Vec<[String; 3]> {
    let text = read("functions/api/errors.md");
    let (_, section) = text.split_once(HEADING).expect("errors.md has no codes of messages");
    let section = section.split("\n# ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let mut cells = line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned());
        std::array::from_fn(|_| cells.next().unwrap_or_default())
    };
    rows.map(row).collect()
}

#[test]
fn every_code_of_a_message_is_documented_in_the_same_words_and_no_other() {
    let known: Vec<[String; 3]> = domain::ending::CODES
        .iter()
        .map(|(code, meaning, to_do)| [*code, *meaning, *to_do].map(str::to_owned))
        .collect();
    assert_eq!(documented(), known);
}
