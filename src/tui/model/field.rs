//! A field: one line of text with a cursor. What may be typed into it and what it means is its owner's.

use tui_input::{Input, InputRequest};

use crate::domain::sale::is_unsafe;
use crate::tui::key::{Code, Press};

/// The most characters of a field; the longest that is meant is a product's name.
const MAX_CHARS: usize = 400;

/// One line of text with a cursor.
#[derive(Debug, Clone, Default)]
pub struct Field {
    input: Input,
    /// Whether the text is taken as a whole: what is typed next replaces it.
    offered: bool,
    /// The offered text that was replaced, until something else is done: a scanner's code may turn out not to have been typed.
    replaced: Option<String>,
}

impl Field {
    /// A field with this text; the cursor stands behind it.
    #[must_use]
    pub fn of(text: impl Into<String>) -> Self {
        Self {
            input: Input::new(text.into()),
            ..Self::default()
        }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// Whether nothing but white space is there.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.text().trim().is_empty()
    }

    /// The column of the cursor within the text.
    #[must_use]
    pub fn cursor_column(&self) -> usize {
        self.input.visual_cursor()
    }

    /// How many columns of the text are out of sight to the left when so many are visible.
    #[must_use]
    pub fn scroll(&self, width: usize) -> usize {
        self.input.visual_scroll(width)
    }

    /// Replaces the text.
    pub fn set(&mut self, text: impl Into<String>) {
        *self = Self::of(text);
    }

    /// Offers the text as a whole, as a field does that is gone to: what is typed replaces it, and what only moves the cursor keeps it.
    pub fn offer(&mut self) {
        self.offered = !self.text().is_empty();
        self.replaced = None;
    }

    /// Takes the offer back: the field is left.
    pub fn settle(&mut self) {
        self.offered = false;
        self.replaced = None;
    }

    /// Whether the text is offered as a whole.
    #[must_use]
    pub const fn is_offered(&self) -> bool {
        self.offered
    }

    /// Types a pasted text at the cursor: line breaks and what could harm a terminal become spaces.
    pub fn paste(&mut self, text: &str) {
        let text = text.trim_end_matches(['\r', '\n']);
        for c in text.chars() {
            self.insert(if is_unsafe(c) { ' ' } else { c });
        }
    }

    /// Takes back the last characters before the cursor, as many as this text has, if they are this text.
    pub fn untype(&mut self, text: &str) {
        let before: String = self.text().chars().take(self.input.cursor()).collect();
        if before.ends_with(text) {
            for _ in text.chars() {
                self.input.handle(InputRequest::DeletePrevChar);
            }
            if let (true, Some(before)) = (self.text().is_empty(), self.replaced.take()) {
                self.set(before);
                self.offer();
            }
        }
    }

    fn insert(&mut self, c: char) {
        if std::mem::take(&mut self.offered) {
            self.replaced = Some(self.text().to_owned());
            self.input = Input::default();
        }
        if self.text().chars().count() < MAX_CHARS {
            self.input.handle(InputRequest::InsertChar(c));
        }
    }

    /// Does what a key does in a field, whether or not it does anything.
    pub fn type_key(&mut self, press: Press) {
        self.press(press);
    }

    /// Moves the cursor by one character.
    pub fn go(&mut self, forward: bool) {
        let request = if forward {
            InputRequest::GoToNextChar
        } else {
            InputRequest::GoToPrevChar
        };
        self.input.handle(request);
    }

    /// Does what a key does in a field; tells whether it was such a key.
    pub fn press(&mut self, press: Press) -> bool {
        if let Some(c) = press.types() {
            if !is_unsafe(c) {
                self.insert(c);
            }
            return true;
        }
        let request = match (press.code, press.ctrl) {
            (Code::Left, false) => InputRequest::GoToPrevChar,
            (Code::Right, false) => InputRequest::GoToNextChar,
            (Code::Left, true) => InputRequest::GoToPrevWord,
            (Code::Right, true) => InputRequest::GoToNextWord,
            (Code::Home, _) | (Code::Char('a'), true) => InputRequest::GoToStart,
            (Code::End, _) | (Code::Char('e'), true) => InputRequest::GoToEnd,
            (Code::Backspace, _) => InputRequest::DeletePrevChar,
            (Code::Delete, _) => InputRequest::DeleteNextChar,
            (Code::Char('w'), true) => InputRequest::DeletePrevWord,
            (Code::Char('u'), true) => InputRequest::DeleteLine,
            (Code::Char('k'), true) => InputRequest::DeleteTillEnd,
            _ => return false,
        };
        let deletes = matches!(request, InputRequest::DeletePrevChar | InputRequest::DeleteNextChar);
        if self.offered && deletes {
            self.set("");
        } else {
            self.settle();
            self.input.handle(request);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paste_is_text_on_one_line() {
        let mut field = Field::of("A");
        field.paste("B\x1b[2J\r\nC\u{202e}\n");
        assert_eq!(field.text(), "AB [2J  C ");
    }

    #[test]
    fn what_is_typed_replaces_an_offered_text_and_what_moves_the_cursor_keeps_it() {
        let offered = || {
            let mut field = Field::of("2.95");
            field.offer();
            field
        };
        let after = |keys: &str| {
            let mut field = offered();
            for key in keys.split(' ') {
                field.type_key(Press::parse(key).unwrap());
            }
            field.text().to_owned()
        };
        assert_eq!(after("3 , 5"), "3,5");
        assert_eq!(after("Left 0"), "2.905");
        assert_eq!(after("Backspace"), "");
        let mut scanned = offered();
        "4006"
            .chars()
            .for_each(|c| scanned.type_key(Press::plain(Code::Char(c))));
        scanned.untype("4006");
        assert!(scanned.text() == "2.95" && scanned.is_offered(), "a code was no text");
    }

    #[test]
    fn a_field_is_bounded() {
        let mut field = Field::default();
        field.paste(&"x".repeat(10_000));
        assert_eq!(field.text().len(), MAX_CHARS);
    }
}
