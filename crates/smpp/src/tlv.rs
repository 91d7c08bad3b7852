//! Optional parameters (TLVs, SMPP 3.4 §5.3): walked lazily over the bytes of the PDU, never copied, never trusted.

use bytes::{BufMut, BytesMut};

use crate::frame::EncodeError;

/// The tag of an optional parameter. Unknown tags are legal and survive; 0x1400 to 0x3FFF belong to vendors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub u16);

impl Tag {
    /// Text that explains a status (`additional_status_info_text`).
    pub const ADDITIONAL_STATUS_INFO: Self = Self(0x001D);
    /// The id that a receipt is about, as given in the `submit_sm_resp`.
    pub const RECEIPTED_MESSAGE_ID: Self = Self(0x001E);
    /// A reference chosen by the sender, echoed in answers of the handset.
    pub const USER_MESSAGE_REFERENCE: Self = Self(0x0204);
    /// Application port of the sender.
    pub const SOURCE_PORT: Self = Self(0x020A);
    /// Application port of the addressee.
    pub const DESTINATION_PORT: Self = Self(0x020B);
    /// Reference of a concatenated message that uses no UDH.
    pub const SAR_MSG_REF_NUM: Self = Self(0x020C);
    /// Number of parts of such a message.
    pub const SAR_TOTAL_SEGMENTS: Self = Self(0x020E);
    /// Number of this part, from 1.
    pub const SAR_SEGMENT_SEQNUM: Self = Self(0x020F);
    /// Version the SMSC speaks, in bind responses.
    pub const SC_INTERFACE_VERSION: Self = Self(0x0210);
    /// Number to call back.
    pub const CALLBACK_NUM: Self = Self(0x0381);
    /// Availability of the handset (`alert_notification`).
    pub const MS_AVAILABILITY_STATUS: Self = Self(0x0422);
    /// Network type (1 octet) and error code (2 octets).
    pub const NETWORK_ERROR_CODE: Self = Self(0x0423);
    /// The text, where it does not fit `short_message`.
    pub const MESSAGE_PAYLOAD: Self = Self(0x0424);
    /// Why a `data_sm` was not delivered.
    pub const DELIVERY_FAILURE_REASON: Self = Self(0x0425);
    /// More messages follow to the same handset.
    pub const MORE_MESSAGES_TO_SEND: Self = Self(0x0426);
    /// Final state of a message, in receipts (1 ENROUTE, 2 DELIVERED, 3 EXPIRED, …).
    pub const MESSAGE_STATE: Self = Self(0x0427);
}

impl Tag {
    /// The name in the specification (3.4, 5.3.2, with what 5.0 added); `vendor` in the range of vendors, `unknown`
    /// otherwise.
    pub const fn name(self) -> &'static str {
        match self.0 {
            0x0005 => "dest_addr_subunit",
            0x0006 => "dest_network_type",
            0x0007 => "dest_bearer_type",
            0x0008 => "dest_telematics_id",
            0x000D => "source_addr_subunit",
            0x000E => "source_network_type",
            0x000F => "source_bearer_type",
            0x0010 => "source_telematics_id",
            0x0017 => "qos_time_to_live",
            0x0019 => "payload_type",
            0x001D => "additional_status_info_text",
            0x001E => "receipted_message_id",
            0x0030 => "ms_msg_wait_facilities",
            0x0201 => "privacy_indicator",
            0x0202 => "source_subaddress",
            0x0203 => "dest_subaddress",
            0x0204 => "user_message_reference",
            0x0205 => "user_response_code",
            0x020A => "source_port",
            0x020B => "destination_port",
            0x020C => "sar_msg_ref_num",
            0x020D => "language_indicator",
            0x020E => "sar_total_segments",
            0x020F => "sar_segment_seqnum",
            0x0210 => "sc_interface_version",
            0x0302 => "callback_num_pres_ind",
            0x0303 => "callback_num_atag",
            0x0304 => "number_of_messages",
            0x0381 => "callback_num",
            0x0420 => "dpf_result",
            0x0421 => "set_dpf",
            0x0422 => "ms_availability_status",
            0x0423 => "network_error_code",
            0x0424 => "message_payload",
            0x0425 => "delivery_failure_reason",
            0x0426 => "more_messages_to_send",
            0x0427 => "message_state",
            0x0428 => "congestion_state",
            0x0501 => "ussd_service_op",
            0x060B => "billing_identification",
            0x060D => "source_network_id",
            0x060E => "dest_network_id",
            0x060F => "source_node_id",
            0x0610 => "dest_node_id",
            0x0611 => "dest_addr_np_resolution",
            0x0612 => "dest_addr_np_information",
            0x0613 => "dest_addr_np_country",
            0x1201 => "display_time",
            0x1203 => "sms_signal",
            0x1204 => "ms_validity",
            0x130C => "alert_on_message_delivery",
            0x1380 => "its_reply_type",
            0x1383 => "its_session_info",
            0x1400..=0x3FFF => "vendor",
            _ => "unknown",
        }
    }
}

/// One optional parameter, borrowed from its PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// Which parameter.
    pub tag: Tag,
    /// Its octets, as sent.
    pub value: &'a [u8],
}

impl<'a> Tlv<'a> {
    /// The value as an unsigned integer, big endian, if it is 1, 2 or 4 octets long. Peers often send another width
    /// than the specification's, so the width is theirs and the meaning is ours.
    pub fn int(&self) -> Option<u32> {
        match *self.value {
            [a] => Some(u32::from(a)),
            [a, b] => Some(u32::from(u16::from_be_bytes([a, b]))),
            [a, b, c, d] => Some(u32::from_be_bytes([a, b, c, d])),
            _ => None,
        }
    }

