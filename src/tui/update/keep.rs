//! Keeping what is typed: soon after it was typed, at once when the form is left, and never over something else.

use std::collections::VecDeque;

use super::super::desk::Cmd;
use super::super::key::Input;
use super::super::keymap::{Action, Context};
use super::super::model::Model;
use super::super::model::drafts::Waiting;
use super::super::model::form::{Form, Purpose};
use super::super::model::layers::Layer;
use crate::domain::draft::{Draft, Field};
use crate::text::Key;

impl Model {
    /// Takes note that the form has changed.
    pub(super) fn touch_draft(&mut self) {
        self.drafts.touch(self.now.tick);
    }

    /// Keeps what is typed, if it differs from what is kept, even while something is being kept: there may be no later.
    pub(super) fn keep_draft(&mut self) {
        if self.drafts.dirty_since.take().is_none() {
            return;
        }
        let form = self.layers.iter_mut().find_map(|layer| match layer {
            Layer::Form(form) => Some(form),
            _ => None,
        });
        let Some(form) = form else { return };
        let (no, was_kept) = (form.no, form.is_kept);
        let typed = Waiting::of(form);
        form.is_kept = typed.is_some();
        match typed {
            Some(typed) => self.keep(typed),
            None if was_kept => self.drop_draft(no),
            None => {}
        }
    }

    /// Keeps a draft under its number.
    pub(super) fn keep(&mut self, typed: Waiting) {
        let Waiting { no, draft, editing, .. } = typed;
        self.drafts.keeping += 1;
        self.send(Cmd::KeepDraft { no, draft, editing });
    }

    pub(super) fn drop_draft(&mut self, no: i64) {
        self.drafts.keeping += 1;
        self.send(Cmd::DropDraft(no));
    }

    pub(super) fn on_draft_kept(&mut self, result: Result<(), String>) {
        self.drafts.keeping = self.drafts.keeping.saturating_sub(1);
        if let Err(why) = result {
            for layer in &mut self.layers {
                if let Layer::Form(form) = layer {
                    form.is_kept = false;
                }
            }
            let text = &self.settings.text;
            self.complain(text.say(Key::NoticeDraftNotKept, &[("why", (&why).into())]));
        }
    }

    /// Keeps all that would be lost with the screen: what is typed; while a sale is being saved, that sale if saving it fails, and what was typed meanwhile.
    pub(super) fn keep_all(&mut self) {
        self.keep_draft();
        let saving = self.layers.iter_mut().find_map(|layer| match layer {
            Layer::Form(form) if form.saving => Some(form),
            _ => None,
        });
        let Some(form) = saving else { return };
        let (no, draft, editing) = (form.no, form.draft(), form.editing());
        let typed_ahead = std::mem::take(&mut form.typed_ahead);
        let was_new = form.purpose == Purpose::New;
        self.drafts.keeping += 1;
        self.send(Cmd::KeepUnsaved { no, draft, editing });
        if was_new {
            self.keep_typed_ahead(typed_ahead);
        }
    }

    /// Lets what was typed for the next sale wait as a draft; tells whether all of it could be kept.
    pub(super) fn keep_typed_ahead(&mut self, typed: VecDeque<Input>) -> bool {
        let mut form = Form::of(Purpose::New, &Draft::default());
        form.no = self.drafts.number();
        let all = typed.into_iter().all(|input| self.type_into(&mut form, input));
        if let Some(typed) = Waiting::of(&form) {
            self.keep(typed.clone());
            self.drafts.waiting.push(typed);
        }
        all
    }

    /// Types into a form that nobody sees; tells whether it was text or led to another field.
    fn type_into(&self, form: &mut Form, input: Input) -> bool {
        let last = Field::ALL.len() - 1;
        let press = match input {
            Input::Key(press) => press,
            Input::Paste(text) => {
                form.focused_mut().paste(&text);
                return true;
            }
            Input::Click { .. } | Input::Wheel { .. } => return true,
        };
        match self.settings.keymap.action(Context::Form, press) {
            None => {
                form.focused_mut().press(press);
            }
            Some(Action::Next | Action::Forward | Action::Down) if form.focus < last => form.go_to(form.focus + 1),
            Some(Action::Previous | Action::Up) => form.go_to(form.focus.saturating_sub(1)),
            // Whatever else it asks for, it asked a form that isn't there.
            Some(_) => return false,
        }
        true
    }
}
