//! What a log line may say: lower case, no full stop, and never what a message says or whom it goes to.

use proc_macro2::TokenTree;

use super::tokens::{each_macro, is_punct, of_file};
use super::{assert_none, rust_files};

/// The macros of `tracing`.
const LOGGING: [&str; 12] = [
    "trace",
    "debug",
    "info",
    "warn",
    "error",
    "event",
    "trace_span",
    "debug_span",
    "info_span",
    "warn_span",
    "error_span",
    "span",
];

/// Names that stand for message text, phone numbers and secrets.
const PRIVATE: [&str; 14] = [
    "text",
    "body",
    "to",
    "from",
    "recipient",
    "destination",
    "source_addr",
    "dest_addr",
    "msisdn",
    "phone",
    "number",
    "password",
    "secret",
    "token",
];

/// What is wrong with one logging call.
fn faults(arguments: &[TokenTree]) -> Vec<String> {
    let mut faults = Vec::new();
    each_name(arguments, &mut |name| {
        if PRIVATE.contains(&name) {
            faults.push(format!("logs `{name}`"));
        }
    });
    let Some(message) = message(arguments) else {
        return faults;
    };
    for name in captured(&message).filter(|name| PRIVATE.contains(name)) {
        faults.push(format!("logs `{{{name}}}`"));
    }
    if message.starts_with(char::is_uppercase) {
        faults.push(format!("begins in upper case: {message:?}"));
    }
    if message.ends_with('.') {
        faults.push(format!("ends with a full stop: {message:?}"));
    }
    faults
}

/// Every identifier that is a field, a variable or a member; `From::from` is a path and none of these.
fn each_name(tokens: &[TokenTree], found: &mut impl FnMut(&str)) {
    for (position, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(name) if !is_punct(position.checked_sub(1).map(|before| &tokens[before]), ':') => {
                found(&name.to_string());
            }
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                each_name(&inner, found);
            }
            _ => {}
        }
    }
}

/// The message: the first string that is no field's value and no target.
fn message(arguments: &[TokenTree]) -> Option<String> {
    for (position, token) in arguments.iter().enumerate() {
        let before = position.checked_sub(1).map(|before| &arguments[before]);
        if is_punct(before, '=') || is_punct(before, ':') {
            continue;
        }
        if let TokenTree::Literal(literal) = token {
            let text = literal.to_string();
            return text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).map(str::to_owned);
        }
    }
    None
}

/// The names that a format string captures: `{id}`, `{error:#}`.
fn captured(message: &str) -> impl Iterator<Item = &str> {
    message.split('{').skip(1).filter_map(|rest| rest.split(['}', ':']).next())
}

#[test]
fn log_lines_are_plain_and_keep_secrets() {
    let mut broken = Vec::new();
    for path in rust_files() {
        each_macro(of_file(&path), &mut |name, line, arguments| {
            if LOGGING.contains(&name) {
                broken.extend(faults(arguments).iter().map(|fault| format!("{path}:{line} {fault}")));
            }
        });
    }
    assert_none("a log line is lower case without a full stop, and holds no text, number or secret:", &broken);
}

#[test]
fn the_log_rule_sees_what_it_must() {
    let rows = [
        (r#"message.id = %id, "routed message {id} to {operator}""#, 0),
        (r#"cause = ?error, "cannot publish: {error:#}""#, 0),
        (r#"count = u32::from(count), "ready""#, 0),
        (r#"target: "Edge", kind = "Bind", "bound""#, 0),
        (r#"message.text = %text, "stored""#, 2),
        (r#"?to, "stored""#, 1),
        (r#""sending to {to}""#, 1),
        (r#""sending {}", message.body"#, 1),
        (r#"%id, "Stored.""#, 2),
    ];
    for (call, expected) in rows {
        let tokens: Vec<TokenTree> = call.parse::<proc_macro2::TokenStream>().unwrap().into_iter().collect();
        let faults = faults(&tokens);
        assert_eq!(faults.len(), expected, "{call}: {faults:?}");
    }
}