    /// The value as a string: up to the first NUL, or all of it where there is none (many peers leave it out).
    pub fn text(&self) -> &'a [u8] {
        let end = self.value.iter().position(|&b| b == 0).unwrap_or(self.value.len());
        self.value.get(..end).unwrap_or_default()
    }
}

/// The optional parameters of one PDU: raw bytes, read on demand. A tail that is cut short is dropped.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Tlvs<'a>(&'a [u8]);

impl<'a> Tlvs<'a> {
    /// No optional parameters.
    pub const NONE: Self = Self(&[]);

    /// Reads `raw` as a sequence of TLVs; [`put`] makes such bytes.
    pub const fn new(raw: &'a [u8]) -> Self {
        Self(raw)
    }

    /// The bytes as they were on the wire.
    pub const fn raw(self) -> &'a [u8] {
        self.0
    }

    /// Whether there is not a byte of them.
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The parameters in the order sent.
    pub const fn iter(self) -> Iter<'a> {
        Iter(self.0)
    }

    /// The first parameter with this tag.
    pub fn get(self, tag: Tag) -> Option<Tlv<'a>> {
        self.iter().find(|tlv| tlv.tag == tag)
    }

    /// The first parameter with this tag, as an integer of any usual width.
    pub fn int(self, tag: Tag) -> Option<u32> {
        self.get(tag).and_then(|tlv| tlv.int())
    }

    /// The first parameter with this tag, as a string with or without NUL.
    pub fn text(self, tag: Tag) -> Option<&'a [u8]> {
        self.get(tag).map(|tlv| tlv.text())
    }

    /// The id a receipt is about; `None` where it is missing or empty.
    pub fn receipted_message_id(self) -> Option<&'a [u8]> {
        self.text(Tag::RECEIPTED_MESSAGE_ID).filter(|id| !id.is_empty())
    }

    /// Final state of a message, in receipts.
    pub fn message_state(self) -> Option<u32> {
        self.int(Tag::MESSAGE_STATE)
    }

    /// The text that did not fit `short_message`.
    pub fn message_payload(self) -> Option<&'a [u8]> {
        self.get(Tag::MESSAGE_PAYLOAD).map(|tlv| tlv.value)
    }
}

impl std::fmt::Debug for Tlvs<'_> {
    /// Tags and lengths only: values may be message text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = self.iter().map(|tlv| (format!("0x{:04X}", tlv.tag.0), tlv.value.len()));
        f.debug_map().entries(shown).finish()
    }
}

impl<'a> IntoIterator for Tlvs<'a> {
    type Item = Tlv<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Walks the parameters of one PDU.
#[derive(Clone, Debug)]
pub struct Iter<'a>(&'a [u8]);

impl<'a> Iterator for Iter<'a> {
    type Item = Tlv<'a>;

    fn next(&mut self) -> Option<Tlv<'a>> {
        let (&[tag_high, tag_low, len_high, len_low], rest) = self.0.split_first_chunk::<4>()?;
        let tag = Tag(u16::from_be_bytes([tag_high, tag_low]));
        let len = usize::from(u16::from_be_bytes([len_high, len_low]));
        let Some((value, rest)) = rest.split_at_checked(len) else {
            self.0 = &[];
            return None;
        };
        self.0 = rest;
        Some(Tlv { tag, value })
    }
}

/// Appends one parameter. A value that its 16-bit length cannot tell is refused, and nothing is written.
pub fn put(out: &mut BytesMut, tag: Tag, value: &[u8]) -> Result<(), EncodeError> {
    let len = u16::try_from(value.len()).map_err(|_| EncodeError::TooLong { field: "tlv" })?;
    out.put_u16(tag.0);
    out.put_u16(len);
    out.put_slice(value);
    Ok(())
}

/// Appends a parameter that is a string: its octets and the closing NUL.
pub fn put_text(out: &mut BytesMut, tag: Tag, text: &[u8]) -> Result<(), EncodeError> {
    let len = u16::try_from(text.len().saturating_add(1)).map_err(|_| EncodeError::TooLong { field: "tlv" })?;
    out.put_u16(tag.0);
    out.put_u16(len);
    out.put_slice(text);
    out.put_u8(0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accessors_tolerate_what_peers_send() {
        for (raw, id, state) in [
            (&b""[..], None, None),
            (b"\x00\x1E\x00\x03ab\0", Some(&b"ab"[..]), None),
            (b"\x00\x1E\x00\x02ab", Some(b"ab"), None),
            (b"\x00\x1E\x00\x01\0", None, None),
            (b"\x00\x1E\x00\x04ab\0\0\x04\x27\x00\x01\x02", Some(b"ab"), Some(2)),
            (b"\x04\x27\x00\x02\x00\x05", None, Some(5)),
            (b"\x04\x27\x00\x04\x00\x00\x00\x08", None, Some(8)),
            (b"\x04\x27\x00\x03\x00\x00\x08", None, None),
            (b"\x04\x27\x00\x01\x02\x00\x1E\x00\x09ab", None, Some(2)),
            (b"\x04\x27\x00\x01\x02\x00\x1E\x00", None, Some(2)),
        ] {
            let tlvs = Tlvs::new(raw);
            assert_eq!((tlvs.receipted_message_id(), tlvs.message_state()), (id, state), "{raw:?}");
        }
    }

    #[test]
    fn a_payload_that_the_length_cannot_tell_is_refused() {
        let mut out = BytesMut::new();
        assert!(put(&mut out, Tag::MESSAGE_PAYLOAD, &vec![0; 65_536]).is_err());
        assert!(out.is_empty());
        put(&mut out, Tag::MESSAGE_PAYLOAD, &vec![7; 65_535]).unwrap();
        assert_eq!(Tlvs::new(&out).message_payload().unwrap().len(), 65_535);
    }
}
