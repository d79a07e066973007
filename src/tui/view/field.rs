//! A field as it is drawn: the part of its text that is in sight, and the cursor.

use ratatui::layout::{Position, Rect};
use unicode_width::UnicodeWidthChar;

use super::pen::Pen;
use crate::tui::model::field::Field;
use crate::tui::theme::Role;
use crate::tui::wrap::cut;

/// Draws a field on a line; gives the place of its cursor if it has the focus.
pub(super) fn draw(pen: &mut Pen<'_>, field: &Field, focused: bool, line: Rect) -> Option<Position> {
    let role = if focused { Role::FieldFocused } else { Role::Field };
    if focused {
        pen.put(line.x, line.y, line.width, &" ".repeat(line.width.into()), role);
    }
    let scroll = field.scroll(usize::from(line.width).saturating_sub(1));
    let text = skip_columns(field.text(), scroll);
    let shown = cut(&text, line.width.into(), "").into_owned();
    let taken = pen.put(line.x, line.y, line.width, &shown, role);
    if focused && field.is_offered() {
        pen.tint(Rect { width: taken, ..line }, Role::Selected);
    }
    let column = u16::try_from(field.cursor_column().saturating_sub(scroll)).unwrap_or(0);
    focused.then(|| Position::new(line.x + column.min(line.width.saturating_sub(1)), line.y))
}

/// A text without its first columns.
fn skip_columns(text: &str, skipped: usize) -> String {
    let mut column = 0;
    let is_hidden = |c: &char| {
        let before = column;
        column += c.width().unwrap_or(0);
        before < skipped
    };
    text.chars().skip_while(is_hidden).collect()
}
