//! `submit_multi`: one submission for each addressee, one answer for all.

use std::collections::HashMap;
use std::time::Instant;

use bytes::BytesMut;
use domain::MessageId;
use smpp::pdu::{Address, Destination, SubmitMulti, SubmitMultiResp, Unsuccessful};
use smpp::{Body, CommandId, EncodeError, Status, encode};

use super::Session;
use super::submits::Asked;
use crate::server::submit;

/// Names a `submit_multi` of this session.
pub(super) type Key = u32;

/// Those under way: no more than the window has.
#[derive(Debug, Default)]
pub(super) struct Multis {
    next: Key,
    open: HashMap<Key, Multi>,
}

#[derive(Debug)]
struct Multi {
    sequence: u32,
    /// What the customer is told: the id of the first message.
    told: MessageId,
    addressees: Vec<Addressee>,
    left: usize,
}

#[derive(Debug)]
struct Addressee {
    ton: u8,
    npi: u8,
    addr: Vec<u8>,
    status: Status,
}

impl Session {
    pub(super) fn submit_multi(&mut self, number: u32, multi: &SubmitMulti<'_>, now: Instant) {
        let utc = (self.shared.config.clock)();
        let mut addressees = Vec::new();
        let mut read = Vec::new();
        for destination in multi.destinations.iter() {
            let address = match destination {
                Destination::Address(address) => address,
                // We keep no lists.
                Destination::List(_) => return self.refuse(CommandId::SUBMIT_MULTI, Status::RCNTSUBDL, number),
            };
            let sm = smpp::pdu::Sm { destination: address, ..multi.message };
            let one = submit::from_sm(&sm, &self.system, utc);
            let status = *one.as_ref().map_or_else(|status| status, |_| &Status::ROK);
            let Address { ton, npi, addr } = address;
            addressees.push(Addressee { ton, npi, addr: addr.to_vec(), status });
            read.push(one);
        }
        let Some(told) = read.iter().find_map(|one| one.as_ref().ok().map(|read| read.submission.message_id)) else {
            let status = addressees.first().map_or(Status::RINVNUMDESTS, |first| first.status);
            return self.refuse(CommandId::SUBMIT_MULTI, status, number);
        };
        let key = self.multis.next;
        self.multis.next = key.wrapping_add(1);
        self.open += 1;
        let left = read.iter().filter(|one| one.is_ok()).count();
        self.multis.open.insert(key, Multi { sequence: number, told, addressees, left });
        for (index, one) in (0..).zip(read) {
            if let Ok(mut one) = one {
                let own = one.submission.message_id;
                one.submission.receipt_id = (own != told).then_some(told);
                self.add(Asked::Of(key, index), one, now);
            }
        }
    }

    /// The verdict on one addressee; the last one brings the answer.
    pub(super) fn answer_one(&mut self, key: Key, index: u8, status: Status) -> Result<(), EncodeError> {
        let Some(multi) = self.multis.open.get_mut(&key) else { return Ok(()) };
        if let Some(addressee) = multi.addressees.get_mut(usize::from(index)) {
            addressee.status = status;
        }
        multi.left = multi.left.saturating_sub(1);
        if multi.left > 0 {
            return Ok(());
        }
        let Some(multi) = self.multis.open.remove(&key) else { return Ok(()) };
        self.open = self.open.saturating_sub(1);
        let refused: Vec<&Addressee> = multi.addressees.iter().filter(|one| one.status != Status::ROK).collect();
        if refused.len() == multi.addressees.len() {
            self.refuse(CommandId::SUBMIT_MULTI, status, multi.sequence);
            return Ok(());
        }
        self.counted.accepted += 1;
        self.meters.answered(Status::ROK, 1);
        let mut raw = BytesMut::new();
        for one in &refused {
            let destination = Address::new(one.ton, one.npi, &one.addr);
            Unsuccessful { destination, status: one.status }.write(&mut raw)?;
        }
        let id = self.system.receipts.id_form.render(multi.told);
        let count = u8::try_from(refused.len()).unwrap_or(u8::MAX);
        let body = Body::SubmitMultiResp(SubmitMultiResp::new(id.as_bytes(), count, &raw));
        encode(&mut self.output, Status::ROK, multi.sequence, &body)
    }
}
