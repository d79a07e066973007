//! Feeds the codec with bytes that nobody sent. Reading them must neither panic nor allocate on the word of a length, and what can be read must be written and read
//! to the same message.
#![no_main]

use std::sync::Arc;

use branchline::wire::{Envelope, WRITES, decode_downlink, decode_uplink, encode_downlink, encode_uplink};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    // A checksum keeps chance out, so it is set right: what is behind it must stand on its own.
    let mut sealed = bytes.to_vec();
    sealed.extend_from_slice(&blake3::hash(bytes).as_bytes()[..4]);
    read(&sealed);
});

/// Holds a name under every number.
fn names(_: &Envelope, numbers: &[u16]) -> Option<Vec<Arc<str>>> {
    Some(numbers.iter().map(|no| no.to_string().into()).collect())
}

fn read(bytes: &[u8]) {
    if let Ok(message) = decode_uplink(bytes, &mut names) {
        let written = encode_uplink(&message, WRITES[0]).expect("what was read is within the limits");
        assert_eq!(decode_uplink(&written, &mut names).as_ref(), Ok(&message));
    }
    if let Ok(message) = decode_downlink(bytes) {
        let written = encode_downlink(&message).expect("what was read is within the limits");
        assert_eq!(decode_downlink(&written).as_ref(), Ok(&message));
    }
}
