//! The form: opening and leaving it, its keys, completing and saving. Nothing that was typed is lost on any way out.

use super::super::desk::{ChangeProblem, Cmd};
use super::super::key::{Input, Press};
use super::super::keymap::{Action, Context};
use super::super::model::board::Asking;
use super::super::model::drafts::Waiting;
use super::super::model::form::{Form, Purpose};
use super::super::model::layers::Layer;
use super::super::model::table::Want;
use super::super::model::{Model, field};
use crate::domain::draft::{Defaults, Draft, Field};
use crate::domain::read::KnownProduct;
use crate::domain::sale::Sale;
use crate::text::Key;

impl Model {
    /// What stands in for fields that are left empty.
    #[must_use]
    pub fn defaults(&self) -> Defaults {
        Defaults {
            date: self.local_now(),
            region: self.settings.region.clone(),
            tax_rate: self.settings.tax_rate,
        }
    }

    /// Opens the form for a new sale, filled with what is given; a draft that waits goes first, so that it is not pushed out.
    pub(super) fn open_new(&mut self, filled: Option<Draft>) {
        if self.take_up_draft() {
            return;
        }
        let is_filled = filled.is_some();
        let mut form = Form::of(Purpose::New, &filled.unwrap_or_default());
        if is_filled {
            form.go_to(Field::Qty as usize);
        }
        self.layers.push(Layer::Form(Box::new(form)));
        self.take_waiting_scan();
    }

    pub(super) fn open_edit(&mut self, sale: &Sale) {
        self.layers.retain(|layer| !matches!(layer, Layer::Story(_)));
        if !self.take_up_draft() {
            let form = Form::edit(sale, &self.settings.text, self.settings.tax_rate);
            self.layers.push(Layer::Form(Box::new(form)));
        }
    }

    /// Opens the form with the draft that waits, if one does.
    fn take_up_draft(&mut self) -> bool {
        let Some(Waiting { draft, editing }) = self.drafts.waiting.pop() else {
            return false;
        };
        let text = &self.settings.text;
        let (purpose, said) = match editing {
            None => (Purpose::New, text.word(Key::NoticeDraftTakenUp).to_owned()),
            Some((id, from)) => {
                let said = text.say(Key::NoticeEditTakenUp, &[("id", (&id.to_string()).into())]);
                (Purpose::Edit { id, from }, said)
            }
        };
        let mut form = Form::of(purpose, &draft);
        form.count_as_typed();
        self.layers.push(Layer::Form(Box::new(form)));
        self.notify(said);
        true
    }

    pub(super) fn act_in_form(&mut self, action: Action) {
        let suggests = self.form().is_some_and(|form| !form.suggestions.is_empty());
        let Some(focus) = self.form().map(|form| form.focus) else {
            return;
        };
        let last = Field::ALL.len() - 1;
        match action {
            Action::Next => self.go_on(),
            Action::Forward if focus == last => self.go_to_field(0),
            Action::Forward => self.go_to_field(focus + 1),
            Action::Previous => self.go_to_field(focus.checked_sub(1).unwrap_or(last)),
            Action::Up | Action::Down if suggests => self.choose_suggestion(action == Action::Down),
            Action::Up => self.go_to_field(focus.saturating_sub(1)),
            Action::Down => self.go_to_field((focus + 1).min(last)),
            Action::Save => self.save(),
            Action::Undo => self.undo(),
            Action::Discard => self.discard(),
            Action::FillLast => self.send(Cmd::LoadLastSale),
            Action::Leave => self.leave_form(),
            _ => {}
        }
    }

    /// Goes to the next field, and from the last one saves.
    fn go_on(&mut self) {
        let at_last = self.form().is_some_and(|form| form.focus + 1 == Field::ALL.len());
        if self.leave_field(true) && at_last {
            self.save();
        }
    }

    fn choose_suggestion(&mut self, down: bool) {
        if let Some(form) = self.form_mut() {
            form.choose(down);
        }
    }

    fn discard(&mut self) {
        let Some(form) = self.form_mut() else { return };
        form.clear();
        self.touch_draft();
        let key = self.settings.keymap.key_for(Context::Form, Action::Undo);
        self.notify(self.settings.text.say(Key::NoticeCleared, &[("key", (&key).into())]));
    }

    /// Takes the suggestion that is meant, and looks at what stands in the field with the focus; if that is right, goes to the next one. Tells whether it is.
    fn leave_field(&mut self, insist: bool) -> bool {
        if self.accept_suggestion() {
            self.touch_draft();
        }
        let (defaults, text) = (self.defaults(), self.settings.text.clone());
        let Some(form) = self.form_mut() else { return false };
        let right = form.judge(form.focused(), &defaults, &text, insist);
        if right && form.focus + 1 < Field::ALL.len() {
            form.go_to(form.focus + 1);
        }
        right
    }

