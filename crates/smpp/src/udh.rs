//! The user data header in front of a short message (3GPP TS 23.040, 9.2.3.24): read in any order, kept when
//! unknown, refused when malformed, and built for concatenation.

/// Information element id: concatenation with an 8-bit reference.
pub const CONCAT_8: u8 = 0x00;
/// Information element id: concatenation with a 16-bit reference.
pub const CONCAT_16: u8 = 0x08;

/// Why a header cannot be read or built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The message is empty, so there is not even a length.
    #[error("message is empty, a header was announced")]
    Empty,
    /// The header's length points past the end of the message.
    #[error("header of {announced} octets in a message that has {available}")]
    Truncated {
        /// Octets that the length field announces.
        announced: usize,
        /// Octets that follow the length field.
        available: usize,
    },
    /// An element's length points past the end of the header.
    #[error("element {id:#04x} runs past the end of the header")]
    ElementTruncated {
        /// The element's id.
        id: u8,
    },
    /// A concatenation element has a length that its format does not have.
    #[error("concatenation element {id:#04x} has {len} octets")]
    ConcatLength {
        /// The element's id.
        id: u8,
        /// Octets found.
        len: usize,
    },
    /// Elements to build do not fit into 255 octets.
    #[error("header of {0} octets is longer than 255")]
    TooLong(usize),
}

/// One information element, known or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// What it is (9.2.3.24, table of identifiers).
    pub id: u8,
    /// Its value, at most 255 octets.
    pub data: &'a [u8],
}

/// The number that the parts of one message share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reference {
    /// Of one octet.
    Bits8(u8),
    /// Of two octets.
    Bits16(u16),
}

/// Which part of which message a segment is. **Invariant** of one that was read: `1 <= part <= total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Concat {
    /// Shared by all parts of the message.
    pub reference: Reference,
    /// Number of parts, from 1.
    pub total: u8,
    /// This part, from 1.
    pub part: u8,
}

impl Concat {
    /// Octets of the header that [`Concat::write`] makes, its length octet included.
    pub const fn header_bytes(&self) -> usize {
        match self.reference {
            Reference::Bits8(_) => 6,
            Reference::Bits16(_) => 7,
        }
    }

    /// Appends a whole header, length octet first, that holds only this concatenation.
    pub fn write(&self, octets: &mut Vec<u8>) {
        match self.reference {
            Reference::Bits8(reference) => {
                octets.extend([5, CONCAT_8, 3, reference, self.total, self.part]);
            }
            Reference::Bits16(reference) => {
                let [high, low] = reference.to_be_bytes();
                octets.extend([6, CONCAT_16, 4, high, low, self.total, self.part]);
            }
        }
    }

    /// A `short_message`: this header and then `body`. Set the UDHI bit of `esm_class` (0x40) with it.
    pub fn prefix(&self, body: &[u8]) -> Vec<u8> {
        let mut octets = Vec::with_capacity(self.header_bytes() + body.len());
        self.write(&mut octets);
        octets.extend_from_slice(body);
        octets
    }

    /// `Ok(None)` for an element of another kind, and for one whose numbers make no sense: that is to be ignored
    /// (9.2.3.24.1: a zero or a part above the total).
    fn from_element(element: Element<'_>) -> Result<Option<Self>, Error> {
        let Element { id, data } = element;
        let (reference, total, part) = match (id, data) {
            (CONCAT_8, &[reference, total, part]) => (Reference::Bits8(reference), total, part),
            (CONCAT_16, &[high, low, total, part]) => (Reference::Bits16(u16::from_be_bytes([high, low])), total, part),
            (CONCAT_8 | CONCAT_16, _) => {
                return Err(Error::ConcatLength { id, len: data.len() });
            }
            _ => return Ok(None),
        };
        let sane = part >= 1 && part <= total;
        Ok(sane.then_some(Self { reference, total, part }))
    }
}

/// A header that was read. **Invariant:** its octets are a whole number of whole elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udh<'a> {
    octets: &'a [u8],
    concat: Option<Concat>,
}

impl<'a> Udh<'a> {
    /// Splits a message whose UDHI bit is set into header and body.
    pub fn parse(message: &'a [u8]) -> Result<(Self, &'a [u8]), Error> {
        let (&announced, rest) = message.split_first().ok_or(Error::Empty)?;
        let announced = usize::from(announced);
        let (octets, body) =
            rest.split_at_checked(announced).ok_or(Error::Truncated { announced, available: rest.len() })?;
        let mut concat = None;
        let mut unread = octets;
        while let Some((element, rest)) = next_element(unread)? {
            // Of elements that exclude each other the last counts (9.2.3.24).
            concat = Concat::from_element(element)?.or(concat);
            unread = rest;
        }
        Ok((Self { octets, concat }, body))
    }

    /// Which part of which message this is; `None` for a message of one part.
    pub const fn concat(&self) -> Option<Concat> {
        self.concat
    }

    /// All elements in their order, unknown ones too.
    pub fn elements(&self) -> impl Iterator<Item = Element<'a>> + use<'a> {
        let mut unread = self.octets;
        std::iter::from_fn(move || {
            let (element, rest) = next_element(unread).ok().flatten()?;
            unread = rest;
            Some(element)
        })
    }
}

/// The first element of `octets` and what follows it; `None` at the end. A lone octet at the end is padding that
/// some handsets send; it is dropped.
fn next_element(octets: &[u8]) -> Result<Option<(Element<'_>, &[u8])>, Error> {
    let &[id, len, ref rest @ ..] = octets else {
        return Ok(None);
    };
    match rest.split_at_checked(usize::from(len)) {
        Some((data, rest)) => Ok(Some((Element { id, data }, rest))),
        None => Err(Error::ElementTruncated { id }),
    }
}

/// A whole header, length octet first, from elements in the given order.
pub fn build(elements: &[Element<'_>]) -> Result<Vec<u8>, Error> {
    let len: usize = elements.iter().map(|element| 2 + element.data.len()).sum();
    let mut octets = Vec::with_capacity(1 + len);
    octets.push(u8::try_from(len).map_err(|_| Error::TooLong(len))?);
    for element in elements {
        let data_len = u8::try_from(element.data.len()).map_err(|_| Error::TooLong(len))?;
        octets.extend([element.id, data_len]);
        octets.extend_from_slice(element.data);
    }
    Ok(octets)
}

#[cfg(test)]
mod tests;
