//! Writes texts into a buffer: cut to their place, cleaned of what could harm a terminal, in the style of their role.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use crate::domain::sale::is_unsafe;
use crate::tui::theme::{Role, Theme};
use crate::tui::wrap::cut;

/// Writes into a buffer.
pub(super) struct Pen<'a> {
    buffer: &'a mut Buffer,
    pub(super) theme: Theme,
}

/// One piece of a line that is put together from what fits.
pub(super) struct Piece {
    /// What gives way first has the highest rank; rank 0 never gives way.
    pub(super) rank: u8,
    /// Whether it stands at the right end.
    pub(super) right: bool,
    pub(super) text: String,
    pub(super) role: Role,
}

/// The gap between two pieces of a line.
const GAP: usize = 3;

impl<'a> Pen<'a> {
    pub(super) const fn new(buffer: &'a mut Buffer, theme: Theme) -> Self {
        Self { buffer, theme }
    }

    pub(super) fn style(&self, role: Role) -> Style {
        self.theme.style(role)
    }

    /// Writes a text into so many columns, cut if need be; gives the columns that it took.
    pub(super) fn put(&mut self, x: u16, y: u16, width: u16, text: &str, role: Role) -> u16 {
        let style = self.style(role);
        self.put_styled(x, y, width, text, style)
    }

    pub(super) fn put_styled(&mut self, x: u16, y: u16, width: u16, text: &str, style: Style) -> u16 {
        let area = self.buffer.area;
        if y < area.top() || y >= area.bottom() || x >= area.right() {
            return 0;
        }
        let width = width.min(area.right() - x);
        let text = cut(&clean(text), width.into(), self.theme.glyphs.cut).into_owned();
        let (end, _) = self.buffer.set_stringn(x, y, &text, width.into(), style);
        end - x
    }

    /// Writes a text at the right end of so many columns.
    pub(super) fn put_right(&mut self, x: u16, y: u16, width: u16, text: &str, role: Role) {
        let taken = columns(text).min(width);
        self.put(x + width - taken, y, taken, text, role);
    }

    /// Writes a line of a pane: its text, and the rest of the width empty.
    pub(super) fn line(&mut self, area: Rect, y: u16, text: &str, role: Role) {
        if y < area.bottom() {
            self.put(area.x, y, area.width, text, role);
        }
    }

    /// Draws a rule, with a title towards its left end and another one towards its right end.
    pub(super) fn rule(&mut self, area: Rect, left: &str, right: &str, role: Role) {
        if area.height == 0 {
            return;
        }
        let dashes = self.theme.glyphs.rule.repeat(area.width.into());
        self.put(area.x, area.y, area.width, &dashes, Role::Quiet);
        let mut room = area.width.saturating_sub(4);
        if !left.is_empty() {
            room -= self.put(area.x + 2, area.y, room, &format!(" {left} "), role).min(room);
        }
        let right = format!(" {right} ");
        if right.len() > 2 && columns(&right) + 2 <= room {
            self.put_right(area.x, area.y, area.width - 2, &right, role);
        }
    }

    /// Empties an area and draws a box around it with a title; gives its inside.
    pub(super) fn pane(&mut self, area: Rect, title: &str) -> Rect {
        self.clear(area);
        if area.width < 4 || area.height < 3 {
            return area;
        }
        let glyphs = self.theme.glyphs;
        let rule = glyphs.rule.repeat(usize::from(area.width) - 2);
        let [top_left, top_right, bottom_left, bottom_right] = glyphs.corners;
        let top = format!("{top_left}{rule}{top_right}");
        let bottom = format!("{bottom_left}{rule}{bottom_right}");
        self.put(area.x, area.y, area.width, &top, Role::Quiet);
        self.put(area.x, area.bottom() - 1, area.width, &bottom, Role::Quiet);
        for y in area.y + 1..area.bottom() - 1 {
            self.put(area.x, y, 1, glyphs.side, Role::Quiet);
            self.put(area.right() - 1, y, 1, glyphs.side, Role::Quiet);
        }
        self.put(area.x + 2, area.y, area.width - 4, &format!(" {title} "), Role::Title);
        Rect::new(area.x + 2, area.y + 1, area.width - 4, area.height - 2)
    }

    /// Says on a pane's lower border how many lines are out of sight below.
    pub(super) fn more(&mut self, inside: Rect, said: &str) {
        self.put_right(
            inside.x,
            inside.bottom(),
            inside.width,
            &format!(" {said} "),
            Role::Quiet,
        );
    }

    pub(super) fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        for position in area.positions() {
            self.buffer[position].reset();
        }
    }

    /// Lays a style over what is written.
    pub(super) fn tint(&mut self, area: Rect, role: Role) {
        let style = self.style(role);
        self.buffer.set_style(area, style);
    }

    /// Puts a line together from the pieces that fit.
    pub(super) fn pieces(&mut self, area: Rect, y: u16, mut pieces: Vec<Piece>) {
        let width = usize::from(area.width).saturating_sub(2);
        let needs = |pieces: &[Piece]| {
            let texts: usize = pieces.iter().map(|piece| usize::from(columns(&piece.text))).sum();
            texts + GAP * pieces.len().saturating_sub(1)
        };
        while needs(&pieces) > width {
            let weakest = (0..pieces.len()).max_by_key(|place| pieces[*place].rank);
            match weakest.filter(|place| pieces[*place].rank > 0) {
                Some(place) => pieces.remove(place),
                None => break,
            };
        }
        let mut left = area.x + 1;
        let mut right = area.right().saturating_sub(1);
        for piece in pieces.iter().rev().filter(|piece| piece.right) {
            right = right.saturating_sub(columns(&piece.text)).max(area.x);
            self.put(right, y, columns(&piece.text), &piece.text, piece.role);
            right = right.saturating_sub(3);
        }
        for piece in pieces.iter().filter(|piece| !piece.right) {
            let room = right.saturating_sub(left);
            left += self.put(left, y, room, &piece.text, piece.role) + 3;
        }
    }
}

/// The columns that a text takes.
pub(super) fn columns(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// A text without characters that could move a cursor or turn the reading direction.
fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_unsafe) {
        Cow::Owned(text.chars().map(|c| if is_unsafe(c) { ' ' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}
