//! The names of things: branches, ledgers, sales, revisions, batches and stores.
//!
//! Random ids are made by whoever owns entropy (see [`crate::clock`]); here they are only values.

use std::fmt;

/// The code of a branch: an office that sells, e.g. `TUNIS-01`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchCode(String);

/// A text that is not a branch code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a branch code: use 1 to {max} of A-Z, 0-9, `-` and `_`, e.g. TUNIS-01", max = BranchCode::MAX_CHARS)]
pub struct BadBranchCode(String);

impl BranchCode {
    /// The most characters that a code has.
    pub const MAX_CHARS: usize = 32;

    /// Reads a code; lower-case letters are taken as upper case.
    ///
    /// # Errors
    /// Names the text and what is allowed.
    pub fn parse(text: &str) -> Result<Self, BadBranchCode> {
        let code = text.trim().to_ascii_uppercase();
        let allowed = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if code.is_empty() || code.len() > Self::MAX_CHARS || !code.chars().all(allowed) {
            return Err(BadBranchCode(text.escape_default().to_string()));
        }
        Ok(Self(code))
    }

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BranchCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl std::str::FromStr for BranchCode {
    type Err = BadBranchCode;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Makes an id of 128 random bits.
            #[must_use]
            pub const fn from_random(bits: u128) -> Self {
                Self(bits.to_be_bytes())
            }

            /// Takes the bytes of an id that was made before.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Reads 32 hexadecimal digits; `None` if the text is anything else.
            #[must_use]
            pub fn from_hex(text: &str) -> Option<Self> {
                (text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()))
                    .then(|| u128::from_str_radix(text, 16).ok().map(Self::from_random))
                    .flatten()
            }

            /// The 16 bytes of the id.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", u128::from_be_bytes(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

random_id! {
    /// One life of one branch database; made with the file, and anew when the file turns out to be a copy.
    LedgerId
}
random_id! {
    /// The name of one batch: the sales of one message.
    BatchId
}
random_id! {
    /// The name of HQ's database, made with it.
    StoreId
}
random_id! {
    /// The name of one hello, so that its answer is known to be fresh.
    Nonce
}

/// A branch's own row number: 1, 2, 3 …, without gaps and never reused. HQ calls it the external id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SaleId(i64);

impl SaleId {
    /// The id, if the number is one: 1 or more.
    #[must_use]
    pub const fn new(number: i64) -> Option<Self> {
        if number >= 1 { Some(Self(number)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for SaleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How often a sale has been written: 1 when entered, one more with each edit or void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(u32);

impl Revision {
    /// The revision of a sale that was just entered.
    pub const FIRST: Self = Self(1);

    /// The revision, if the number is one: 1 or more.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number >= 1 { Some(Self(number)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The revision after this one.
    ///
    /// # Panics
    /// After four billion edits of one sale.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.checked_add(1).expect("no sale is edited four billion times"))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A run of neighbouring sales at one revision: `first`, `first + 1`, … (`count` of them).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Run {
    /// The lowest id.
    pub first: SaleId,
    /// How many ids, at least one.
    pub count: u32,
    /// The revision that each of them has.
    pub revision: Revision,
}

impl Run {
    /// The highest id of the run.
    #[must_use]
    pub const fn last(&self) -> SaleId {
        SaleId(self.first.0 + (self.count as i64 - 1))
    }

    /// Whether the run names this sale at this revision.
    #[must_use]
    pub const fn names(&self, id: SaleId, revision: Revision) -> bool {
        self.revision.0 == revision.0 && self.first.0 <= id.0 && id.0 <= self.last().0
    }

    /// Groups (id, revision) pairs into the fewest runs that keep their order.
    pub fn group(rows: impl IntoIterator<Item = (SaleId, Revision)>) -> Vec<Self> {
        let mut runs: Vec<Self> = Vec::new();
        for (id, revision) in rows {
            match runs.last_mut() {
                Some(run) if run.revision == revision && run.last().0 == id.0 - 1 && run.count < u32::MAX => {
                    run.count += 1;
                }
                _ => runs.push(Self {
                    first: id,
                    count: 1,
                    revision,
                }),
            }
        }
        runs
    }

    /// The ids of the run, lowest first.
    pub fn ids(self) -> impl Iterator<Item = SaleId> {
        (self.first.0..=self.last().0).map(SaleId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_code_is_upper_case_and_short() {
        assert_eq!(BranchCode::parse(" tunis-01 ").unwrap().as_str(), "TUNIS-01");
        for bad in ["", "TÜNIS", "A B", "A.B", &"X".repeat(33)] {
            assert!(BranchCode::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn random_ids_survive_their_text() {
        let id = BatchId::from_random(0xfeed);
        assert_eq!(BatchId::from_hex(&id.to_string()), Some(id));
        assert_eq!(BatchId::from_hex("feed"), None);
        assert_eq!(BatchId::from_hex(&"+".repeat(32)), None);
    }

    #[test]
    fn runs_break_at_gaps_and_at_other_revisions() {
        let row = |id, revision| (SaleId::new(id).unwrap(), Revision::new(revision).unwrap());
        let runs = Run::group([row(1, 1), row(2, 1), row(3, 2), row(4, 1), row(6, 1)]);
        let shape: Vec<_> = runs
            .iter()
            .map(|r| (r.first.get(), r.count, r.revision.get()))
            .collect();
        assert_eq!(shape, [(1, 2, 1), (3, 1, 2), (4, 1, 1), (6, 1, 1)]);
        assert!(runs[0].names(SaleId::new(2).unwrap(), Revision::FIRST));
        assert!(!runs[0].names(SaleId::new(3).unwrap(), Revision::FIRST));
    }

    #[test]
    fn runs_reach_the_last_number_there_is() {
        let row = |id| (SaleId::new(id).unwrap(), Revision::FIRST);
        let runs = Run::group([row(i64::MAX - 1), row(i64::MAX), row(1)]);
        assert_eq!(runs.iter().map(|r| r.count).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(runs[0].last().get(), i64::MAX);
    }
}
