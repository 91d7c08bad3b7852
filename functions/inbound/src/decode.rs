//! From the octets of parts to the text of a message.

use std::fmt::Write as _;

use contract::{Alphabet, Encoding, InboundPart};
use smpp::text::{self, gsm7};

/// Stands where parts are missing. All of it is in the GSM alphabet.
pub(crate) const MISSING: &str = "[...]";

/// What parts say, in their order. Octets are joined before they are read, for a character may be cut in two; what
/// has no character becomes U+FFFD. If anything is binary all of it is: two hexadecimal digits per octet, and nothing
/// for what is missing.
pub(crate) fn read(parts: &[Option<InboundPart>]) -> (String, Encoding) {
    if parts.iter().flatten().any(|part| part.alphabet == Alphabet::Binary) {
        let octets = parts.iter().flatten().flat_map(|part| &part.octets.0);
        return (hex(octets), Encoding::Binary);
    }
    let mut reader = Reader::default();
    for part in parts {
        match part {
            Some(part) => reader.part(part),
            None => reader.gap(),
        }
    }
    let said = reader.end();
    let encoding = match text::count(&said).encoding {
        text::Encoding::Gsm7 => Encoding::Gsm7,
        text::Encoding::Ucs2 | text::Encoding::Latin1 => Encoding::Ucs2,
    };
    (said, encoding)
}

fn hex<'a>(octets: impl Iterator<Item = &'a u8>) -> String {
    octets.fold(String::new(), |mut digits, octet| {
        // A string takes all that is written to it.
        let _ = write!(digits, "{octet:02x}");
        digits
    })
}

/// Octets of one alphabet that follow each other.
#[derive(Default)]
struct Reader {
    text: String,
    alphabet: Alphabet,
    octets: Vec<u8>,
}

impl Reader {
    fn part(&mut self, part: &InboundPart) {
        let octets = &part.octets.0;
        let (alphabet, octets) = match part.alphabet {
            // Packed parts begin anew; their septets are joined, not their octets.
            Alphabet::Gsm7Packed => (Alphabet::Gsm7, gsm7::unpack_filled(octets, usize::from(part.header_bytes))),
            alphabet => (alphabet, octets.clone()),
        };
        if alphabet != self.alphabet {
            self.flush();
            self.alphabet = alphabet;
        }
        self.octets.extend(octets);
    }

    fn gap(&mut self) {
        self.flush();
        if !self.text.ends_with(MISSING) {
            self.text.push_str(MISSING);
        }
    }

    fn flush(&mut self) {
        let octets = std::mem::take(&mut self.octets);
        self.text.push_str(&decode(&octets, self.alphabet));
    }

    fn end(mut self) -> String {
        self.flush();
        // U+0000 is no character of a text, and a database refuses it.
        self.text.replace('\0', "\u{FFFD}")
    }
}

fn decode(octets: &[u8], alphabet: Alphabet) -> String {
    let ascii = |octet: &u8| if octet.is_ascii() { char::from(*octet) } else { char::REPLACEMENT_CHARACTER };
    match alphabet {
        Alphabet::Gsm7 | Alphabet::Gsm7Packed => gsm7::decode(octets),
        Alphabet::Latin1 => text::decode(octets, text::Encoding::Latin1),
        Alphabet::Ucs2 => text::decode(octets, text::Encoding::Ucs2),
        Alphabet::Ascii => octets.iter().map(ascii).collect(),
        Alphabet::Binary => hex(octets.iter()),
    }
}
