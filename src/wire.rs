//! How messages look as bytes: a versioned [`envelope`], a [`codec`] for the bodies, and the names that both sides use on the broker ([`topology`]).
//!
//! Bytes come from strangers until they are read, so reading never panics, never allocates on the word of a length, and says what is wrong. Who may speak
//! for a branch is [`crate::protocol::identity`]'s to judge; how bytes travel is [`crate::transport`]'s.

pub mod codec;
pub mod envelope;
pub mod topology;

pub use codec::{
    DecodeError, EncodeError, Flaw, MAX_BODY_BYTES, MAX_ROWS, NamesOf, READS, Unread, WRITES, decode_downlink,
    decode_uplink, encode_downlink, encode_uplink, read_envelope,
};
pub use envelope::{Envelope, UplinkKind};