    /// Goes to a field, whatever stands in the one that is left: it is looked at, and what is wrong is said.
    fn go_to_field(&mut self, focus: usize) {
        if self.form().is_some_and(|form| form.focus == focus) {
            return;
        }
        self.leave_field(false);
        if let Some(form) = self.form_mut() {
            form.go_to(focus);
        }
    }

    fn undo(&mut self) {
        let Some(form) = self.form_mut() else { return };
        if form.undo() {
            self.touch_draft();
        } else {
            self.notify(self.settings.text.word(Key::NoticeNothingToUndo).to_owned());
        }
    }

    /// Leaves the form. What was typed is kept at once and waits to be taken up.
    fn leave_form(&mut self) {
        let Some(Layer::Form(form)) = self.layers.pop() else {
            return;
        };
        self.drafts.dirty_since = Some(self.now.tick);
        if !form.is_untouched() && !form.draft().is_empty() {
            self.drafts.waiting.push(Waiting {
                draft: form.draft(),
                editing: form.editing(),
            });
            let key = self.settings.keymap.key_for(Context::Table, Action::NewSale);
            self.notify(self.settings.text.say(Key::NoticeDraftKept, &[("key", (&key).into())]));
        }
        self.keep_draft();
    }

    pub(super) fn type_in_form(&mut self, press: Press) {
        self.change_field(press.types().is_some(), |field| field.press(press));
    }

    pub(super) fn paste_in_form(&mut self, text: &str) {
        self.change_field(false, |field| {
            field.paste(text);
            true
        });
    }

    fn change_field(&mut self, typing: bool, change: impl FnOnce(&mut field::Field) -> bool) {
        let defaults = self.defaults();
        let text = self.settings.text.clone();
        let Some(form) = self.form_mut() else { return };
        let before = form.focused_mut().clone();
        let mut field = before.clone();
        if !change(&mut field) || field.text() == before.text() {
            // Only the cursor has moved.
            *form.focused_mut() = field;
            return;
        }
        form.remember(typing);
        *form.focused_mut() = field;
        // What was said about this field is said again only while it is still wrong.
        if form.problems.iter().any(|error| error.field == form.focused()) {
            form.judge(form.focused(), &defaults, &text, false);
        }
        let product = (form.focused() == Field::Product).then(|| form.field(Field::Product).text().to_owned());
        self.touch_draft();
        if let Some(typed) = product {
            self.complete(typed);
        }
    }

    /// Asks for products that complete what is typed.
    fn complete(&mut self, typed: String) {
        let Some(form) = self.form_mut() else { return };
        form.chosen = None;
        if typed.trim().is_empty() {
            form.suggest_nothing();
        } else if self.completing.want() {
            self.send(Cmd::LoadProducts(typed));
        }
    }

    pub(super) fn on_products(&mut self, typed: &str, products: Vec<KnownProduct>) {
        let again = self.completing.answered();
        let Some(form) = self.form_mut() else {
            self.completing = Asking::Idle;
            return;
        };
        let now = form.field(Field::Product).text().to_owned();
        let fits = now == typed && form.focused() == Field::Product && !form.saving;
        if fits {
            form.suggestions = products;
            form.chosen = None;
        }
        if again && now.trim().is_empty() {
            self.completing = Asking::Idle;
        } else if again {
            self.send(Cmd::LoadProducts(now));
        }
    }

    /// Takes the chosen product, or the one that was typed in full, with its last cost; tells whether there was one.
    fn accept_suggestion(&mut self) -> bool {
        let text = self.settings.text.clone();
        let Some(form) = self.form_mut() else { return false };
        if form.focused() != Field::Product {
            return false;
        }
        let typed = form.field(Field::Product).text().trim().to_uppercase();
        let exact = || {
            form.suggestions
                .iter()
                .position(|known| known.name.to_uppercase() == typed)
        };
        let Some(known) = form
            .chosen
            .or_else(exact)
            .and_then(|place| form.suggestions.get(place))
            .cloned()
        else {
            return false;
        };
        form.remember(false);
        form.set(Field::Product, known.name);
        if form.field(Field::Cost).is_blank() {
            form.set(Field::Cost, text.typed_money(&known.last_cost.to_string()));
        }
        form.suggest_nothing();
        true
    }

