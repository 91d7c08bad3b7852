use super::*;
use State::{Buffered, Delivered, Expired, Failed, Rejected, Sent, Unconfirmed, Undelivered};
use Verdict::{End, Ignore, Reroute, Wait};

const FAILED: Why = Why::Receipt { elsewhere: true };
const SUBSCRIBER: Why = Why::Receipt { elsewhere: false };
const REFUSED: Why = Why::Submit { elsewhere: true };
const BAD: Why = Why::Submit { elsewhere: false };
const NONE: Why = Why::NoReceipt;
const GO: Verdict = Reroute { waits: false };
const GO_OR_WAIT: Verdict = Reroute { waits: true };

/// A message with these parts of hops 0, 1 and so on, a minute before its validity ends.
fn standing(state: State, hops_max: Option<u8>, hops: &[&[State]]) -> Standing {
    let part = |hop: usize, state: &State| Part { hop: u8::try_from(hop).unwrap(), state: *state, error: None };
    let parts: Vec<Part> =
        hops.iter().enumerate().flat_map(|(hop, states)| states.iter().map(move |state| part(hop, state))).collect();
    let segments = hops.iter().map(|states| states.len()).max().unwrap_or(1);
    Standing {
        state,
        hop: u8::try_from(hops.len() - 1).unwrap(),
        segments: u8::try_from(segments).unwrap(),
        hops_max,
        expires_at: DateTime::from_timestamp(60, 0).unwrap(),
        is_between: false,
        has_lapsed: false,
        parts,
    }
}

