//! What `chappe up` says when it is ready.

use crate::demo::{EMAILS, PASSWORD, SYSTEM_ID};
use crate::output::line;

/// For an installation of one's own.
pub(crate) fn plain(url: &str, smpp: &str) {
    line(&format!("Chappe is ready at {url}, for SMPP at {smpp}; Ctrl-C stops it."));
}

/// The program as it was called, so that what is shown can be pasted.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "chappe".to_owned())
}

/// For the demo: where to look, who to be, what to paste.
pub(crate) fn demo(url: &str, key: &str, (smpp, password): (&str, &str)) {
    let [admin, reseller, client] = EMAILS;
    let program = program();
    line(&format!(
        r#"
Chappe is ready.

  API        {url}/v1     description: {url}/openapi.json
  Log in as  {admin}, {reseller} or {client}, password {PASSWORD}
  SMPP       {smpp}     system_id {SYSTEM_ID}, password {password}

Send a first message:

  curl -sS {url}/v1/messages \
    -H 'Authorization: Bearer {key}' \
    -H 'Content-Type: application/json' \
    -d '{{"to": "+998901234567", "from": "TestCompany", "text": "Hello from Chappe"}}' \
    -w '\n'

See what became of it:

  {program} messages

The operators are simulated. Numbers ending in 0002 come back undelivered, 0003 expired, 0004 rejected by the
network; every other number that Ucell, Beeline or Uzmobile serve is delivered within a second.

Ctrl-C stops everything; the next start keeps the data."#
    ));
}
