//! The form of a sale: its fields, what is wrong with them, what completes them, and how a change is taken back. What its keys do is in
//! [`crate::tui::update`].

use std::collections::VecDeque;

use super::field::Field;
use crate::domain::draft::{Defaults, Draft, Field as Name, FieldError};
use crate::domain::ids::{Revision, SaleId};
use crate::domain::money::TaxRate;
use crate::domain::read::KnownProduct;
use crate::domain::sale::{Sale, SaleContent};
use crate::text::Text;
use crate::tui::key::Input;

/// How many changes can be taken back.
const MAX_UNDO: usize = 100;
/// How many keys that are typed while a sale is being saved are remembered.
const MAX_TYPED_AHEAD: usize = 256;

/// What the form is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// A new sale.
    New,
    /// An edit of a sale.
    Edit {
        /// Which.
        id: SaleId,
        /// The revision that it was made from.
        from: Revision,
    },
}

/// The form.
#[derive(Debug, Clone)]
pub struct Form {
    /// What it is for.
    pub purpose: Purpose,
    /// Its number among the drafts; 0 until it is opened.
    pub no: i64,
    /// Whether what is typed is kept in the database, as far as is known.
    pub is_kept: bool,
    fields: [Field; 6],
    /// The field with the focus, as a place in [`Name::ALL`].
    pub focus: usize,
    /// What is wrong, as far as it is to be said yet.
    pub problems: Vec<FieldError>,
    /// Products that complete what is typed, for the text that they complete.
    pub suggestions: Vec<KnownProduct>,
    /// The suggestion that is chosen.
    pub chosen: Option<usize>,
    /// Whether the sale is being saved.
    pub saving: bool,
    /// What was typed while the sale was being saved.
    pub typed_ahead: VecDeque<Input>,
    /// The cost that came with the product, and not from a hand: another product brings another one.
    brought_cost: Option<String>,
    /// The sale as somebody else has left it meanwhile.
    pub moved: Option<Box<Sale>>,
    /// What stood there when the form was opened.
    original: Draft,
    undo: Vec<Snapshot>,
    /// The field in which letters are being typed, so that a word is one change.
    typing_in: Option<usize>,
}

#[derive(Debug, Clone)]
struct Snapshot {
    fields: [Field; 6],
    focus: usize,
}

impl Form {
    /// A form with what a draft says; the focus is on its first empty field.
    #[must_use]
    pub fn of(purpose: Purpose, draft: &Draft) -> Self {
        let fields = Name::ALL.map(|name| Field::of(draft.field(name)));
        let focus = fields.iter().position(Field::is_blank).unwrap_or(0);
        Self {
            purpose,
            no: 0,
            is_kept: false,
            fields,
            focus,
            problems: Vec::new(),
            suggestions: Vec::new(),
            chosen: None,
            saving: false,
            typed_ahead: VecDeque::new(),
            brought_cost: None,
            moved: None,
            original: draft.clone(),
            undo: Vec::new(),
            typing_in: None,
        }
    }

    /// A form that edits a sale, written the language's way. A tax by the rate goes on to follow the rate: whoever mends the quantity means that.
    #[must_use]
    pub fn edit(sale: &Sale, text: &Text, rate: TaxRate) -> Self {
        let purpose = Purpose::Edit {
            id: sale.id,
            from: sale.revision,
        };
        let mut draft = written(&sale.content, text);
        if sale.content.amount().tax_at(rate) == Ok(sale.content.tax) {
            draft.tax.clear();
        }
        let mut form = Self::of(purpose, &draft);
        form.focus = 0;
        form
    }

    /// A draft of a new sale like this one: another date and its tax by the rate.
    #[must_use]
    pub fn like(content: &SaleContent, text: &Text) -> Draft {
        Draft {
            tax: String::new(),
            date: String::new(),
            ..written(content, text)
        }
    }

    /// The name of the field with the focus.
    #[must_use]
    pub const fn focused(&self) -> Name {
        Name::ALL[self.focus]
    }

    /// A field.
    #[must_use]
    pub const fn field(&self, name: Name) -> &Field {
        &self.fields[name as usize]
    }

    /// The field with the focus, to be typed into.
    pub const fn focused_mut(&mut self) -> &mut Field {
        &mut self.fields[self.focus]
    }

    /// Fills a field.
    pub fn set(&mut self, name: Name, text: impl Into<String>) {
        self.fields[name as usize].set(text);
    }

    /// Fills the cost with that of the product, unless somebody has typed one.
    pub fn bring_cost(&mut self, cost: String) {
        let cost_now = self.field(Name::Cost);
        if cost_now.is_blank() || self.brought_cost.as_deref() == Some(cost_now.text()) {
            self.set(Name::Cost, cost.clone());
            self.brought_cost = Some(cost);
        }
    }

