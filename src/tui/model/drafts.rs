//! What is typed and not yet saved: when it is to be kept, and what waits to be taken up again. A new form takes up what waits before anything else is typed, so nothing
//! that was typed is pushed out.

use crate::domain::draft::Draft;
use crate::domain::ids::{Revision, SaleId};
use crate::domain::time::Tick;

/// How long what is typed may be younger than what is kept, in milliseconds.
const KEEP_AFTER_MS: u64 = 250;

/// The draft.
#[derive(Debug, Default)]
pub struct Drafts {
    /// Drafts that no form shows, the last one left on top. There is hardly ever more than one: only when a dead screen's draft arrives while something is typed.
    pub waiting: Vec<Waiting>,
    /// Since when what is typed differs from what is kept.
    pub dirty_since: Option<Tick>,
    /// Whether a draft is being kept right now.
    pub keeping: bool,
    /// Whether there is a draft in the database, as far as is known.
    pub kept: bool,
}

/// A draft that waits to be taken up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What was typed.
    pub draft: Draft,
    /// The sale and revision that was being edited.
    pub editing: Option<(SaleId, Revision)>,
}

impl Drafts {
    /// Takes note that something was typed.
    pub fn touch(&mut self, now: Tick) {
        self.dirty_since.get_or_insert(now);
    }

    /// When what is typed is to be kept; `None` while nothing is new or while some is being kept.
    #[must_use]
    pub fn due_at(&self) -> Option<Tick> {
        self.dirty_since
            .filter(|_| !self.keeping)
            .map(|since| since.plus(KEEP_AFTER_MS))
    }
}