    /// Fills the form from the sale that was entered last; opens it if it isn't open.
    pub(super) fn on_last_sale(&mut self, sale: Option<&Sale>) {
        let Some(sale) = sale else {
            self.notify(self.settings.text.word(Key::NoticeNoSale).to_owned());
            return;
        };
        let draft = Form::like(&sale.content, &self.settings.text);
        let nothing_open = self.layers.is_empty();
        match self.form_mut() {
            Some(form) => {
                form.remember(false);
                for name in Field::ALL {
                    if name != Field::Date {
                        form.set(name, draft.field(name));
                    }
                }
                form.go_to(Field::Qty as usize);
                self.touch_draft();
            }
            None if nothing_open => self.open_new(Some(draft)),
            // Something else was opened meanwhile.
            None => {}
        }
    }

    fn save(&mut self) {
        let defaults = self.defaults();
        let text = self.settings.text.clone();
        let Some(form) = self.form_mut() else { return };
        let content = match form.check(&defaults, &text) {
            Ok(content) => content,
            Err(problems) => {
                if let Some(first) = problems.first() {
                    form.go_to(first.field as usize);
                }
                form.problems = problems;
                self.complain(text.word(Key::NoticeNotSaved).to_owned());
                return;
            }
        };
        form.saving = true;
        form.problems.clear();
        form.suggest_nothing();
        let cmd = match form.purpose {
            Purpose::New => Cmd::SaveSale { content },
            Purpose::Edit { id, from } => Cmd::SaveEdit { id, from, content },
        };
        // Saving drops the kept draft in the same transaction; keeping it once more would bring it back.
        self.drafts.dirty_since = None;
        self.send(cmd);
    }

    pub(super) fn on_saved(&mut self, result: Result<Box<Sale>, ChangeProblem>) {
        let saved = self
            .layers
            .iter()
            .position(|layer| matches!(layer, Layer::Form(form) if form.saving));
        let Some(place) = saved else { return };
        match result {
            Ok(sale) => self.after_save(place, &sale),
            Err(problem) => self.after_failed_save(place, problem),
        }
    }

    fn after_save(&mut self, place: usize, sale: &Sale) {
        self.drafts.kept = false;
        let text = &self.settings.text;
        let values = [
            ("id", &sale.id.to_string()),
            ("total", &text.money(sale.content.total())),
        ];
        let said = text.say(Key::NoticeSaved, &values.map(|(slot, value)| (slot, value.into())));
        let Layer::Form(form) = self.layers.remove(place) else {
            return;
        };
        let was_new = form.purpose == Purpose::New;
        if !self.drafts.waiting.is_empty() {
            // Saving has dropped what was kept; what still waits is kept instead.
            self.drafts.touch(self.now.tick);
        }
        if was_new {
            // The next sale can be typed at once.
            let next = Form::of(Purpose::New, &Draft::default());
            self.layers.insert(place, Layer::Form(Box::new(next)));
        }
        let is_top_shown = self.table.newest_first() && self.table.shown().is_empty() && self.table.follows();
        self.want(if was_new && is_top_shown {
            Want::Top
        } else {
            Want::Refresh
        });
        self.ask_status();
        self.ask_log();
        for input in form.typed_ahead {
            self.replay(input);
        }
        self.take_waiting_scan();
        self.notify(said);
    }

    /// Does what was typed while the sale was being saved.
    fn replay(&mut self, input: Input) {
        match input {
            Input::Key(press) => self.on_key(press),
            Input::Paste(text) => self.on_paste(&text),
            Input::Click { .. } | Input::Wheel { .. } => {}
        }
    }

    fn after_failed_save(&mut self, place: usize, problem: ChangeProblem) {
        let text = self.settings.text.clone();
        let tick = self.now.tick;
        let Some(Layer::Form(form)) = self.layers.get_mut(place) else {
            return;
        };
        form.saving = false;
        let lost = !form.typed_ahead.is_empty();
        form.typed_ahead.clear();
        let said = match problem {
            ChangeProblem::Moved(now) => {
                let said = text.say(Key::NoticeMoved, &[("id", (&now.id.to_string()).into())]);
                form.purpose = Purpose::Edit {
                    id: now.id,
                    from: now.revision,
                };
                form.moved = Some(now);
                said
            }
            ChangeProblem::AlreadyVoid => text.word(Key::NoticeVoidMeanwhile).to_owned(),
            ChangeProblem::NoSuchSale => text.word(Key::NoticeGone).to_owned(),
            ChangeProblem::Database(why) => text.say(Key::NoticeDatabase, &[("why", (&why).into())]),
        };
        self.drafts.touch(tick);
        let more = if lost { text.word(Key::NoticeTypedLost) } else { "" };
        self.complain([said.as_str(), more].join(" ").trim().to_owned());
    }
}
