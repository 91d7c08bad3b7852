use proptest::prelude::*;

use super::{CONCAT_8, CONCAT_16, Concat, Element, Error, Reference, Udh, build};

const fn concat8(reference: u8, total: u8, part: u8) -> Concat {
    Concat { reference: Reference::Bits8(reference), total, part }
}

const fn concat16(reference: u16, total: u8, part: u8) -> Concat {
    Concat { reference: Reference::Bits16(reference), total, part }
}

#[test]
fn headers_that_are_read() {
    let check = |message: &[u8], concat: Option<Concat>, ids: &[u8], body: &[u8]| {
        let (udh, rest) = Udh::parse(message).unwrap();
        assert_eq!(udh.concat(), concat, "{message:02x?}");
        assert_eq!(udh.elements().map(|element| element.id).collect::<Vec<_>>(), ids, "{message:02x?}");
        assert_eq!(rest, body, "{message:02x?}");
    };
    check(&[0], None, &[], &[]);
    check(&[0, b'x'], None, &[], b"x");
    check(&[5, 0, 3, 7, 2, 1, b'h', b'i'], Some(concat8(7, 2, 1)), &[0], b"hi");
    check(&[6, 8, 4, 0x12, 0x34, 3, 3], Some(concat16(0x1234, 3, 3)), &[8], &[]);
    // Ports before and a national shift after the concatenation.
    check(&[14, 5, 4, 1, 2, 3, 4, 0, 3, 9, 2, 2, 0x24, 1, 1, b'x'], Some(concat8(9, 2, 2)), &[5, 0, 0x24], b"x");
    // The last of two counts; one without sense does not.
    check(&[10, 0, 3, 1, 2, 1, 0, 3, 2, 2, 2], Some(concat8(2, 2, 2)), &[0, 0], &[]);
    check(&[10, 0, 3, 1, 2, 1, 0, 3, 2, 0, 0], Some(concat8(1, 2, 1)), &[0, 0], &[]);
    check(&[5, 0, 3, 7, 2, 0], None, &[0], &[]);
    check(&[5, 0, 3, 7, 2, 3], None, &[0], &[]);
    check(&[6, 0, 3, 7, 2, 1, 0xFF, b'x'], Some(concat8(7, 2, 1)), &[0], b"x");
}

#[test]
fn headers_that_are_refused() {
    let check = |message: &[u8], error| assert_eq!(Udh::parse(message), Err(error), "{message:02x?}");
    check(&[], Error::Empty);
    check(&[5, 0, 3], Error::Truncated { announced: 5, available: 2 });
    check(&[255], Error::Truncated { announced: 255, available: 0 });
    check(&[3, 5, 4, 1, 1, 1], Error::ElementTruncated { id: 5 });
    check(&[4, 0, 2, 1, 1], Error::ConcatLength { id: 0, len: 2 });
    check(&[5, 8, 3, 1, 1, 1], Error::ConcatLength { id: 8, len: 3 });
}

#[test]
fn headers_that_are_built() {
    assert_eq!(concat8(7, 2, 1).prefix(b"hi"), [5, CONCAT_8, 3, 7, 2, 1, b'h', b'i']);
    assert_eq!(concat16(0x1234, 3, 2).prefix(&[]), [6, CONCAT_16, 4, 0x12, 0x34, 3, 2]);
    let long = [0; 200];
    let element = Element { id: 0x70, data: &long };
    assert_eq!(build(&[element, element]), Err(Error::TooLong(404)));
}

proptest! {
    #[test]
    fn parsing_never_panics(message in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok((udh, body)) = Udh::parse(&message) {
            prop_assert!(body.len() < message.len());
            prop_assert!(udh.elements().count() <= 127);
        }
    }

    #[test]
    fn elements_come_back(parts in prop::collection::vec((16u8..=255, prop::collection::vec(any::<u8>(), 0..40)), 0..6)) {
        let elements: Vec<_> = parts.iter().map(|(id, data)| Element { id: *id, data }).collect();
        let octets = build(&elements).unwrap();
        let (udh, body) = Udh::parse(&octets).unwrap();
        prop_assert_eq!(udh.elements().collect::<Vec<_>>(), elements);
        prop_assert!(body.is_empty());
    }

    #[test]
    fn concatenation_comes_back(reference: u16, wide: bool, total in 1u8..=255, seed: u8, body: Vec<u8>) {
        let part = 1 + seed % total;
        let reference = if wide { Reference::Bits16(reference) } else { Reference::Bits8(reference.to_be_bytes()[0]) };
        let concat = Concat { reference, total, part };
        let message = concat.prefix(&body);
        let (udh, rest) = Udh::parse(&message).unwrap();
        prop_assert_eq!(udh.concat(), Some(concat));
        prop_assert_eq!(rest, body);
        prop_assert_eq!(message.len() - rest.len(), concat.header_bytes());
    }
}
