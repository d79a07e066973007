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
//! | 5 | 16 | ledger |
//! | 21 | 16 | id: a hello's nonce, a batch's id; an answer and a receipt have that of what they answer |
//! | 37 | 1 | length of the branch code; 0 in an answer or a receipt, whose queue says for whom it is |
//! | 38 | 0 to 32 | branch code |

use super::codec::Flaw;
use crate::domain::ids::{BranchCode, LedgerId};
use crate::protocol::message::Version;

const MAGIC: [u8; 2] = *b"BL";
const ENVELOPE_VERSION: u8 = 1;
const FIXED_BYTES: usize = 38;

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    pub(super) version: Version,
    pub(super) ledger: LedgerId,
    pub(super) id: [u8; 16],
}

impl Head {
    /// Begins a message: an envelope that names `branch`, or none.
    pub(super) fn write(&self, branch: Option<&BranchCode>) -> Vec<u8> {
        let code = branch.map_or("", BranchCode::as_str);
        let mut bytes = Vec::with_capacity(FIXED_BYTES + code.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[ENVELOPE_VERSION, self.kind as u8, self.version]);
        bytes.extend_from_slice(self.ledger.as_bytes());
        bytes.extend_from_slice(&self.id);
        bytes.push(u8::try_from(code.len()).expect("a branch code has at most 32 characters"));
        bytes.extend_from_slice(code.as_bytes());
        bytes
    }

    /// Takes the envelope off a message; returns it, the branch code's text and what follows.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, &str, &[u8]), Flaw> {
        let (fixed, rest) = bytes.split_first_chunk::<FIXED_BYTES>().ok_or(Flaw::Short)?;
        if fixed[..2] != MAGIC {
            return Err(Flaw::Magic);
        }
        if fixed[2] != ENVELOPE_VERSION {
            return Err(Flaw::EnvelopeVersion(fixed[2]));
        }
        let kind = [Kind::Hello, Kind::Batch, Kind::Answer, Kind::Receipt]
            .into_iter()
            .find(|kind| *kind as u8 == fixed[3])
            .ok_or(Flaw::Kind(fixed[3]))?;
        let sixteen = |from: usize| std::array::from_fn(|at| fixed[from + at]);
        let (code, rest) = rest
            .split_at_checked(usize::from(fixed[FIXED_BYTES - 1]))
            .ok_or(Flaw::Short)?;
        let head = Self {
            kind,
            version: fixed[4],
            ledger: LedgerId::from_bytes(sixteen(5)),
            id: sixteen(21),
        };
        Ok((head, std::str::from_utf8(code).map_err(|_| Flaw::Branch)?, rest))
    }
}

impl Envelope {
    /// Takes the envelope off a message from a branch; returns it and what follows.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, &[u8]), Flaw> {
        let (head, code, rest) = Head::read(bytes)?;
        let kind = match head.kind {
            Kind::Hello => UplinkKind::Hello,
            Kind::Batch => UplinkKind::Batch,
            Kind::Answer | Kind::Receipt => return Err(Flaw::Kind(head.kind as u8)),
        };
        // Upper case and untrimmed, as it must have been written: two spellings of one branch would be two branches to whoever compares bytes.
        let branch = BranchCode::parse(code)
            .ok()
            .filter(|branch| branch.as_str() == code)
            .ok_or(Flaw::Branch)?;
        let envelope = Self {
            kind,
            version: head.version,
            branch,
            ledger: head.ledger,
            id: head.id,
        };
        Ok((envelope, rest))
    }
}
