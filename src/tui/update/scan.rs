//! Scanners: keyboards that type a code faster than any hand and press Enter or Tab behind it.
//!
//! A burst is known only by its end, so its letters may have done something before: they are taken out of the field again, or what they opened is closed again. Its Enter
//! does nothing but end the code. A key within a burst is never a hotkey, so no letter of a code voids or quits. Where no product has a code, a burst is text, and its Enter still
//! never saves. Over a slow line a hand's keys arrive in bursts too, so there only a scanner with a prefix is known.

use super::super::desk::Cmd;
use super::super::key::{Code, Press};
use super::super::model::drafts::MAX_WAITING;
use super::super::model::layers::Layer;
use super::super::model::{Before, Model};
use crate::domain::draft::Field;
use crate::domain::read::ProductCode;
use crate::domain::time::Tick;
use crate::text::Key;

/// The longest pause between two keys of a burst, in milliseconds.
const MAX_GAP_MS: u64 = 30;
/// The longest pause behind a prefix, in milliseconds.
const MAX_PREFIX_GAP_MS: u64 = 300;
/// The shortest code without a prefix: what is shorter may be a hand on the keyboard of a slow line.
const MIN_CODE: usize = 4;
/// The longest code.
const MAX_CODE: usize = 64;

impl Model {
    /// Watches a key for a scanner; tells whether it is taken.
    pub(super) fn scan(&mut self, press: Press) -> bool {
        if self.settings.scanner_prefix == Some(press) {
            self.begin_burst();
            self.scanner.prefixed = true;
            return true;
        }
        match press.types() {
            Some(_) if self.settings.remote && !self.scanner.prefixed => false,
            Some(c) => self.scan_character(c),
            None if matches!(press.code, Code::Enter | Code::Tab) && self.is_code_complete() => {
                if self.settings.knows_codes || self.scanner.prefixed {
                    self.end_of_code();
                } else {
                    self.end_burst();
                    if self.context().takes_text() {
                        self.on_key(Press::plain(Code::Tab));
                    }
                }
                true
            }
            None => {
                self.end_burst();
                false
            }
        }
    }

    /// When a burst that has gone quiet ends by itself.
    pub(super) fn scan_due_at(&self) -> Option<Tick> {
        let gap = if self.scanner.prefixed {
            MAX_PREFIX_GAP_MS
        } else {
            MAX_GAP_MS
        };
        let quiet = |last: Tick| last.plus(gap + 1);
        self.scanner.last.filter(|_| self.scanner.prefixed).map(quiet)
    }

    fn is_within_burst(&self) -> bool {
        let gap = if self.scanner.prefixed {
            MAX_PREFIX_GAP_MS
        } else {
            MAX_GAP_MS
        };
        self.scanner.last.is_some_and(|last| self.now.tick.since(last) <= gap)
    }

    fn is_code_complete(&self) -> bool {
        let enough = if self.scanner.prefixed { 1 } else { MIN_CODE };
        self.is_within_burst() && self.scanner.burst.chars().count() >= enough
    }

    fn begin_burst(&mut self) {
        self.scanner.burst.clear();
        self.scanner.prefixed = false;
        self.scanner.last = Some(self.now.tick);
        // In a field a burst is taken out of the text again; elsewhere what it opens is closed again.
        self.scanner.before = (!self.context().takes_text()).then(|| Before {
            layers: self.layers.clone(),
            log_focused: self.log_focused,
        });
    }

    pub(super) fn end_burst(&mut self) {
        self.scanner.burst.clear();
        self.scanner.prefixed = false;
        self.scanner.last = None;
        self.scanner.before = None;
    }

    fn scan_character(&mut self, c: char) -> bool {
        let goes_on = self.is_within_burst() && self.scanner.burst.len() < MAX_CODE;
        if !goes_on {
            self.begin_burst();
        }
        // A key that is held down repeats as fast as a scanner types.
        let repeats = self.scanner.burst.chars().all(|before| before == c);
        self.scanner.burst.push(c);
        self.scanner.last = Some(self.now.tick);
        if self.scanner.prefixed {
            return true;
        }
        if goes_on && !repeats {
            self.held = None;
            return !self.context().takes_text();
        }
        false
    }

    /// A code is complete: nothing else that its keys may have done remains.
    fn end_of_code(&mut self) {
        let code = std::mem::take(&mut self.scanner.burst);
        let prefixed = self.scanner.prefixed;
        match self.scanner.before.take() {
            Some(before) => {
                self.layers = before.layers;
                self.log_focused = before.log_focused;
                self.held = None;
            }
            None if !prefixed => self.untype(&code),
            None => {}
        }
        self.end_burst();
        if self.settings.read_only {
            self.complain(self.settings.text.word(Key::NoticeReadOnly).to_owned());
            return;
        }
        if self.scanner.codes.len() + self.drafts.waiting.len() >= MAX_WAITING {
            self.complain(self.settings.text.word(Key::NoticeTooManyScans).to_owned());
            return;
        }
        self.scanner.codes.push_back(code);
        if self.scanner.codes.len() == 1 {
            self.find_code();
        }
    }

    fn untype(&mut self, code: &str) {
        match self.layers.last_mut() {
            Some(Layer::Form(form)) if form.saving => {
                for _ in code.chars() {
                    form.typed_ahead.pop_back();
                }
            }
            Some(Layer::Form(form)) => {
                form.focused_mut().untype(code);
                form.suggest_nothing();
                self.touch_draft();
            }
            Some(Layer::Find(_)) => self.type_in_find(|field| field.untype(code)),
            Some(Layer::Filter(_)) => self.type_in_filter(|field| field.untype(code)),
            Some(Layer::Help(_)) => self.type_in_help(|field| field.untype(code)),
            _ => {}
        }
    }

    fn find_code(&mut self) {
        if let Some(code) = self.scanner.codes.front().cloned() {
            self.send(Cmd::FindCode(code));
        }
    }

    pub(super) fn on_code(&mut self, code: &str, found: Option<ProductCode>) {
        self.scanner.codes.pop_front();
        match found {
            Some(product) => self.take_scan(&product),
            None => self.unknown_code(code),
        }
        self.find_code();
    }

    pub(super) fn on_code_trouble(&mut self) {
        self.scanner.codes.pop_front();
        self.find_code();
    }

    /// A code that no product has: in an empty product field it is typed text all the same, for it was typed there.
    fn unknown_code(&mut self, code: &str) {
        let said = self.settings.text.say(Key::NoticeUnknownCode, &[("code", code.into())]);
        if let Some(form) = self.form_mut().filter(|form| !form.saving)
            && form.focused() == Field::Product
            && form.field(Field::Product).is_blank()
        {
            form.remember(false);
            form.set(Field::Product, code);
            self.touch_draft();
        }
        self.complain(said);
    }
}
