//! What is typed and not yet saved. Each form is a draft with a number of its own, kept under it while one types; a form that is left waits, and so does what was scanned
//! while the form was busy. So an edit, a new sale and a scan never push one another out.

use super::form::{Form, Purpose};
use crate::domain::draft::Draft;
use crate::domain::ids::{Revision, SaleId};
use crate::domain::time::Tick;

/// How long what is typed may be younger than what is kept, in milliseconds.
const KEEP_AFTER_MS: u64 = 250;
/// How many drafts may wait; whoever has that many takes one up before another form opens.
pub const MAX_WAITING: usize = 64;

/// The drafts.
#[derive(Debug, Default)]
pub struct Drafts {
    /// Drafts that no form shows, the last one left on top; each is kept already.
    pub waiting: Vec<Waiting>,
    /// Since when what is typed differs from what is kept.
    pub dirty_since: Option<Tick>,
    /// How many drafts are being kept or dropped right now.
    pub keeping: usize,
    last_no: i64,
}

/// A draft that waits to be taken up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its number.
    pub no: i64,
    /// What was typed.
    pub draft: Draft,
    /// The sale and revision that was being edited.
    pub editing: Option<(SaleId, Revision)>,
    /// Whether it was scanned for the next sale: those are taken up by themselves, the oldest first.
    pub scanned: bool,
}

impl Drafts {
    /// A number for another draft.
    pub const fn number(&mut self) -> i64 {
        self.last_no += 1;
        self.last_no
    }

    /// Takes note that something was typed.
    pub fn touch(&mut self, now: Tick) {
        self.dirty_since.get_or_insert(now);
    }

    /// When what is typed is to be kept; `None` while nothing is new or while some is being kept.
    #[must_use]
    pub fn due_at(&self) -> Option<Tick> {
        self.dirty_since
            .filter(|_| self.keeping == 0)
            .map(|since| since.plus(KEEP_AFTER_MS))
    }

    /// Takes the unfinished edit of a sale, if there is one.
    pub fn take_edit(&mut self, id: SaleId) -> Option<Waiting> {
        let place = self
            .waiting
            .iter()
            .rposition(|left| left.editing.is_some_and(|(of, _)| of == id))?;
        Some(self.waiting.remove(place))
    }

    /// Takes the new sale that was left last, if there is one.
    pub fn take_new(&mut self) -> Option<Waiting> {
        let place = self
            .waiting
            .iter()
            .rposition(|left| left.editing.is_none() && !left.scanned)?;
        Some(self.waiting.remove(place))
    }

    /// Takes what was scanned first, if anything was.
    pub fn take_scanned(&mut self) -> Option<Waiting> {
        let place = self.waiting.iter().position(|left| left.scanned)?;
        Some(self.waiting.remove(place))
    }

    /// How many scans wait; the same product once more counts one more.
    #[must_use]
    pub fn scans(&self) -> u64 {
        let scanned = self.waiting.iter().filter(|left| left.scanned);
        scanned.map(|left| left.draft.qty.parse().unwrap_or(1_u64)).sum()
    }
}

impl Waiting {
    /// What a form says, if it says anything of its own.
    #[must_use]
    pub fn of(form: &Form) -> Option<Self> {
        let says = !form.is_untouched() && !form.draft().is_empty();
        says.then(|| Self {
            no: form.no,
            draft: form.draft(),
            editing: form.editing(),
            scanned: false,
        })
    }

    /// The form that goes on with it.
    #[must_use]
    pub fn into_form(self) -> Form {
        let purpose = match self.editing {
            None => Purpose::New,
            Some((id, from)) => Purpose::Edit { id, from },
        };
        let mut form = Form::of(purpose, &self.draft);
        form.no = self.no;
        form.is_kept = true;
        form.count_as_typed();
        form
    }
}
