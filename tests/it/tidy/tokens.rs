//! Rust sources as trees of tokens: enough to find macro calls and attributes, also inside other macros.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::read;

/// The tokens of a file below the root.
pub(super) fn of_file(path: &str) -> TokenStream {
    read(path).parse().unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Calls `found` with the name, line and arguments of every macro call in the tree, inner ones included.
pub(super) fn each_macro(tokens: TokenStream, found: &mut impl FnMut(&str, usize, &[TokenTree])) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for window in tokens.windows(3) {
        if let [TokenTree::Ident(name), TokenTree::Punct(bang), TokenTree::Group(arguments)] = window
            && bang.as_char() == '!'
        {
            let inner: Vec<TokenTree> = arguments.stream().into_iter().collect();
            found(&name.to_string(), name.span().start().line, &inner);
        }
    }
    for group in tokens.iter().filter_map(as_group) {
        each_macro(group.stream(), found);
    }
}

/// What stands inside the brackets of an attribute, when the two tokens are one.
pub(super) fn attribute(hash: &TokenTree, brackets: &TokenTree) -> Option<String> {
    let TokenTree::Punct(hash) = hash else {
        return None;
    };
    let group = as_group(brackets).filter(|group| group.delimiter() == Delimiter::Bracket)?;
    (hash.as_char() == '#').then(|| group.stream().to_string())
}

pub(super) fn as_group(token: &TokenTree) -> Option<&Group> {
    match token {
        TokenTree::Group(group) => Some(group),
        _ => None,
    }
}

pub(super) fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}
