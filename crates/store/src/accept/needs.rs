//! What messages cost those who pay for them: how much is held in each wallet, and spent with each capped key.
//!
//! A sum that cannot be counted is nobody's but that of who set its price: it must not refuse what others send in the same
//! batch. So it is no error, but nothing at all, and the batch is then decided one message after the other.

use std::collections::BTreeMap;

use domain::{AccountId, KeyId, Micros, settlement};

use crate::accept::NewMessage;

/// By wallet: how much, and for how many messages. Ordered, so that wallets are always locked in one order.
pub(super) type Holds = BTreeMap<AccountId, (i64, i32)>;
/// By capped key. Ordered, like wallets.
pub(super) type Spends = BTreeMap<KeyId, i64>;

/// What `messages` need together. `None`: more than a wallet ever holds.
pub(super) fn of<'a>(messages: impl Iterator<Item = &'a NewMessage>) -> Option<(Holds, Spends)> {
    let (mut holds, mut spends) = (Holds::new(), Spends::new());
    for message in messages {
        let segments = u16::from(message.segments);
        for (account, amount) in settlement::hold(&message.chain, segments)? {
            let need = holds.entry(account).or_default();
            need.0 = add(need.0, amount)?;
            need.1 += 1;
        }
        if let (Some(key), Some(own)) = (message.capped_key, message.chain.links.first()) {
            let need = spends.entry(key).or_default();
            *need = add(*need, own.price.times(segments)?)?;
        }
    }
    Some((holds, spends))
}

fn add(sum: i64, amount: Micros) -> Option<i64> {
    sum.checked_add(amount.get()).filter(|sum| *sum <= Micros::WALLET_MAX.get())
}
