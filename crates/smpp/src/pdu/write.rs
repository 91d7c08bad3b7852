//! Writing mandatory fields.

use bytes::{BufMut, BytesMut};

use crate::frame::EncodeError;

/// Appends a string and its closing NUL.
pub(crate) fn text(out: &mut BytesMut, field: &'static str, value: &[u8]) -> Result<(), EncodeError> {
    if value.contains(&0) {
        return Err(EncodeError::NulInside { field });
    }
    out.put_slice(value);
    out.put_u8(0);
    Ok(())
}

/// Appends octets behind a one-octet length.
pub(crate) fn counted(out: &mut BytesMut, field: &'static str, value: &[u8]) -> Result<(), EncodeError> {
    let len = u8::try_from(value.len()).map_err(|_| EncodeError::TooLong { field })?;
    out.put_u8(len);
    out.put_slice(value);
    Ok(())
}
