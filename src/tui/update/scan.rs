//! Scanners: keyboards that type a code faster than any hand and press Enter or Tab behind it.
//!
//! A burst is known only by what follows its first key. In a field its letters are typed, and taken out again when they turn out to be a code. Elsewhere a key that is a
//! character waits for the length of a burst's pause before it does anything, wherever products have codes: so no letter of a code, not even the first one, presses a button. Where no
//! product has a code only what can't be taken back waits, and a burst is text. Over a slow line a hand's keys arrive in bursts too, so there only a scanner with a prefix is known.
//! But nowhere does an Enter save that comes as fast behind a character as a scanner's: a hand presses it once more.

use super::super::desk::Cmd;
use super::super::key::{Code, Input, Press};
use super::super::keymap::Context;
use super::super::model::Model;
use super::super::model::drafts::MAX_WAITING;
use super::super::model::layers::Layer;
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
    /// Watches a key for a scanner; tells whether it goes no further, at least for now.
    pub(super) fn scan(&mut self, press: Press) -> bool {
        if self.settings.scanner_prefix == Some(press) {
            self.end_burst();
            self.scanner.prefixed = true;
            self.scanner.last = Some(self.now.tick);
            return true;
        }
        match press.types() {
            Some(c) => self.scan_character(c, press),
            None if matches!(press.code, Code::Enter | Code::Tab) && self.is_within_burst() => self.scan_end(press),
            None => {
                self.end_burst();
                false
            }
        }
    }

    /// Takes an Enter or a Tab right behind a burst; tells whether it goes no further.
    fn scan_end(&mut self, press: Press) -> bool {
        let length = self.scanner.burst.chars().count();
        let like_a_code = length >= MIN_CODE;
        if self.scanner.prefixed || (like_a_code && self.settings.knows_codes && !self.settings.remote) {
            if length > 0 {
                self.end_of_code();
            }
            self.end_burst();
            return true;
        }
        if length > 1 {
            // Two keys as fast as that were no hotkeys.
            self.scanner.held = None;
        }
        self.end_burst();
        if press.code != Code::Enter {
            return false;
        }
        match self.context() {
            Context::Form => self.enter_behind_burst(like_a_code),
            // Over a slow line a hand may have typed that, and nothing here is for good.
            Context::Find | Context::Filter | Context::Help => like_a_code && !self.settings.remote,
            _ if self.settings.remote && like_a_code => {
                self.complain_of_scanner();
                true
            }
            _ => length > 1 && !self.settings.remote,
        }
    }

    /// Lets an Enter right behind a burst go on in the form, but never save; tells whether it goes no further.
    fn enter_behind_burst(&mut self, like_a_code: bool) -> bool {
        let Some(form) = self.form_mut() else { return false };
        if form.saving {
            form.type_ahead(Input::Key(Press::plain(Code::Tab)));
            return true;
        }
        let saves = form.focus + 1 == Field::ALL.len();
        if saves && self.settings.remote && like_a_code {
            self.complain_of_scanner();
        } else if saves {
            self.object(Key::NoticeFastEnter);
        }
        saves
    }

    fn complain_of_scanner(&mut self) {
        self.object(Key::NoticeScannerPrefix);
    }

    /// When a burst that has gone quiet ends by itself; `None` if nothing depends on that.
    pub(super) fn scan_due_at(&self) -> Option<Tick> {
        let waits = self.scanner.prefixed || self.scanner.held.is_some();
        let quiet = |last: Tick| last.plus(self.longest_gap() + 1);
        self.scanner.last.filter(|_| waits).map(quiet)
    }

    const fn longest_gap(&self) -> u64 {
        if self.scanner.prefixed {
            MAX_PREFIX_GAP_MS
        } else {
            MAX_GAP_MS
        }
    }

    fn is_within_burst(&self) -> bool {
        let gap = |last| self.now.tick.since(last);
        self.scanner.last.is_some_and(|last| gap(last) <= self.longest_gap())
    }

    /// Ends a burst that was no code: the key that waited was a key.
    pub(super) fn end_burst(&mut self) {
        self.scanner.burst.clear();
        self.scanner.prefixed = false;
        self.scanner.last = None;
        if let Some(press) = self.scanner.held.take() {
            self.on_key(press);
        }
    }

    /// Takes a character; tells whether it goes no further, at least for now.
    fn scan_character(&mut self, c: char, press: Press) -> bool {
        let goes_on = self.is_within_burst() && self.scanner.burst.len() < MAX_CODE;
        if !goes_on {
            self.end_burst();
            self.scanner.in_text = self.context().takes_text();
        }
        // A key that is held down repeats as fast as a scanner types.
        let repeats = self.scanner.burst.chars().all(|before| before == c);
        self.scanner.burst.push(c);
        self.scanner.last = Some(self.now.tick);
        if self.scanner.prefixed {
            return true;
        }
        if self.settings.remote {
            return false;
        }
        // A form that opens in the middle of a code must not get the rest of it.
        if self.context().takes_text() && (self.scanner.in_text || !self.settings.knows_codes) {
            return false;
        }
        if goes_on && !repeats {
            self.scanner.held = None;
            return true;
        }
        self.hold(press)
    }

    /// Lets a key wait until it is known not to be the first one of a code; tells whether it waits.
    fn hold(&mut self, press: Press) -> bool {
        let Some(action) = self.settings.keymap.action(self.context(), press) else {
            return false;
        };
        if !self.settings.knows_codes && !action.is_final() {
            return false;
        }
        // Whoever holds a key down to get somewhere wants to see it go.
        if let Some(before) = self.scanner.held.take().filter(|_| action.moves()) {
            self.on_key(before);
        }
        self.scanner.held = Some(press);
        true
    }

    /// A code is complete: nothing of it was done, and what was typed of it goes.
    fn end_of_code(&mut self) {
        let code = std::mem::take(&mut self.scanner.burst);
        self.scanner.held = None;
        if self.scanner.in_text && !self.scanner.prefixed {
            self.untype(&code);
        }
        if self.settings.read_only {
            self.object(Key::NoticeReadOnly);
            return;
        }
        if self.scanner.codes.len() + self.drafts.waiting.len() >= MAX_WAITING {
            self.object(Key::NoticeTooManyScans);
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
            // Elsewhere characters are no text.
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
