//! Writes texts into a buffer: cut to their place, cleaned of what could harm a terminal, in the style of their role.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::domain::sale::is_unsafe;
use crate::tui::theme::{Role, Theme};

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

/// A text cut to so many columns; its end then says so.
pub(super) fn cut<'t>(text: &'t str, width: usize, mark: &str) -> Cow<'t, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let room = width.saturating_sub(mark.width());
    let mut taken = 0;
    let mut kept = String::new();
    for c in text.chars() {
        taken += c.width().unwrap_or(0);
        if taken > room {
            break;
        }
        kept.push(c);
    }
    if mark.width() <= width {
        kept.push_str(mark);
    }
    Cow::Owned(kept)
}

/// Breaks a text into lines of at most so many columns, between words where it can; all lines are indented as the text is.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let body = text.trim_start_matches(' ');
    let indent = " ".repeat((text.len() - body.len()).min(width / 2));
    let lines = wrap_body(body, (width - indent.len()).max(1));
    lines.into_iter().map(|line| format!("{indent}{line}")).collect()
}

fn wrap_body(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word = word.to_owned();
        loop {
            let line = lines.last_mut().expect("there is always a line");
            let gap = usize::from(!line.is_empty());
            if line.width() + gap + word.width() <= width {
                if gap == 1 {
                    line.push(' ');
                }
                line.push_str(&word);
                break;
            }
            if !line.is_empty() {
                lines.push(String::new());
                continue;
            }
            // A word longer than a line is broken.
            let head = cut(&word, width, "").into_owned();
            let head = if head.is_empty() {
                word.chars().take(1).collect()
            } else {
                head
            };
            word = word.split_off(head.len());
            line.push_str(&head);
            if word.is_empty() {
                break;
            }
            lines.push(String::new());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_says_so_and_fits() {
        assert_eq!(cut("LANTERN", 7, "…"), "LANTERN");
        assert_eq!(cut("LANTERN", 4, "…"), "LAN…");
        assert_eq!(cut("漢字漢字", 5, "…"), "漢字…");
        assert_eq!(cut("ab", 0, "…"), "");
    }

    #[test]
    fn text_wraps_between_words_and_breaks_what_is_too_long() {
        assert_eq!(
            wrap("Correct the date and save", 11),
            ["Correct the", "date and", "save"]
        );
        assert_eq!(wrap("ABCDEFGH", 3), ["ABC", "DEF", "GH"]);
        assert_eq!(wrap("漢字", 1), ["漢", "字"]);
        assert_eq!(wrap("  red lamp", 6), ["  red", "  lamp"]);
        assert_eq!(wrap("", 5), [""]);
    }
}