    /// Takes note that the cost is that of another sale of the product.
    pub fn count_cost_as_brought(&mut self) {
        self.brought_cost = Some(self.field(Name::Cost).text().to_owned());
    }

    /// What is typed.
    #[must_use]
    pub fn draft(&self) -> Draft {
        let mut draft = Draft::default();
        for name in Name::ALL {
            self.field(name).text().clone_into(draft.field_mut(name));
        }
        draft
    }

    /// Whether nothing was changed since the form was opened.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.draft() == self.original
    }

    /// Takes what stands there for something that somebody typed, even if it stood there when the form was opened.
    pub fn count_as_typed(&mut self) {
        self.original = Draft::default();
    }

    /// The sale and revision that is being edited.
    #[must_use]
    pub const fn editing(&self) -> Option<(SaleId, Revision)> {
        match self.purpose {
            Purpose::New => None,
            Purpose::Edit { id, from } => Some((id, from)),
        }
    }

    /// What is typed, as a sale.
    ///
    /// # Errors
    /// Names every field that is wrong.
    pub fn check(&self, defaults: &Defaults, text: &Text) -> Result<SaleContent, Vec<FieldError>> {
        let mut draft = self.draft();
        draft.date = text.read_date(&draft.date);
        draft.check(defaults)
    }

    /// Says what is wrong with a field, or that nothing is; tells whether it is right. An empty field is right as long as nobody insists.
    pub fn judge(&mut self, name: Name, defaults: &Defaults, text: &Text, insist: bool) -> bool {
        let wrong = self.check(defaults, text).err().unwrap_or_default();
        let wrong = wrong.into_iter().find(|error| error.field == name);
        let wrong = wrong.filter(|_| insist || !self.field(name).is_blank());
        self.problems.retain(|error| error.field != name);
        self.problems.extend(wrong);
        wrong.is_none()
    }

    /// Remembers how the form is, so that the change that follows can be taken back. Letters typed one after the other into one field are one change.
    pub fn remember(&mut self, typing: bool) {
        let same_word = typing && self.typing_in == Some(self.focus) && !self.undo.is_empty();
        self.typing_in = typing.then_some(self.focus);
        if same_word {
            return;
        }
        if self.undo.len() == MAX_UNDO {
            self.undo.remove(0);
        }
        self.undo.push(Snapshot {
            fields: self.fields.clone(),
            focus: self.focus,
        });
    }

    /// Takes the last change back; tells whether there was one.
    pub fn undo(&mut self) -> bool {
        self.typing_in = None;
        let Some(before) = self.undo.pop() else { return false };
        self.fields = before.fields;
        self.focus = before.focus;
        self.problems.clear();
        self.suggest_nothing();
        true
    }

    /// Empties the form; that can be taken back.
    pub fn clear(&mut self) {
        self.remember(false);
        self.fields = Default::default();
        self.focus = 0;
        self.problems.clear();
        self.suggest_nothing();
    }

    /// Remembers what is typed while the sale is being saved; tells whether there was room for it.
    pub fn type_ahead(&mut self, input: Input) -> bool {
        let has_room = self.typed_ahead.len() < MAX_TYPED_AHEAD;
        if has_room {
            self.typed_ahead.push_back(input);
        }
        has_room
    }

    /// Moves the focus, and offers what stands in the field as a whole.
    pub fn go_to(&mut self, focus: usize) {
        self.focused_mut().settle();
        self.focus = focus.min(Name::ALL.len() - 1);
        self.focused_mut().offer();
        self.typing_in = None;
        self.suggest_nothing();
    }

    /// Chooses the next suggestion, or the one before; above the first one is what was typed.
    pub fn choose(&mut self, down: bool) {
        let last = self.suggestions.len().saturating_sub(1);
        self.chosen = match (self.chosen, down) {
            (None, true) => Some(0),
            (None | Some(0), false) => None,
            (Some(place), true) => Some((place + 1).min(last)),
            (Some(place), false) => Some(place - 1),
        };
    }

    /// Drops the suggestions.
    pub fn suggest_nothing(&mut self) {
        self.suggestions.clear();
        self.chosen = None;
    }
}

/// A content as one types it in this language.
fn written(content: &SaleContent, text: &Text) -> Draft {
    let mut draft = Draft::of(content);
    draft.cost = text.typed_money(&draft.cost);
    draft.tax = text.typed_money(&draft.tax);
    draft.date = text.moment_seconds(content.date);
    draft
}
