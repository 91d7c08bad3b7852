//! What `chappe up` says when it is ready.

use crate::demo::{EMAILS, PASSWORD};
use crate::output::line;

/// For an installation of one's own.
pub(crate) fn plain(url: &str) {
    line(&format!("Chappe is ready at {url}; Ctrl-C stops it."));
}

/// For the demo: where to look, who to be, what to paste.
pub(crate) fn demo(url: &str, key: &str) {
    let [admin, reseller, client] = EMAILS;
    line(&format!(
        r#"
Chappe is ready.

  API        {url}/v1     description: {url}/openapi.json
  Log in as  {admin}, {reseller} or {client}, password {PASSWORD}

Send a first message:

  curl -sS {url}/v1/messages \
    -H 'Authorization: Bearer {key}' \
    -H 'Content-Type: application/json' \
    -d '{{"to": "+998901234567", "from": "TestCompany", "text": "Hello from Chappe"}}'

See what became of it:    chappe messages      (or: curl -sS {url}/v1/messages -H 'Authorization: Bearer {key}')

The operators are simulated. Numbers ending in 0002 come back undelivered, 0003 expired, 0004 rejected by the
network; every other number that Ucell, Beeline or Uzmobile serve is delivered within a second.

Ctrl-C stops everything; the next start keeps the data."#
    ));
}
