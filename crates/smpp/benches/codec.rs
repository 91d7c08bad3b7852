//! What reading and writing one PDU costs: nanoseconds, allocations, and how that compares to `rusmpp-core`.
//!
//! `cargo bench -p smpp --bench codec`. Targets: decode at most 80 ns and encode at most 50 ns for a `submit_sm`,
//! without an allocation. Ends with an error when one allocates that must not; times depend on the machine and are
//! for reading only.

#![expect(clippy::print_stdout, reason = "the table is what this program is for")]
#![expect(clippy::unwrap_used, reason = "a failure here is a failure of the benchmark")]

use std::hint::black_box;
use std::time::Instant;

use bytes::BytesMut;
use rusmpp_core::command::borrowed::Command as Borrowed;
use rusmpp_core::command::owned::Command;
use rusmpp_core::decode::borrowed::DecodeWithLength as _;
use rusmpp_core::decode::owned::DecodeWithLength as _;
use rusmpp_core::encode::owned::Encode as _;
use smpp::pdu::{Address, MessageResp, Sm};
use smpp::{Body, Policy, Status, Tag, Tlvs, tlv};

/// Short rounds of which the best counts: the machine has other things to do, but not all the time.
const ROUNDS: u32 = 2_000;
const TIMES: u32 = 1_000;

/// What one step costs.
#[derive(Clone, Copy)]
struct Cost {
    /// Tenths of nanoseconds.
    tenths_ns: u128,
    allocations: u64,
}

fn measure(mut step: impl FnMut()) -> Cost {
    step();
    let allocations = allocation_counter::measure(&mut step).count_total;
    let best = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        (0..TIMES).for_each(|_| step());
        start.elapsed().as_nanos()
    });
    Cost { tenths_ns: best.min().unwrap() * 10 / u128::from(TIMES), allocations }
}

fn row(name: &str, bytes: usize, ours: Cost, theirs: Option<Cost>) {
    let ns = |cost: Cost| format!("{}.{}", cost.tenths_ns / 10, cost.tenths_ns % 10);
    let ratio = |theirs: Cost| {
        let hundredths = theirs.tenths_ns * 100 / ours.tenths_ns.max(1);
        format!(
            "{} ns, {} allocations, {}.{:02} times ours",
            ns(theirs),
            theirs.allocations,
            hundredths / 100,
            hundredths % 100
        )
    };
    let other = theirs.map_or_else(String::new, |theirs| format!("   rusmpp: {}", ratio(theirs)));
    println!("{name:32} {bytes:4} B {:>8} ns {} allocations{other}", ns(ours), ours.allocations);
}

/// Octets of a PDU as both sides read it.
fn pdu(body: &Body<'_>) -> Vec<u8> {
    let mut out = BytesMut::new();
    smpp::encode(&mut out, Status::ROK, 77, body).unwrap();
    out.to_vec()
}

/// One kind of PDU: written and read, here and there; returns whether ours did so without an allocation.
fn compare(name: &str, body: &Body<'_>) -> bool {
    let octets = pdu(body);
    let decode = measure(|| {
        let frame = smpp::decode(black_box(&octets), Policy::Lenient).unwrap();
        black_box(frame.body.is_ok());
        black_box(&frame);
    });
    let length = octets.len() - 4;
    let borrowed = measure(|| {
        let command: (Borrowed<'_, 16>, usize) = Borrowed::decode(black_box(&octets[4..]), length).unwrap();
        black_box(&command);
    });
    row(&format!("{name}, decode"), octets.len(), decode, Some(borrowed));
    let mut out = BytesMut::with_capacity(64 * 1024);
    let encode = measure(|| {
        out.clear();
        smpp::encode(&mut out, Status::ROK, 77, black_box(body)).unwrap();
        black_box(&out);
    });
    let (command, _) = Command::decode(&mut BytesMut::from(&octets[4..]), length).unwrap();
    let theirs = measure(|| {
        out.clear();
        black_box(&command).encode(&mut out);
        black_box(&out);
    });
    row(&format!("{name}, encode"), octets.len(), encode, Some(theirs));
    decode.allocations == 0 && encode.allocations == 0
}

fn main() {
    let mut tlvs = BytesMut::new();
    tlv::put(&mut tlvs, Tag::USER_MESSAGE_REFERENCE, &[0, 7]).unwrap();
    let text = [b'x'; 143];
    let submit = Sm {
        source: Address::new(5, 0, b"Acme"),
        destination: Address::new(1, 1, b"998901234567"),
        registered_delivery: 1,
        validity_period: b"000001000000000R",
        short_message: &text,
        tlvs: Tlvs::new(&tlvs),
        ..Sm::default()
    };
    let mut receipt_tlvs = BytesMut::new();
    tlv::put_text(&mut receipt_tlvs, Tag::RECEIPTED_MESSAGE_ID, b"1790000000000001").unwrap();
    tlv::put(&mut receipt_tlvs, Tag::MESSAGE_STATE, &[2]).unwrap();
    let receipt = b"id:1790000000000001 sub:001 dlvrd:001 submit date:2611230905 done date:2611230905 \
                    stat:DELIVRD err:000 text:";
    let deliver = Sm { esm_class: 4, short_message: receipt, tlvs: Tlvs::new(&receipt_tlvs), ..submit };
    let resp = MessageResp::new(b"01JD8M5Q0V3Z9K2XW7RY4T6H1C");
    let frugal = [
        compare("submit_sm", &Body::SubmitSm(submit)),
        compare("deliver_sm (receipt)", &Body::DeliverSm(deliver)),
        compare("submit_sm_resp", &Body::SubmitSmResp(resp)),
        compare("enquire_link", &Body::EnquireLink),
    ];
    let read = measure(|| {
        black_box(smpp::receipt::parse(black_box(receipt)));
    });
    row("receipt text, parse", receipt.len(), read, None);
    assert!(frugal.into_iter().all(|frugal| frugal), "reading or writing a PDU allocated");
}
