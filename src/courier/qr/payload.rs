//! What the frames of one document carry together: a CBOR byte string that holds the document's
//! canonical JSON as a raw DEFLATE stream (RFC 8949 section 3.1, RFC 1951).

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::bufread::DeflateDecoder;
use flate2::write::DeflateEncoder;

/// The most bytes of a payload: 64 KiB. More takes minutes to show.
pub const MAX_PAYLOAD_BYTES: usize = 64 << 10;

/// The most bytes of a document, before it is compressed: 4 MiB. JSON of hexadecimal text compresses to
/// about half, and the many like rows of a large plan to much less; a payload that becomes more than
/// this was made to do harm.
pub const MAX_DOCUMENT_BYTES: usize = 4 << 20;

/// Why a document does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes, compressed, are more than the {MAX_PAYLOAD_BYTES} that QR codes carry")]
pub struct TooLarge {
    /// How many bytes the payload has, or the document if it is too large itself.
    pub bytes: usize,
}

/// Why a payload holds no document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// It is not one CBOR byte string and nothing more.
    #[error("it holds no byte string")]
    Wrapping,
    /// The stream is broken, or ends before the payload does.
    #[error("its compression is broken")]
    Compression,
    /// The stream would become larger than any document.
    #[error("it would decompress to more than {MAX_DOCUMENT_BYTES} bytes")]
    Bomb,
}

/// Makes the payload of a document.
pub fn pack(document: &[u8]) -> Result<Vec<u8>, TooLarge> {
    let too_large = |bytes| TooLarge { bytes };
    if document.len() > MAX_DOCUMENT_BYTES {
        return Err(too_large(document.len()));
    }
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    let compressed = encoder
        .write_all(document)
        .and_then(|()| encoder.finish())
        // Memory does not fail to be written to.
        .map_err(|_| too_large(document.len()))?;
    let payload = wrap(&compressed);
    match payload.len() {
        0..=MAX_PAYLOAD_BYTES => Ok(payload),
        bytes => Err(too_large(bytes)),
    }
}

/// Reads the document of a payload: at most [`MAX_DOCUMENT_BYTES`].
pub fn unpack(payload: &[u8]) -> Result<Vec<u8>, PayloadError> {
    let compressed = unwrap(payload)?;
    let mut decoder = DeflateDecoder::new(compressed);
    let mut document = Vec::new();
    let limit = (MAX_DOCUMENT_BYTES as u64).saturating_add(1);
    let read = decoder.by_ref().take(limit).read_to_end(&mut document);
    if document.len() > MAX_DOCUMENT_BYTES {
        return Err(PayloadError::Bomb);
    }
    match read {
        // What follows the stream's end would be carried and never seen.
        Ok(_) if decoder.into_inner().is_empty() => Ok(document),
        _ => Err(PayloadError::Compression),
    }
}

/// Wraps bytes as a CBOR byte string.
pub fn wrap(bytes: &[u8]) -> Vec<u8> {
    // A vector takes all that is written to it.
    minicbor::to_vec(<&minicbor::bytes::ByteSlice>::from(bytes)).unwrap_or_default()
}

/// Reads a CBOR byte string and nothing after it.
pub fn unwrap(payload: &[u8]) -> Result<&[u8], PayloadError> {
    let mut decoder = minicbor::Decoder::new(payload);
    match decoder.bytes() {
        Ok(bytes) if decoder.position() == payload.len() => Ok(bytes),
        _ => Err(PayloadError::Wrapping),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_expands_without_end_is_refused() {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![b' '; 50 << 20]).unwrap();
        let bomb = wrap(&encoder.finish().unwrap());
        assert!(bomb.len() < MAX_PAYLOAD_BYTES);
        assert_eq!(unpack(&bomb), Err(PayloadError::Bomb));
    }

    #[test]
    fn the_largest_documents_pass_and_larger_ones_do_not() {
        let largest = vec![b' '; MAX_DOCUMENT_BYTES];
        assert_eq!(unpack(&pack(&largest).unwrap()).unwrap(), largest);
        let more = vec![b' '; MAX_DOCUMENT_BYTES + 1];
        assert_eq!(pack(&more), Err(TooLarge { bytes: more.len() }));
        let mut state = 1u64;
        let noise: Vec<u8> = (0..MAX_PAYLOAD_BYTES)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                state.to_be_bytes()[0]
            })
            .collect();
        assert!(pack(&noise).unwrap_err().bytes > MAX_PAYLOAD_BYTES);
    }

    #[test]
    fn a_payload_is_all_of_its_bytes() {
        let payload = pack(b"{\"a\":1}").unwrap();
        assert_eq!(unpack(&payload).unwrap(), b"{\"a\":1}");
        let mut longer = payload.clone();
        longer.push(0);
        assert_eq!(unpack(&longer), Err(PayloadError::Wrapping));
        let mut stream = unwrap(&payload).unwrap().to_vec();
        stream.push(0);
        assert_eq!(unpack(&wrap(&stream)), Err(PayloadError::Compression));
        for end in 0..payload.len() {
            assert_eq!(unpack(&payload[..end]), Err(PayloadError::Wrapping));
        }
        let inner = unwrap(&payload).unwrap();
        assert_eq!(
            unpack(&wrap(&inner[..inner.len() - 1])),
            Err(PayloadError::Compression)
        );
    }

    proptest! {
        #[test]
        fn documents_come_back(document in prop::collection::vec(any::<u8>(), 0..4096)) {
            prop_assert_eq!(unpack(&pack(&document).unwrap()).unwrap(), document);
        }

        #[test]
        fn no_payload_is_more_than_an_error(payload in prop::collection::vec(any::<u8>(), 0..512)) {
            let _ = unpack(&payload);
            let _ = unpack(&wrap(&payload));
        }
    }
}