#[test]
fn each_end_of_a_hop_has_its_verdict() {
    type Row<'a> = (State, Option<u8>, &'a [&'a [State]], Why, Verdict);
    let on = Some(3);
    let rows: [Row<'_>; 34] = [
        // One segment: by policy, class, and bound.
        (Sent, on, &[&[Undelivered]], FAILED, GO),
        (Sent, on, &[&[Rejected]], FAILED, GO),
        (Buffered, on, &[&[Undelivered]], FAILED, GO),
        (Sent, on, &[&[Undelivered]], SUBSCRIBER, End),
        (Sent, None, &[&[Undelivered]], FAILED, End),
        (Sent, Some(1), &[&[Undelivered]], FAILED, End),
        (Sent, on, &[&[Undelivered], &[Undelivered]], FAILED, GO),
        (Sent, Some(2), &[&[Undelivered], &[Undelivered]], FAILED, End),
        (Sent, on, &[&[Undelivered], &[Undelivered], &[Undelivered]], FAILED, End),
        (Sent, Some(200), &[&[Undelivered], &[Undelivered], &[Undelivered]], FAILED, End),
        // What has ended stays so; a late receipt corrects what nobody knew.
        (Unconfirmed, on, &[&[Undelivered]], FAILED, End),
        (Unconfirmed, on, &[&[Sent]], NONE, Ignore),
        (Delivered, on, &[&[Delivered]], NONE, Ignore),
        // Several segments: all must have their receipts, and none may have arrived.
        (Sent, on, &[&[Undelivered, Sent]], FAILED, Wait),
        (Sent, on, &[&[Undelivered, Sent]], SUBSCRIBER, End),
        (Sent, None, &[&[Undelivered, Sent]], FAILED, End),
        (Sent, on, &[&[Undelivered, Undelivered]], FAILED, GO),
        (Buffered, on, &[&[Undelivered, Delivered]], FAILED, End),
        (Buffered, on, &[&[Sent, Delivered]], NONE, Wait),
        (Buffered, on, &[&[Undelivered, Delivered], &[Undelivered, Undelivered]], FAILED, End),
        // No receipt in time: nothing ends by that alone.
        (Sent, on, &[&[Sent]], NONE, GO_OR_WAIT),
        (State::Queued, on, &[&[Sent]], NONE, GO_OR_WAIT),
        (Sent, on, &[&[Undelivered, Sent]], NONE, GO),
        (Sent, None, &[&[Sent]], NONE, Wait),
        (Sent, Some(1), &[&[Sent]], NONE, Wait),
        // The operator before has not said how it ended.
        (Sent, on, &[&[Sent], &[Undelivered]], FAILED, GO_OR_WAIT),
        (Sent, Some(2), &[&[Sent], &[Undelivered]], FAILED, Wait),
        (Sent, Some(2), &[&[Sent], &[Undelivered]], SUBSCRIBER, End),
        // Refused submits.
        (State::Queued, None, &[&[Failed]], REFUSED, GO),
        (State::Queued, None, &[&[Failed, Sent]], REFUSED, End),
        (State::Queued, on, &[&[Failed, Sent]], REFUSED, GO),
        (State::Queued, on, &[&[Failed]], BAD, End),
        (Sent, on, &[&[Undelivered], &[Failed]], REFUSED, GO),
        (Sent, Some(2), &[&[Sent], &[Failed]], REFUSED, Wait),
    ];
    for (state, hops_max, hops, why, expected) in rows {
        let standing = standing(state, hops_max, hops);
        let found = verdict(&standing, standing.hop, why, DateTime::UNIX_EPOCH);
        assert_eq!(found, expected, "{state} {hops_max:?} {hops:?} {why:?}");
    }
}

#[test]
fn nothing_is_sent_after_its_validity_and_old_hops_say_nothing() {
    let rows = [(FAILED, End), (NONE, Wait)];
    for (why, expected) in rows {
        let one = standing(Sent, Some(3), &[&[if why == NONE { Sent } else { Undelivered }]]);
        assert_eq!(verdict(&one, 0, why, one.expires_at), expected, "{why:?}");
    }
    let second = standing(Sent, Some(3), &[&[Undelivered], &[Sent]]);
    for why in [FAILED, SUBSCRIBER, NONE, REFUSED] {
        assert_eq!(verdict(&second, 0, why, DateTime::UNIX_EPOCH), Ignore, "{why:?}");
    }
}

#[test]
fn an_earlier_hop_has_the_last_word_where_the_later_ones_have_failed() {
    type Row<'a> = (Option<u8>, &'a [&'a [State]], u8, Why, Verdict);
    let (two, three) = (Some(2), Some(3));
    let rows: [Row<'_>; 19] = [
        // The first says it last.
        (two, &[&[Undelivered], &[Undelivered]], 0, FAILED, End),
        (two, &[&[Undelivered], &[Undelivered]], 0, SUBSCRIBER, End),
        (two, &[&[Undelivered], &[Failed]], 0, FAILED, End),
        (three, &[&[Undelivered], &[Undelivered]], 0, FAILED, GO),
        (three, &[&[Undelivered], &[Undelivered]], 0, SUBSCRIBER, End),
        (None, &[&[Undelivered], &[Undelivered]], 0, FAILED, End),
        // The later one has it, or goes on.
        (two, &[&[Undelivered], &[Sent]], 0, FAILED, Ignore),
        (two, &[&[Undelivered], &[]], 0, FAILED, Ignore),
        (two, &[&[Undelivered], &[Undelivered]], 0, NONE, Ignore),
        (two, &[&[Failed], &[Undelivered]], 0, REFUSED, Ignore),
        // Of three, all must have failed.
        (three, &[&[Undelivered], &[Sent], &[Undelivered]], 0, FAILED, Wait),
        (three, &[&[Sent], &[Undelivered], &[Undelivered]], 1, FAILED, Wait),
        (three, &[&[Undelivered], &[Undelivered], &[Undelivered]], 1, FAILED, End),
        (three, &[&[Undelivered], &[Undelivered], &[Sent]], 1, FAILED, Ignore),
        // Several segments: one that failed decides, unless the message goes on whole.
        (two, &[&[Undelivered, Sent], &[Undelivered, Undelivered]], 0, FAILED, End),
        (two, &[&[Undelivered, Sent], &[Undelivered, Delivered]], 0, FAILED, End),
        (three, &[&[Undelivered, Sent], &[Undelivered, Undelivered]], 0, FAILED, Wait),
        (three, &[&[Undelivered, Undelivered], &[Undelivered, Sent]], 0, FAILED, Wait),
        (three, &[&[Undelivered, Undelivered], &[Undelivered, Undelivered]], 0, FAILED, GO),
    ];
    for (hops_max, hops, hop, why, expected) in rows {
        let found = verdict(&standing(Sent, hops_max, hops), hop, why, DateTime::UNIX_EPOCH);
        assert_eq!(found, expected, "{hops_max:?} {hops:?} {hop} {why:?}");
    }
}

#[test]
fn an_earlier_hop_has_the_last_word_where_nobody_else_got_it() {
    // Its validity ended in the queue of the second; or it was taken from there, and is on its way to another.
    for (has_lapsed, now, expected) in [(true, 60, End), (false, 0, GO), (false, 60, End)] {
        let one = standing(Sent, Some(2), &[&[Undelivered], &[]]);
        let one = Standing { has_lapsed, is_between: !has_lapsed, ..one };
        let now = DateTime::from_timestamp(now, 0).unwrap();
        assert_eq!(verdict(&one, 0, FAILED, now), expected, "{has_lapsed} {now}");
        assert_eq!(verdict(&one, 0, SUBSCRIBER, now), End, "{has_lapsed} {now}");
    }
}

#[test]
fn some_failures_are_the_same_everywhere() {
    let rows = [
        (Undelivered, Some("absent_subscriber"), false),
        (Undelivered, Some("unknown_subscriber"), false),
        (Undelivered, Some("network_error"), true),
        (Undelivered, Some("filtered"), true),
        (Undelivered, Some("0b2"), true),
        (Undelivered, None, true),
        (Rejected, None, true),
        (Expired, None, false),
        (Expired, Some("network_error"), false),
    ];
    for (state, code, expected) in rows {
        assert_eq!(elsewhere(state, code), expected, "{state} {code:?}");
    }
}

#[test]
fn a_hop_says_why_it_failed() {
    let mut one = standing(Sent, Some(3), &[&[Undelivered, Delivered]]);
    assert_eq!((one.state_of(0), one.error_of(0), one.accepted_at(0)), (Undelivered, None, 2));
    one.parts[0].error = Some("000".to_owned());
    assert_eq!(one.error_of(0), None);
    one.parts[0].error = Some("0b2".to_owned());
    assert_eq!(one.error_of(0), Some("0b2"));
}
