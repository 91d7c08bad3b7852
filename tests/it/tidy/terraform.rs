//! What infra/terraform must say of every function with a queue: its mapping reports single failures, and the queue's
//! visibility outlasts the function. Textual, so that it needs no Terraform; `make infra-test` looks deeper.

use std::path::Path;

use super::{assert_none, read, root};

/// AWS asks for a visibility timeout of at least so many function timeouts.
const TIMEOUTS_MIN: u64 = 6;

/// The Terraform files below `folder`.
fn terraform_files(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with(".terraform") {
            terraform_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "tf") {
            found.push(path.strip_prefix(root()).unwrap().to_string_lossy().into_owned());
        }
    }
}

/// The bodies of the blocks that begin with `head`: up to the brace at the beginning of a line.
fn blocks<'text>(text: &'text str, head: &str) -> Vec<&'text str> {
    text.split(head).skip(1).map(|rest| rest.split("\n}").next().unwrap_or_default()).collect()
}

/// What stands behind the equals sign of `name`, in the first line that sets it.
fn setting<'text>(text: &'text str, name: &str) -> Option<&'text str> {
    text.lines().find_map(|line| line.trim().strip_prefix(name)?.trim_start().strip_prefix('=').map(str::trim))
}

/// What is wrong in a file with mappings of queues to functions.
fn faults(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for mapping in blocks(text, "resource \"aws_lambda_event_source_mapping\"") {
        if setting(mapping, "function_response_types") != Some("[\"ReportBatchItemFailures\"]") {
            faults.push(format!("{path}: a mapping does not say ReportBatchItemFailures"));
        }
        if setting(text, "visibility_seconds").and_then(timeouts).is_none_or(|timeouts| timeouts < TIMEOUTS_MIN) {
            faults.push(format!("{path}: visibility_seconds is not at least {TIMEOUTS_MIN} * var.timeout_seconds"));
        }
    }
    for queue in blocks(text, "resource \"aws_sqs_queue\" \"work\"") {
        if setting(queue, "visibility_timeout_seconds") != Some("local.visibility_seconds") {
            faults.push(format!("{path}: a queue's visibility timeout is not local.visibility_seconds"));
        }
    }
    faults
}

/// The factor of `6 * var.timeout_seconds + …`.
fn timeouts(expression: &str) -> Option<u64> {
    let (factor, rest) = expression.split_once(" * ")?;
    if rest.starts_with("var.timeout_seconds") { factor.parse().ok() } else { None }
}

/// The files with a mapping, by their path, and their text.
fn mapped() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    terraform_files(&root().join("infra"), &mut paths);
    let texts = paths.into_iter().map(|path| (path.clone(), read(&path)));
    texts.filter(|(_, text)| text.contains("resource \"aws_lambda_event_source_mapping\"")).collect()
}

#[test]
fn every_mapping_reports_single_failures_and_its_queue_outlasts_six_timeouts() {
    let mapped = mapped();
    assert!(!mapped.is_empty(), "the walk finds the mappings");
    let broken: Vec<String> = mapped.iter().flat_map(|(path, text)| faults(path, text)).collect();
    assert_none("a queue's mapping and its visibility (AWS Lambda, \"Using Lambda with Amazon SQS\"):", &broken);
}

#[test]
fn the_rule_of_mappings_sees_what_it_must() {
    let file = |types: &str, factor: &str, visibility: &str| {
        format!(
            "locals {{\n  visibility_seconds = {factor} * var.timeout_seconds + 1\n}}\n\
             resource \"aws_sqs_queue\" \"work\" {{\n  visibility_timeout_seconds = {visibility}\n}}\n\
             resource \"aws_lambda_event_source_mapping\" \"this\" {{\n  {types}\n}}\n"
        )
    };
    let (types, visibility) = ("function_response_types = [\"ReportBatchItemFailures\"]", "local.visibility_seconds");
    let rows = [
        (file(types, "6", visibility), 0),
        (file("", "6", visibility), 1),
        (file("function_response_types = []", "6", visibility), 1),
        (file(types, "5", visibility), 1),
        (file(types, "x", visibility), 1),
        (file(types, "7", "30"), 1),
    ];
    for (text, expected) in rows {
        assert_eq!(faults("a.tf", &text).len(), expected, "{text}");
    }
}
