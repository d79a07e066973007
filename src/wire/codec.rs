//! Messages to bytes and back: limits, versions and what can be wrong. What a body of one version looks like is in [`v1`].
//!
//! # A message
//!
//! | bytes | what |
//! | --- | --- |
//! | 21 and more | the [envelope](super::envelope), readable whatever the body is |
//! | any | the body's sections, numbers, texts and bits, as far as to the last that is not empty |
//! | 4 | checksum: the first bytes of the BLAKE3 hash of everything before |
//!
//! A section is a varint `2 * length + packed`, then that many bytes: the section itself, or (`packed` = 1) a zstd frame with its content size and without the
//! four bytes of its magic number.
//!
//! The checksum is there because TCP's own lets one damaged segment in 65,536 through, and a sale that arrives with another price would be stored and acked as it
//! is. The sections are packed apart because their bytes are distributed so differently that one frame for numbers and texts is 7 % longer, and bits
//! can hardly be packed at all.
//!
//! # Versions
//!
//! A branch writes the highest version that it shares with HQ, and the oldest until it has heard HQ. HQ reads all of [`READS`], and its answers are in the oldest,
//! which every branch reads. A released version never changes: the vectors in `tests/vectors` hold it.

mod capped;
mod seal;
#[cfg(test)]
mod tests;
pub mod v1;

use std::sync::Arc;

use crate::domain::ids::{BatchId, LedgerId, Nonce};
use crate::protocol::dictionary::ProductNo;
use crate::protocol::message::{Downlink, MAX_BATCH_ROWS, Uplink, Version};

use super::envelope::{Envelope, Head, Kind, UplinkKind, read_ledger};

/// The most rows of a batch, and of a receipt. With texts of the longest kind so many rows still fit into [`MAX_BODY_BYTES`], so HQ can always answer with what it
/// holds for every row.
pub const MAX_ROWS: usize = MAX_BATCH_ROWS as usize;
/// The most bytes of a body before it is packed.
pub const MAX_BODY_BYTES: usize = 16 << 20;
/// The most bytes of a product: what is longer has more characters than a sale may have, and no branch makes it.
pub const MAX_PRODUCT_BYTES: usize = 4 * crate::domain::sale::MAX_PRODUCT_CHARS;
/// The most bytes of a region.
pub const MAX_REGION_BYTES: usize = 4 * crate::domain::sale::MAX_REGION_CHARS;
/// The most versions that a message names.
pub const MAX_VERSIONS: usize = 32;
/// The most stores that HQ says to replace.
pub const MAX_REPLACED: usize = 32;

/// The versions of the bodies that this program reads.
pub const READS: [Version; 1] = [v1::VERSION];
/// The versions of the bodies that this program writes, oldest first.
pub const WRITES: [Version; 1] = [v1::VERSION];

/// What is wrong with bytes that should be a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Flaw {
    /// The bytes end too early.
    #[error("it ends too early")]
    Short,
    /// The first bytes are not a Branchline message's.
    #[error("it is not a Branchline message")]
    Magic,
    /// The envelope is of a version that nobody has released yet.
    #[error("its envelope is of version {0}, which this program does not know")]
    EnvelopeVersion(u8),
    /// The kind is not one that belongs here.
    #[error("its kind {0} does not belong here")]
    Kind(u8),
    /// What stands where the branch code should be is not one.
    #[error("it names no branch")]
    Branch,
    /// The version of the body is unknown.
    #[error("its body is of version {0}, which this program does not know")]
    Version(Version),
    /// Checksum and content disagree.
    #[error("it was damaged on its way: its checksum is wrong")]
    Checksum,
    /// A section is not what zstd packs, or does not tell its size.
    #[error("it can't be unpacked")]
    Packing,
    /// A body would be over [`MAX_BODY_BYTES`].
    #[error("it is over {MAX_BODY_BYTES} bytes when unpacked")]
    TooLarge,
    /// A body is not built as its version says.
    #[error("its body is not built as its version says")]
    Body,
    /// Bytes are left over.
    #[error("it has more bytes than it should")]
    Trailing,
    /// There are no rows, or more than [`MAX_ROWS`].
    #[error("it has no rows, or more than {MAX_ROWS}")]
    Rows,
    /// A column has another length than there are rows, or refers to what isn't there.
    #[error("its columns don't fit together")]
    Columns,
    /// An id or a revision is below 1.
    #[error("it has an id or a revision below 1")]
    Id,
    /// A sum of money is below zero or too large.
    #[error("it has a sum of money out of range")]
    Money,
    /// A date is outside the years that a sale may have.
    #[error("it has a date out of range")]
    Date,
    /// A text is too long.
    #[error("it has a text that is too long")]
    Text,
    /// It leans on product names that are not at hand, or not as it means them.
    #[error("it leans on product names that head office does not hold")]
    Products,
}

/// Why a message could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum EncodeError {
    /// The version is not one of [`WRITES`].
    #[error("a message can't be written in version {0}, which this program does not know")]
    Version(Version),
    /// There are no rows, or more than [`MAX_ROWS`].
    #[error("a message can't have {0} rows; it has 1 to {MAX_ROWS}")]
    Rows(usize),
    /// A row is of another ledger than its message.
    #[error("a message can't have a row of ledger {row} when it is about ledger {message}")]
    Ledger {
        /// The row's ledger.
        row: LedgerId,
        /// The message's ledger.
        message: LedgerId,
    },
    /// A text is over [`MAX_PRODUCT_BYTES`] or [`MAX_REGION_BYTES`].
    #[error("a message can't have a text of {0} bytes")]
    Text(usize),
    /// A list of versions or stores is too long.
    #[error("a message can't have a list of {0} elements")]
    List(usize),
    /// Spans of product numbers do not rise.
    #[error("a message can't have spans of product numbers that do not rise")]
    Spans,
    /// The packer failed.
    #[error("a message could not be packed")]
    Packing,
}

