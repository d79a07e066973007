//! How trouble is told: an error with what it came from; and what can be wrong with this program's own database, as far as a person at a counter can do something about it. The error itself, with all that an engineer wants to know, stays in the
//! store and goes to the log file.

/// Why the database would not do what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DatabaseTrouble {
    /// Another program writes all the time.
    Busy,
    /// There is no room left to write.
    Full,
    /// The disk failed in the middle.
    Disk,
    /// It may be read but not written.
    ReadOnly,
    /// The file is damaged.
    Damaged,
    /// It holds what no version of this program writes.
    Nonsense,
    /// Anything else.
    Other,
}

impl DatabaseTrouble {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Busy,
        Self::Full,
        Self::Disk,
        Self::ReadOnly,
        Self::Damaged,
        Self::Nonsense,
        Self::Other,
    ];
}

/// An error and what it came from, as one sentence.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
