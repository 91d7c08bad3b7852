//! `query_sm`, `cancel_sm`, `replace_sm`: rare, so each has a task of its own; the window bounds them.

use std::sync::Arc;

use contract::intake::{AboutMessage, Act, Answer, MessageReport};
use domain::{MessageId, Private};
use smpp::pdu::{Address, CancelSm, QuerySm, QuerySmResp, ReplaceSm};
use smpp::{Body, CommandId, EncodeError, Status, encode};
use tokio::time::timeout;

use super::{Reply, Session};
use crate::server::render;
use crate::server::submit;

/// The answer to a question.
#[derive(Debug)]
pub(in crate::server) struct Told {
    command: CommandId,
    sequence: u32,
    message_id: MessageId,
    answer: Result<MessageReport, Status>,
}

/// Nothing is known at this moment.
const fn unknown(command: CommandId) -> Status {
    match command {
        CommandId::QUERY_SM => Status::RQUERYFAIL,
        _ => Status::RSYSERR,
    }
}

impl Session {
    pub(super) fn query(&mut self, number: u32, query: &QuerySm<'_>) {
        self.ask((CommandId::QUERY_SM, number), query.message_id, query.source, Act::Query);
    }

    pub(super) fn cancel(&mut self, number: u32, cancel: &CancelSm<'_>) {
        if cancel.message_id.is_empty() {
            // By sender and addressee: how many that would hit nobody can tell beforehand.
            return self.refuse(CommandId::CANCEL_SM, Status::RCANCELFAIL, number);
        }
        self.ask((CommandId::CANCEL_SM, number), cancel.message_id, cancel.source, Act::Cancel);
    }

    pub(super) fn replace(&mut self, number: u32, replace: &ReplaceSm<'_>) {
        match self.replacement(replace) {
            Ok(act) => self.ask((CommandId::REPLACE_SM, number), replace.message_id, replace.source, act),
            Err(status) => self.refuse(CommandId::REPLACE_SM, status, number),
        }
    }

    fn replacement(&self, replace: &ReplaceSm<'_>) -> Result<Act, Status> {
        let now = (self.shared.config.clock)();
        let payload = replace.tlvs.message_payload().filter(|payload| !payload.is_empty());
        let octets = match payload {
            Some(_) if !replace.short_message.is_empty() => return Err(Status::RINVMSGLEN),
            Some(payload) => payload,
            None => replace.short_message,
        };
        let scheduled_at = submit::schedule(replace.schedule_delivery_time, now)?;
        let expires_at = submit::validity(replace.validity_period, replace.tlvs, scheduled_at.unwrap_or(now), now)?;
        // The PDU has no `data_coding`: the system's default is meant.
        let (text, encoding) = submit::read_text(octets, 0, self.system.default_alphabet, 0);
        Ok(Act::Replace { text: Private::new(text), encoding, scheduled_at, expires_at })
    }

    fn ask(&mut self, (command, sequence): (CommandId, u32), id: &[u8], source: Address<'_>, act: Act) {
        let id = std::str::from_utf8(id).ok().and_then(|id| self.system.receipts.id_form.parse(id.trim()));
        let Some(message_id) = id else { return self.refuse(command, Status::RINVMSGID, sequence) };
        self.open += 1;
        let about = AboutMessage {
            account_id: self.system.account_id,
            system_id: self.system.id,
            message_id,
            from: submit::lossy(source.addr.trim_ascii()),
            act,
        };
        let (intake, limit) = (Arc::clone(&self.shared.intake), self.shared.bounds.intake_timeout);
        let replies = self.replies.clone();
        tokio::spawn(async move {
            let answer = match timeout(limit, intake.about(&about)).await {
                Ok(Ok(Answer::Report(report))) => Ok(report),
                Ok(Ok(Answer::Refused(refusal))) => Err(Status(refusal.status)),
                Ok(Err(error)) => {
                    tracing::warn!(error = %format!("{error:#}"), "the intake cannot tell of a message");
                    Err(unknown(command))
                }
                Err(_) => Err(unknown(command)),
            };
            let _ = replies.send(Reply::About(Told { command, sequence, message_id, answer }));
        });
    }

    pub(super) fn answer_about(&mut self, told: &Told) -> Result<(), EncodeError> {
        self.open = self.open.saturating_sub(1);
        let report = match &told.answer {
            Ok(report) => report,
            Err(status) => {
                let status = if *status == Status::ROK { Status::RSYSERR } else { *status };
                self.refuse(told.command, status, told.sequence);
                return Ok(());
            }
        };
        self.meters.answered(Status::ROK, 1);
        let id = self.system.receipts.id_form.render(told.message_id);
        let date = report.final_at.map(|at| at.format("%y%m%d%H%M%S000+").to_string()).unwrap_or_default();
        let body = match told.command {
            CommandId::CANCEL_SM => Body::CancelSmResp,
            CommandId::REPLACE_SM => Body::ReplaceSmResp,
            _ => Body::QuerySmResp(QuerySmResp {
                message_id: id.as_bytes(),
                final_date: date.as_bytes(),
                message_state: render::state(report.state).tlv(),
                error_code: report.error,
            }),
        };
        encode(&mut self.output, Status::ROK, told.sequence, &body)
    }
}
