//! Secrets by file: `NAME_FILE` names a file that holds what `NAME` would, as containers and service managers hand
//! secrets over. An environment is seen by every child and by whoever may list processes; a file has an owner.

use std::fs::File;
use std::io::Read as _;

use super::Strings;

/// The settings that may lie in a file each: those that hold a secret.
pub const BY_FILE: [&str; 5] = ["DATABASE_URL", "QUEUE_URL", "REDIS_URL", "CHAPPE_SECRET_KEY", "CHAPPE_API_KEY"];

/// What is appended to the name of a setting.
const SUFFIX: &str = "_FILE";

/// The longest file that is read, in bytes: a wrong path may lead to something without end.
const BYTES_MAX: u64 = 16 * 1024;

/// The value of a setting, from the variable or from the file that `NAME_FILE` names, without the white space around
/// it; `None` where neither is set.
///
/// # Errors
/// One sentence that names the variable: both are set, or the file cannot be read, is empty, too long or not text.
pub fn setting(strings: &dyn Strings, key: &str) -> Result<Option<String>, String> {
    let plain = strings.get(key).map_err(|unreadable| format!("{key} {unreadable}"))?;
    if !BY_FILE.contains(&key) {
        return Ok(plain);
    }
    let name = format!("{key}{SUFFIX}");
    let path = strings.get(&name).map_err(|unreadable| format!("{name} {unreadable}"))?;
    match (plain, path) {
        (plain, None) => Ok(plain),
        (None, Some(path)) => read(&path).map(Some).map_err(|fault| format!("{name} {fault}")),
        (Some(_), Some(_)) => Err(format!("{key} and {name} are both set: keep one of them")),
    }
}

/// Whether a variable names the file of a setting.
pub(super) fn is_name_of_file(name: &str) -> bool {
    name.strip_suffix(SUFFIX).is_some_and(|key| BY_FILE.contains(&key))
}

/// The path is told, the content never.
fn read(path: &str) -> Result<String, String> {
    let mut octets = Vec::new();
    let opened = File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut octets));
    let length = opened.map_err(|error| format!("names {path}, which cannot be read: {error}"))?;
    if u64::try_from(length).is_ok_and(|length| length > BYTES_MAX) {
        return Err(format!("names {path}, which is longer than {BYTES_MAX} bytes"));
    }
    let text = String::from_utf8(octets).map_err(|_| format!("names {path}, which is not valid UTF-8"))?;
    match text.trim() {
        "" => Err(format!("names {path}, which is empty")),
        text => Ok(text.to_owned()),
    }
}
