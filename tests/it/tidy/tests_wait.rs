//! Tests wait for conditions and not for times, and none is set aside.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::tokens::{as_group, attribute, of_file};
use super::{assert_none, is_test_file, rust_files};

/// What kind of code the tokens stand in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Code {
    Product,
    Test,
    /// A test whose clock is paused: its sleeps take no time.
    PausedTest,
}

impl Code {
    /// The code that follows an attribute, where the attribute says so.
    fn after(attribute: &str) -> Option<Self> {
        let plain: String = attribute.split_whitespace().collect();
        if plain.contains("start_paused=true") {
            return Some(Self::PausedTest);
        }
        let is_test = plain == "cfg(test)" || plain == "test" || plain.starts_with("tokio::test");
        is_test.then_some(Self::Test)
    }
}

/// Notes the lines in test code that sleep, and the tests that are ignored.
fn look(tokens: TokenStream, code: Code, notes: &mut Vec<(usize, &'static str)>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut next = code;
    for (position, token) in tokens.iter().enumerate() {
        let following = tokens.get(position + 1);
        if let Some(attribute) = following.and_then(|following| attribute(token, following)) {
            next = Code::after(&attribute).unwrap_or(next);
            if attribute.starts_with("ignore") {
                notes.push((token.span().start().line, "#[ignore]"));
            }
        }
        let calls = following.and_then(as_group).is_some_and(|group| group.delimiter() == Delimiter::Parenthesis);
        if let TokenTree::Ident(name) = token
            && (name == "sleep" || name == "sleep_until")
            && calls
            && code == Code::Test
        {
            notes.push((name.span().start().line, "sleeps"));
        }
        if let Some(group) = as_group(token) {
            let is_body = group.delimiter() == Delimiter::Brace;
            look(group.stream(), if is_body { next } else { code }, notes);
            next = if is_body { code } else { next };
        }
    }
}

#[test]
fn tests_wait_for_conditions_and_none_is_ignored() {
    let mut broken = Vec::new();
    for path in rust_files() {
        let code = if is_test_file(&path) { Code::Test } else { Code::Product };
        let mut notes = Vec::new();
        look(of_file(&path), code, &mut notes);
        broken.extend(notes.iter().map(|(line, what)| format!("{path}:{line} {what}")));
    }
    assert_none("tests wait with testkit::eventually or a paused clock, and run always:", &broken);
}

#[test]
fn the_rule_of_waiting_sees_what_it_must() {
    let rows = [
        ("fn f() { sleep(x); }", 0),
        ("#[cfg(test)] mod tests { fn f() { tokio::time::sleep(x).await; } }", 1),
        ("#[cfg(test)] mod tests { fn f() { select! { _ = sleep(x) => {} } } }", 1),
        ("#[cfg(test)] use a::b; #[test] fn f() { std::thread::sleep(x) } fn g() { sleep(x) }", 1),
        ("#[tokio::test(start_paused = true)] async fn f() { sleep(x).await }", 0),
        ("#[test] #[ignore = \"slow\"] fn f() {}", 1),
    ];
    for (source, expected) in rows {
        let mut notes = Vec::new();
        look(source.parse().unwrap(), Code::Product, &mut notes);
        assert_eq!(notes.len(), expected, "{source}: {notes:?}");
    }
}
