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
}

impl Field {
    /// A field with this text; the cursor stands behind it.
    #[must_use]
    pub fn of(text: impl Into<String>) -> Self {
        Self {
            input: Input::new(text.into()),
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
        self.input = Input::new(text.into());
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
        }
    }

    fn insert(&mut self, c: char) {
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
        self.input.handle(request);
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
    fn a_field_is_bounded() {
        let mut field = Field::default();
        field.paste(&"x".repeat(10_000));
        assert_eq!(field.text().len(), MAX_CHARS);
    }
}
