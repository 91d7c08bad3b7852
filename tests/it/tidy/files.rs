//! Sizes and names of files.

use super::{assert_none, is_test_file, read, root, rust_files};

/// Lines of a file without its tests; aim below 300.
const LINES_MAX: usize = 500;

#[test]
fn files_stay_readable_in_one_sitting() {
    let mut broken = Vec::new();
    for path in rust_files().into_iter().filter(|path| !is_test_file(path)) {
        let lines = lines_without_tests(&read(&path));
        if lines > LINES_MAX {
            broken.push(format!("{path}: {lines} lines"));
        }
    }
    assert_none(&format!("a file has at most {LINES_MAX} lines without its tests:"), &broken);
}

/// Tests stand at the end of a file, so what comes before their module is the file.
fn lines_without_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod "));
    tests.unwrap_or(lines.len())
}

#[test]
fn a_module_is_named_by_its_file() {
    let broken: Vec<String> = rust_files().into_iter().filter(|path| path.ends_with("/mod.rs")).collect();
    assert_none("a module `x` lies in x.rs, not in x/mod.rs:", &broken);
}

#[test]
fn migrations_are_numbered_without_gap() {
    let entries = std::fs::read_dir(root().join("migrations")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name != "README.md");
    names.sort();
    let mut broken = Vec::new();
    for (position, name) in names.iter().enumerate() {
        let what = name.strip_prefix(&format!("{:04}_", position + 1)).and_then(|rest| rest.strip_suffix(".sql"));
        let is_plain = |what: &str| what.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !what.is_some_and(is_plain) {
            broken.push(format!("{name}, number {} in order", position + 1));
        }
    }
    assert_none("a migration is named NNNN_what.sql, numbered from 0001 without gap:", &broken);
}
