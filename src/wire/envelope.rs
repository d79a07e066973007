//! The envelope: what HQ must know of a message to answer it, whatever its body is.
//!
//! The envelope of version 1 is for ever: a program that cannot read the body (too new, or damaged) still knows whom to tell, and about what.
//!
//! | offset | bytes | what |
//! | --- | --- | --- |
//! | 0 | 2 | magic: `BL` |
//! | 2 | 1 | version of the envelope: 1 |
//! | 3 | 1 | kind: 1 = hello, 2 = batch, 3 = answer, 4 = receipt |
//! | 4 | 1 | version of the body |
//! | 5 | 16 | id: a hello's nonce, a batch's id; an answer and a receipt have that of what they answer |
//! | 21 | 16 | hello, batch and answer: the ledger. The branch knows of which ledger the batch of a receipt is |
//! | 37 | 1 | hello and batch: the length of the branch code. The queue of an answer or a receipt says for whom it is |
//! | 38 | 1 to 32 | hello and batch: the branch code |

use super::codec::Flaw;
use crate::domain::ids::{BranchCode, LedgerId};
use crate::protocol::message::Version;

const MAGIC: [u8; 2] = *b"BL";
const ENVELOPE_VERSION: u8 = 1;
const HEAD_BYTES: usize = 21;

/// What kind of message a branch sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UplinkKind {
    /// A hello.
    Hello,
    /// A batch of sales.
    Batch,
}

/// The envelope of a message from a branch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Envelope {
    /// What the body is.
    pub kind: UplinkKind,
    /// The version of the body.
    pub version: Version,
    /// The branch that the message says it is from.
    pub branch: BranchCode,
    /// The ledger that the message is about.
    pub ledger: LedgerId,
    /// A hello's nonce or a batch's id.
    pub id: [u8; 16],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Hello = 1,
    Batch = 2,
    Answer = 3,
    Receipt = 4,
}

/// The part of an envelope that all kinds share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    pub(super) version: Version,
    pub(super) id: [u8; 16],
}

impl Head {
    /// Begins a message.
    pub(super) fn write(self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([ENVELOPE_VERSION, self.kind as u8, self.version]);
        bytes.extend(self.id);
        bytes
    }

    /// Takes the head off a message; returns it and what follows.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, &[u8]), Flaw> {
        let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or(Flaw::Short)?;
        if head[..2] != MAGIC {
            return Err(Flaw::Magic);
        }
        if head[2] != ENVELOPE_VERSION {
            return Err(Flaw::EnvelopeVersion(head[2]));
        }
        let kind = [Kind::Hello, Kind::Batch, Kind::Answer, Kind::Receipt]
            .into_iter()
            .find(|kind| *kind as u8 == head[3])
            .ok_or(Flaw::Kind(head[3]))?;
        let read = Self {
            kind,
            version: head[4],
            id: std::array::from_fn(|at| head[5 + at]),
        };
        Ok((read, rest))
    }
}

/// Takes the ledger off what follows the head.
pub(super) fn read_ledger(bytes: &[u8]) -> Result<(LedgerId, &[u8]), Flaw> {
    let (ledger, rest) = bytes.split_first_chunk().ok_or(Flaw::Short)?;
    Ok((LedgerId::from_bytes(*ledger), rest))
}

impl Envelope {
    /// Begins a message from a branch.
    pub(super) fn write(&self) -> Vec<u8> {
        let kind = match self.kind {
            UplinkKind::Hello => Kind::Hello,
            UplinkKind::Batch => Kind::Batch,
        };
        let head = Head {
            kind,
            version: self.version,
            id: self.id,
        };
        let code = self.branch.as_str();
        let mut bytes = head.write();
        bytes.extend(self.ledger.as_bytes());
        bytes.push(u8::try_from(code.len()).expect("a branch code has at most 32 characters"));
        bytes.extend(code.as_bytes());
        bytes
    }

    /// Takes the envelope off a message from a branch; returns it and what follows.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, &[u8]), Flaw> {
        let (head, rest) = Head::read(bytes)?;
        let kind = match head.kind {
            Kind::Hello => UplinkKind::Hello,
            Kind::Batch => UplinkKind::Batch,
            Kind::Answer | Kind::Receipt => return Err(Flaw::Kind(head.kind as u8)),
        };
        let (ledger, rest) = read_ledger(rest)?;
        let (length, rest) = rest.split_first().ok_or(Flaw::Short)?;
        let (code, rest) = rest.split_at_checked(usize::from(*length)).ok_or(Flaw::Short)?;
        let code = std::str::from_utf8(code).map_err(|_| Flaw::Branch)?;
        // Upper case and untrimmed, as it must have been written: two spellings of one branch would be two branches to whoever compares bytes.
        let branch = BranchCode::parse(code)
            .ok()
            .filter(|branch| branch.as_str() == code)
            .ok_or(Flaw::Branch)?;
        let envelope = Self {
            kind,
            version: head.version,
            branch,
            ledger,
            id: head.id,
        };
        Ok((envelope, rest))
    }
}
