//! What `infra/` says about the program, held against the program.

use super::{assert_none, read, root, rust_files};

/// Metrics of others: RabbitMQ, `HAProxy` and Prometheus itself name theirs.
const PREFIXES: [&str; 3] = ["chappe_", "edge_", "process_"];
/// What Prometheus appends to the name of a histogram.
const OF_HISTOGRAMS: [&str; 3] = ["_bucket", "_sum", "_count"];

/// The names of our metrics in `text`.
fn metrics(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)));
    ours.map(|word| OF_HISTOGRAMS.iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word))
}

#[test]
fn every_metric_that_is_shown_or_watched_exists() {
    let sources: Vec<String> =
        rust_files().iter().filter(|path| !path.starts_with("tests/")).map(|p| read(p)).collect();
    let mut broken = Vec::new();
    for file in ["infra/grafana/dashboards/chappe.json", "infra/prometheus/alerts.yml"] {
        let text = read(file);
        assert!(metrics(&text).count() > 20, "{file} names metrics");
        for name in metrics(&text) {
            let quoted = format!("\"{name}\"");
            if !sources.iter().any(|source| source.contains(&quoted)) {
                broken.push(format!("{file}: {name}"));
            }
        }
    }
    assert_none("dashboards and alarms stand on metrics that the program has:", &broken);
}

#[test]
fn the_dashboard_is_json_and_its_panels_have_names_of_their_own() {
    let dashboard: serde_json::Value = serde_json::from_str(&read("infra/grafana/dashboards/chappe.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut titles: Vec<&str> = panels.iter().map(|panel| panel["title"].as_str().unwrap()).collect();
    titles.sort_unstable();
    titles.dedup();
    assert_eq!(titles.len(), panels.len());
}

/// The services of the compose file, each with its lines; what `<<: *name` brings is put in its place.
fn services(text: &str) -> Vec<(String, String)> {
    let block = |head: &str| {
        let lines = text.lines().skip_while(|line| *line != head).skip(1);
        lines.take_while(|line| line.is_empty() || line.starts_with(' ')).collect::<Vec<_>>().join("\n")
    };
    let chappe = block("x-chappe: &chappe");
    let merge = |body: String| {
        let worker = format!("{chappe}\n{}", block("x-worker: &worker"));
        let edge = format!("{chappe}\n{}", block("x-edge: &edge"));
        body.replace("<<: *worker", &worker).replace("<<: *edge", &edge).replace("<<: *chappe", &chappe)
    };
    let mut services: Vec<(String, String)> = Vec::new();
    for line in block("services:").lines() {
        let name =
            line.strip_prefix("  ").and_then(|line| line.strip_suffix(':')).filter(|name| !name.starts_with(' '));
        match (name, services.last_mut()) {
            (Some(name), _) => services.push((name.to_owned(), String::new())),
            (None, Some((_, body))) => *body = format!("{body}{line}\n"),
            (None, None) => {}
        }
    }
    services.into_iter().map(|(name, body)| (name, merge(body))).collect()
}

#[test]
fn every_service_is_pinned_bounded_watched_and_comes_back() {
    let services = services(&read("infra/compose/compose.yaml"));
    assert!(services.len() > 12, "{}", services.len());
    let mut broken = Vec::new();
    for (name, body) in &services {
        for wanted in
            ["image: ", "healthcheck:", "restart: ", "limits: {cpus: ", "memory: ", "logging: ", "stop_grace_period: "]
        {
            if !body.contains(wanted) {
                broken.push(format!("{name}: no `{wanted}`"));
            }
        }
        let image = body.lines().find_map(|line| line.trim().strip_prefix("image: ")).unwrap_or_default();
        let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
        let is_pinned = image.starts_with("${CHAPPE_IMAGE") || tag.trim_start_matches('v').matches('.').count() >= 1;
        if !is_pinned {
            broken.push(format!("{name}: {image} is not pinned"));
        }
        for line in body.lines().filter(|line| line.contains("PASSWORD") || line.contains("SECRET")) {
            if !line.contains("_FILE: /run/secrets/") && !line.trim_start().starts_with("test: ") {
                broken.push(format!("{name}: a secret outside of a file: {}", line.trim()));
            }
        }
    }
    assert_none("a service of infra/compose is complete:", &broken);
}

#[test]
fn the_image_is_built_by_the_toolchain_of_the_tests() {
    let toolchain = read("rust-toolchain.toml");
    let version = toolchain.lines().find_map(|line| line.strip_prefix("channel = \"")?.strip_suffix('"')).unwrap();
    assert!(read("infra/docker/Dockerfile").contains(&format!("ARG RUST_VERSION={version}\n")));
}

#[test]
fn units_give_a_stop_more_time_than_the_grace_and_no_rights() {
    let mut broken = Vec::new();
    for entry in std::fs::read_dir(root().join("infra/systemd")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let text = read(&format!("infra/systemd/{name}"));
        if !name.ends_with(".service") {
            continue;
        }
        for wanted in ["DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "\nCapabilityBoundingSet=\n"] {
            if !text.contains(wanted) {
                broken.push(format!("{name}: no {}", wanted.trim()));
            }
        }
        let number = |key: &str| {
            let rest = text.split_once(key)?.1;
            rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u32>().ok()
        };
        if let Some(grace) = number("CHAPPE_GRACE_SECONDS=")
            && number("TimeoutStopSec=").is_none_or(|stop| stop <= grace)
        {
            broken.push(format!("{name}: TimeoutStopSec is not longer than the grace"));
        }
    }
    assert_none("a unit of infra/systemd is closed and stops in order:", &broken);
}
