//! Keeping what is typed: soon after it was typed, at once when the form is left, and never over something else.

use super::super::desk::Cmd;
use super::super::model::Model;
use super::super::model::drafts::Waiting;
use super::super::model::layers::Layer;

impl Model {
    /// Takes note that the form has changed.
    pub(super) fn touch_draft(&mut self) {
        self.drafts.touch(self.now.tick);
    }

    /// Keeps what is typed, if it differs from what is kept. One is kept at a time; the last one that was typed is always kept in the end.
    pub(super) fn keep_draft(&mut self) {
        if !self.drafts.keeping {
            self.keep_draft_now();
        }
    }

    /// Keeps what is typed even while something is being kept: there may be no later.
    pub(super) fn keep_draft_now(&mut self) {
        if self.drafts.dirty_since.is_none() {
            return;
        }
        self.drafts.dirty_since = None;
        match self.typed_draft() {
            Some(Waiting { draft, editing }) => {
                self.drafts.keeping = true;
                self.drafts.kept = true;
                self.send(Cmd::KeepDraft { draft, editing });
            }
            None => self.drop_draft(),
        }
    }

    /// Drops the draft that is kept, if there is one.
    pub(super) fn drop_draft(&mut self) {
        self.drafts.dirty_since = None;
        if self.drafts.kept {
            self.drafts.kept = false;
            self.drafts.keeping = true;
            self.send(Cmd::DropDraft);
        }
    }

    /// What is typed: in the form, wherever it is among the layers, or waiting to be taken up.
    fn typed_draft(&self) -> Option<Waiting> {
        let form = self.layers.iter().find_map(|layer| match layer {
            Layer::Form(form) => Some(form),
            _ => None,
        });
        let form = form.filter(|form| !form.is_untouched() && !form.draft().is_empty());
        let typed = form.map(|form| Waiting {
            draft: form.draft(),
            editing: form.editing(),
        });
        typed.or_else(|| self.drafts.waiting.last().cloned())
    }

    pub(super) fn on_draft_kept(&mut self, result: Result<(), String>) {
        self.drafts.keeping = false;
        if let Err(why) = result {
            self.drafts.kept = false;
            let text = &self.settings.text;
            self.complain(text.say(crate::text::Key::NoticeDraftNotKept, &[("why", (&why).into())]));
        }
    }
}