/// Why a message from a branch could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unread {
    /// Not even the envelope can be read.
    #[error("the message has no envelope that can be read: {0}")]
    NotOurs(Flaw),
    /// The envelope can be read, the body can't.
    #[error("the message from {branch} has a body that can't be read: {reason}", branch = .envelope.branch)]
    Body {
        /// The envelope.
        envelope: Envelope,
        /// What is wrong with the body.
        reason: Flaw,
    },
    /// The body leans on product names that this HQ does not hold, or holds otherwise.
    #[error("the message from {branch} can't be taken: {reason}", branch = .envelope.branch, reason = Flaw::Products)]
    UnknownProducts {
        /// The envelope.
        envelope: Envelope,
    },
    /// The body's version is newer than this program.
    #[error("the message from {branch} is of version {version}, which is newer than this program", branch = .envelope.branch, version = .envelope.version)]
    TooNew {
        /// The envelope.
        envelope: Envelope,
    },
}

/// Why a message from HQ could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("the message from head office can't be read: {0}")]
pub struct DecodeError(#[from] pub Flaw);

/// Writes a message from a branch.
///
/// # Errors
/// When the message is over a limit, or the version unknown.
pub fn encode_uplink(message: &Uplink, version: Version) -> Result<Vec<u8>, EncodeError> {
    if !WRITES.contains(&version) {
        return Err(EncodeError::Version(version));
    }
    let (kind, ledger, id, branch) = match message {
        Uplink::Hello(hello) => (UplinkKind::Hello, hello.ledger, *hello.nonce.as_bytes(), &hello.branch),
        Uplink::Batch(batch) => (UplinkKind::Batch, batch.ledger, *batch.id.as_bytes(), &batch.branch),
    };
    let sections = match message {
        Uplink::Hello(hello) => v1::write_hello(hello),
        Uplink::Batch(batch) => v1::write_batch(batch),
    }?;
    let envelope = Envelope {
        kind,
        version,
        branch: branch.clone(),
        ledger,
        id,
    };
    seal::seal(envelope.write(), &sections)
}

/// Reads the envelope of a message from a branch, and nothing behind it.
///
/// # Errors
/// Says what is wrong with it.
pub fn read_envelope(bytes: &[u8]) -> Result<Envelope, Flaw> {
    Envelope::read(bytes).map(|(envelope, _)| envelope)
}

/// The names that HQ holds for the branch and ledger of an envelope under these numbers, in their order; `None` if it does not hold them all.
pub type NamesOf<'a> = dyn FnMut(&Envelope, &[ProductNo]) -> Option<Vec<Arc<str>>> + 'a;

/// Reads a message from a branch. `names` is asked at most once, for the product names that a batch leans on.
///
/// # Errors
/// Says how far it could be read, and what is wrong.
pub fn decode_uplink(bytes: &[u8], names: &mut NamesOf<'_>) -> Result<Uplink, Unread> {
    let (envelope, sealed) = Envelope::read(bytes).map_err(Unread::NotOurs)?;
    if !READS.contains(&envelope.version) {
        return Err(if envelope.version > v1::VERSION {
            Unread::TooNew { envelope }
        } else {
            let reason = Flaw::Version(envelope.version);
            Unread::Body { envelope, reason }
        });
    }
    let body = seal::open(bytes, sealed).and_then(|sections| match envelope.kind {
        UplinkKind::Hello => v1::read_hello(&envelope, &sections).map(Uplink::Hello),
        UplinkKind::Batch => v1::read_batch(&envelope, &sections, names).map(Uplink::Batch),
    });
    body.map_err(|reason| match reason {
        Flaw::Products => Unread::UnknownProducts { envelope },
        reason => Unread::Body { envelope, reason },
    })
}

/// Writes a message from HQ, in the oldest version, which every branch reads.
///
/// # Errors
/// When the message is over a limit.
pub fn encode_downlink(message: &Downlink) -> Result<Vec<u8>, EncodeError> {
    let begin = |kind, id| {
        let version = v1::VERSION;
        Head { kind, version, id }.write()
    };
    let (envelope, sections) = match message {
        Downlink::Answer(answer) => {
            let mut envelope = begin(Kind::Answer, *answer.nonce.as_bytes());
            envelope.extend(answer.ledger.as_bytes());
            (envelope, v1::write_answer(answer)?)
        }
        Downlink::Receipt(receipt) => (
            begin(Kind::Receipt, *receipt.batch.as_bytes()),
            v1::write_receipt(receipt)?,
        ),
    };
    seal::seal(envelope, &sections)
}

/// Reads a message from HQ.
///
/// # Errors
/// Says what is wrong.
pub fn decode_downlink(bytes: &[u8]) -> Result<Downlink, DecodeError> {
    let (head, rest) = Head::read(bytes)?;
    if !READS.contains(&head.version) {
        return Err(DecodeError(Flaw::Version(head.version)));
    }
    Ok(match head.kind {
        Kind::Answer => {
            let (ledger, sealed) = read_ledger(rest)?;
            let nonce = Nonce::from_bytes(head.id);
            Downlink::Answer(v1::read_answer(nonce, ledger, &seal::open(bytes, sealed)?)?)
        }
        Kind::Receipt => {
            let batch = BatchId::from_bytes(head.id);
            Downlink::Receipt(v1::read_receipt(batch, &seal::open(bytes, rest)?)?)
        }
        Kind::Hello | Kind::Batch => return Err(DecodeError(Flaw::Kind(head.kind as u8))),
    })
}
