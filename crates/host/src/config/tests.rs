use std::collections::BTreeMap;

use secrecy::ExposeSecret;

use super::*;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn read(pairs: &[(&'static str, &'static str)], needs: &[Need]) -> Result<Config, Errors> {
    let strings: BTreeMap<&str, &str> = pairs.iter().copied().collect();
    Config::read(&strings, needs)
}

fn check(pairs: &[(&'static str, &'static str)], expected: &[&str]) {
    let errors = read(pairs, &[]).unwrap_err();
    assert_eq!(errors.lines(), expected);
}

#[test]
fn nothing_set_means_the_defaults() {
    let config = read(&[("CHAPPE_LOG", "")], &[]).unwrap();
    assert_eq!(config.http_addr.to_string(), "127.0.0.1:8080");
    assert_eq!(config.internal_addr.to_string(), "127.0.0.1:8081");
    assert_eq!(config.smpp_addr.to_string(), "127.0.0.1:2775");
    assert_eq!(config.data_dir.to_str(), Some(".data"));
    assert_eq!((config.log_format, config.log_filter.as_str()), (LogFormat::Json, "info"));
    assert_eq!(config.grace, Duration::from_secs(20));
    assert!(config.queue_url.is_none() && !config.is_lambda);
}

#[test]
fn the_queue_is_the_database_unless_said_otherwise() {
    let queue = |pairs| read(pairs, &[]).unwrap().queue_url.map(|url| url.expose_secret().to_owned());
    assert_eq!(queue(&[("DATABASE_URL", "postgres://a/b")]).as_deref(), Some("postgres://a/b"));
    let both = [("DATABASE_URL", "postgres://a/b"), ("QUEUE_URL", "sqs://eu/x")];
    assert_eq!(queue(&both).as_deref(), Some("sqs://eu/x"));
}

#[test]
fn each_fault_is_told_with_its_remedy() {
    check(&[("CHAPPE_LOG_FORMAT", "xml")], &["CHAPPE_LOG_FORMAT must be json or pretty"]);
    check(&[("CHAPPE_LOG", "route=loud")], &["CHAPPE_LOG must be a filter such as info or info,route=debug"]);
    check(&[("CHAPPE_GRACE_SECONDS", "0")], &["CHAPPE_GRACE_SECONDS must be a whole number from 1 to 3600"]);
    check(&[("CHAPPE_FAILOVER_SECONDS", "9")], &["CHAPPE_FAILOVER_SECONDS must be a whole number from 10 to 86400"]);
    check(&[("CHAPPE_HTTP_ADR", "x")], &["CHAPPE_HTTP_ADR is not a setting; did you mean CHAPPE_HTTP_ADDR?"]);
    let unknown = read(&[("CHAPPE_MAGIC_CARPET", "x")], &[]).unwrap_err();
    assert!(unknown.lines()[0].starts_with("CHAPPE_MAGIC_CARPET is not a setting; there are CHAPPE_HTTP_ADDR,"));
}

#[test]
fn all_faults_are_told_together() {
    let pairs = [("CHAPPE_HTTP_ADDR", "8080"), ("CHAPPE_SECRET_KEY", "hunter2"), ("CHAPPE_LOGS", "x")];
    let errors = read(&pairs, &[Need::Database, Need::Queue, Need::SecretKey]).unwrap_err();
    assert_eq!(errors.lines().len(), 5, "{errors}");
    assert!(!errors.to_string().contains("hunter2"), "{errors}");
}

#[test]
fn secrets_hide_themselves() {
    let pairs = [("DATABASE_URL", "postgres://chappe:hunter2@host/db"), ("CHAPPE_SECRET_KEY", KEY)];
    let config = read(&pairs, &[Need::Database, Need::Queue, Need::SecretKey]).unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("[0, 1, 2"), "{shown}");
    assert_eq!(config.secret_key.unwrap().expose_secret()[31], 31);
}

/// What `DATABASE_URL_FILE` with this content makes of the settings, beside `more`.
fn by_file(content: &[u8], more: &[(&'static str, &'static str)]) -> Result<Config, Errors> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, content).unwrap();
    let mut strings: BTreeMap<&str, &str> = more.iter().copied().collect();
    strings.insert("DATABASE_URL_FILE", path.to_str().unwrap());
    Config::read(&strings, &[])
}

#[test]
fn a_secret_may_lie_in_a_file() {
    let config = by_file(b"postgres://chappe:hunter2@host/db\n", &[]).unwrap();
    assert_eq!(config.database_url.unwrap().expose_secret(), "postgres://chappe:hunter2@host/db");
    assert_eq!(config.queue_url.unwrap().expose_secret(), "postgres://chappe:hunter2@host/db");
}

#[test]
fn a_file_that_cannot_be_used_is_told_with_the_other_faults() {
    let long = vec![b'x'; 16 * 1024 + 1];
    let rows: [(&[u8], &str); 4] = [
        (b" \n", "which is empty"),
        (b"\xff\xfe", "which is not valid UTF-8"),
        (&long, "which is longer than 16384 bytes"),
        (b"postgres://hunter2", "DATABASE_URL and DATABASE_URL_FILE are both set: keep one of them"),
    ];
    for (content, expected) in rows {
        let plain = if content.starts_with(b"postgres") { "postgres://a/b" } else { "" };
        let errors = by_file(content, &[("DATABASE_URL", plain), ("CHAPPE_LOG_FORMAT", "xml")]).unwrap_err();
        assert_eq!(errors.lines().len(), 2, "{errors}");
        assert!(errors.lines()[0].contains(expected), "{errors}");
        assert!(!errors.to_string().contains("hunter2"), "{errors}");
    }
    let missing = read(&[("CHAPPE_SECRET_KEY_FILE", "/nowhere/key")], &[]).unwrap_err();
    assert!(missing.lines()[0].starts_with("CHAPPE_SECRET_KEY_FILE names /nowhere/key, which cannot be read"));
    let no_secret = read(&[("CHAPPE_LOG_FILE", "/x")], &[]).unwrap_err();
    assert!(no_secret.lines()[0].starts_with("CHAPPE_LOG_FILE is not a setting"), "{no_secret}");
}

#[test]
fn a_queue_in_the_database_may_be_asked_for_by_name() {
    let config = read(&[("DATABASE_URL", "postgres://a/b"), ("QUEUE_URL", "postgres:")], &[]).unwrap();
    assert_eq!(config.queue_url.unwrap().expose_secret(), "postgres://a/b");
}
