//! The form: opening and leaving it, its keys, completing and saving. Nothing that was typed is lost on any way out.

use super::super::desk::{ChangeProblem, Cmd};
use super::super::key::{Input, Press};
use super::super::keymap::{Action, Context};
use super::super::model::board::Asking;
use super::super::model::drafts::{MAX_WAITING, Waiting};
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

    /// Opens the form for a new sale: with the one that was left last, else empty.
    pub(super) fn open_new(&mut self) {
        match self.drafts.take_new() {
            Some(left) => self.take_up(left),
            None => self.open_form(Form::of(Purpose::New, &Draft::default())),
        }
        self.take_waiting_scan();
    }

    /// Opens the form for an edit: with the unfinished one of this sale, else with what the sale says. Whatever else was left goes on to wait.
    pub(super) fn open_edit(&mut self, sale: &Sale) {
        self.layers.retain(|layer| !matches!(layer, Layer::Story(_)));
        match self.drafts.take_edit(sale.id) {
            Some(left) => self.take_up(left),
            None => self.open_form(Form::edit(sale, &self.settings.text, self.settings.tax_rate)),
        }
    }

    /// Opens a form as a draft of its own, unless too many wait: then the last one left comes first.
    fn open_form(&mut self, mut form: Form) {
        if self.drafts.waiting.len() >= MAX_WAITING
            && let Some(left) = self.drafts.waiting.pop()
        {
            return self.take_up(left);
        }
        form.no = self.drafts.number();
        self.layers.push(Layer::Form(Box::new(form)));
    }

    /// Goes on with a draft that waited.
    fn take_up(&mut self, left: Waiting) {
        let text = &self.settings.text;
        let said = match left.editing {
            None => text.word(Key::NoticeDraftTakenUp).to_owned(),
            Some((id, _)) => text.fill(Key::NoticeEditTakenUp, [("id", &id.to_string())]),
        };
        self.layers.push(Layer::Form(Box::new(left.into_form())));
        self.notify(said);
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
            // Every other action belongs to another place and has no key here.
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
        self.notify(self.settings.text.fill(Key::NoticeCleared, [("key", &key)]));
    }

    /// Takes the suggestion that is meant, and looks at what stands in the field with the focus; if that is right, goes to the next one. Tells whether it is.
    pub(super) fn leave_field(&mut self, insist: bool) -> bool {
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
    pub(super) fn go_to_field(&mut self, focus: usize) {
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
            self.mention(Key::NoticeNothingToUndo);
        }
    }

    /// Leaves the form. What was typed is kept at once and waits to be taken up.
    fn leave_form(&mut self) {
        let Some(Layer::Form(form)) = self.layers.pop() else {
            return;
        };
        if !self.leave_draft(&form) {
            return;
        }
        let action = form.editing().map_or(Action::NewSale, |_| Action::Edit);
        let key = self.settings.keymap.key_for(Context::Table, action);
        let text = &self.settings.text;
        self.notify(match form.editing() {
            None => text.fill(Key::NoticeDraftKept, [("key", &key)]),
            Some((id, _)) => text.fill(Key::NoticeEditKept, [("id", &*id.to_string()), ("key", &key)]),
        });
    }

    /// Lets what a form says wait, kept as it is now; tells whether it says anything.
    pub(super) fn leave_draft(&mut self, form: &Form) -> bool {
        self.drafts.dirty_since = None;
        let typed = Waiting::of(form);
        match typed.clone() {
            Some(typed) => {
                self.drafts.waiting.push(typed.clone());
                self.keep(typed);
            }
            None if form.is_kept => self.drop_draft(form.no),
            None => {}
        }
        typed.is_some()
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
        form.bring_cost(text.typed_money(&known.last_cost.to_string()));
        form.suggest_nothing();
        true
    }

    /// Fills the form from the sale that was entered last; opens it if it isn't open.
    pub(super) fn on_last_sale(&mut self, sale: Option<&Sale>) {
        let Some(sale) = sale else {
            self.mention(Key::NoticeNoSale);
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
                form.count_cost_as_brought();
                form.go_to(Field::Qty as usize);
                self.touch_draft();
            }
            None if nothing_open => {
                let mut form = Form::of(Purpose::New, &draft);
                form.count_cost_as_brought();
                form.go_to(Field::Qty as usize);
                self.open_form(form);
            }
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
                self.object(Key::NoticeNotSaved);
                return;
            }
        };
        form.saving = true;
        form.problems.clear();
        form.suggest_nothing();
        let no = form.no;
        let cmd = match form.purpose {
            Purpose::New => Cmd::SaveSale { no, content },
            Purpose::Edit { id, from } => Cmd::SaveEdit { no, id, from, content },
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
        let text = &self.settings.text;
        let (id, total) = (sale.id.to_string(), text.money(sale.content.total()));
        let mut said = text.fill(Key::NoticeSaved, [("id", &id), ("total", &total)]);
        let lost = text.word(Key::NoticeTypedLost);
        let Layer::Form(form) = self.layers.remove(place) else {
            return;
        };
        let was_new = form.purpose == Purpose::New;
        if !was_new && !form.typed_ahead.is_empty() {
            // It was meant for the form: in the table it would be keys that do anything.
            said = [&said, lost].join(" ");
        }
        if was_new {
            // The next sale can be typed at once.
            let mut next = Form::of(Purpose::New, &Draft::default());
            next.no = self.drafts.number();
            self.layers.insert(place, Layer::Form(Box::new(next)));
        }
        let is_top_shown = self.table.shows_newest();
        self.want(if was_new && is_top_shown {
            Want::Top
        } else {
            Want::Refresh
        });
        self.ask_status();
        self.ask_log();
        if was_new {
            for input in form.typed_ahead {
                self.replay(input);
            }
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
        let was_new = form.purpose == Purpose::New;
        let typed_ahead = std::mem::take(&mut form.typed_ahead);
        let said = match problem {
            ChangeProblem::Moved(now) => {
                let said = text.fill(Key::NoticeMoved, [("id", &now.id.to_string())]);
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
        let more = match typed_ahead.is_empty() {
            true => "",
            // What was typed for the next sale waits; what was meant for another place would do anything here.
            false if was_new && self.keep_typed_ahead(typed_ahead) => text.word(Key::NoticeTypedKept),
            false => text.word(Key::NoticeTypedLost),
        };
        self.complain([said.as_str(), more].join(" ").trim().to_owned());
    }
}
