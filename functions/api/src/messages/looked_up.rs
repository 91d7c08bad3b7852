//! From requests to messages, with look-ups before their price where the account's policy asks for it.

use domain::lookup::Policy;
use domain::{AccountId, KeyId, Number};
use store::accept::NewMessage;

use super::prepare::{SendRequest, Terms, prepare};
use crate::Api;
use crate::lookups::LookedUp;
use crate::problem::{Code, FieldError};

/// What became of one request.
type Prepared = Result<NewMessage, Vec<FieldError>>;

/// Makes messages of `requests`. Looked up are only the numbers of those that nothing but their price could refuse: they
/// are prepared twice, the second time for the network that was found. `key` asks, where what may be spent with it is
/// bounded.
pub(super) async fn prepare_all(
    api: &Api,
    (account, key): (AccountId, Option<KeyId>),
    requests: Vec<SendRequest>,
) -> Vec<Prepared> {
    let now = crate::time::now();
    let private_urls = api.settings.private_webhooks;
    let nothing = LookedUp::default();
    let (mut prepared, again) = {
        let catalogue = api.catalogue.get();
        let terms = Terms { now, private_urls, looked_up: &nothing };
        let again = (catalogue.lookup_policy(account) != Policy::Never).then(|| requests.clone());
        let prepared: Vec<_> =
            requests.into_iter().map(|request| prepare(&catalogue, account, request, terms)).collect();
        (prepared, again)
    };
    let Some(again) = again else { return prepared };
    let candidates: Vec<(usize, Number)> = prepared
        .iter()
        .zip(&again)
        .enumerate()
        .filter_map(|(at, (one, request))| Some((at, number(one, request)?)))
        .collect();
    let asked: Vec<_> = candidates.iter().map(|(_, number)| (account, *number)).collect();
    let looked_up = api.lookups.before_pricing(api, key, &asked).await;
    let catalogue = api.catalogue.get();
    let mut again: Vec<Option<SendRequest>> = again.into_iter().map(Some).collect();
    for (at, number) in candidates {
        if looked_up.network(account, number).is_some()
            && let Some(request) = again[at].take()
        {
            let terms = Terms { now, private_urls, looked_up: &looked_up };
            prepared[at] = prepare(&catalogue, account, request, terms);
        }
    }
    prepared
}

/// The number of a request that is good, or could be where its number is elsewhere.
fn number(prepared: &Prepared, request: &SendRequest) -> Option<Number> {
    match prepared {
        Ok(message) => Some(message.to),
        Err(errors) => {
            let by_price = |error: &FieldError| matches!(error.code, Code::UnpricedDestination | Code::AboveMaxPrice);
            errors.iter().all(by_price).then(|| Number::parse(&request.to).ok()).flatten()
        }
    }
}
