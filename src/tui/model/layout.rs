//! Where everything stands on a terminal of some size.

use ratatui::layout::{Rect, Size};

use crate::domain::draft::Field;

/// The narrowest terminal that has a screen.
pub const MIN_WIDTH: u16 = 40;
/// The lowest terminal that has a screen.
pub const MIN_HEIGHT: u16 = 10;
/// The height of the form with all its fields.
const FORM_HEIGHT: u16 = 10;
/// The most columns of a large pane: longer lines are hard to read.
const LARGE_PANE_WIDTH: u16 = 96;
/// The lines that are never given up: two of the header, a rule, a rule with the notice, the footer.
const FIXED: u16 = 5;

/// The places of the screen's parts; a part without room has no height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Branch, line, clock; how far ahead.
    pub header: Rect,
    /// The rule below the header.
    pub header_rule: Rect,
    /// The names of the columns.
    pub columns: Rect,
    /// The rows.
    pub table: Rect,
    /// The rule above the log, with its title.
    pub log_rule: Rect,
    /// The log.
    pub log: Rect,
    /// The form.
    pub form: Rect,
    /// The rule above the footer, with the notice.
    pub footer_rule: Rect,
    /// The keys.
    pub footer: Rect,
}

impl Layout {
    /// Divides a terminal; `None` if it is too small for more than one line.
    #[must_use]
    pub fn of(size: Size, log_focused: bool, form: bool) -> Option<Self> {
        if size.width < MIN_WIDTH || size.height < MIN_HEIGHT {
            return None;
        }
        let free = size.height - FIXED;
        let form_height = if form { FORM_HEIGHT.min(free) } else { 0 };
        // The table keeps its columns' names and a row.
        let log_height = if form {
            0
        } else {
            log_height(size.height, log_focused).min(free - 3)
        };
        let log_rule_height = u16::from(log_height > 0);
        let rest = free - form_height - log_height - log_rule_height;
        let columns_height = u16::from(rest > 1);
        let mut y = 0;
        let mut next = |height: u16| {
            let place = Rect::new(0, y, size.width, height);
            y += height;
            place
        };
        Some(Self {
            header: next(2),
            header_rule: next(1),
            columns: next(columns_height),
            table: next(rest - columns_height),
            log_rule: next(log_rule_height),
            log: next(log_height),
            form: next(form_height),
            footer_rule: next(1),
            footer: next(1),
        })
    }

    /// The lines below the form's fields: for amount and total, and for what is wrong.
    #[must_use]
    pub fn below_form_fields(&self) -> u16 {
        let wanted = if self.form.height > 7 { 2 } else { 1 };
        self.form.height.saturating_sub(1).min(wanted)
    }

    /// The first of the form's fields that is in sight, and how many are. On a low terminal they are those around the focus.
    #[must_use]
    pub fn form_fields(&self, focus: usize) -> (usize, usize) {
        let room = self.form.height.saturating_sub(1 + self.below_form_fields());
        let room = usize::from(room).min(Field::ALL.len());
        ((focus + 1).saturating_sub(room), room)
    }

    /// The place of a large pane: a story, the help, the totals.
    #[must_use]
    pub fn large_pane(&self) -> Rect {
        let middle = self.middle();
        let width = middle.width.min(LARGE_PANE_WIDTH);
        Rect::new(middle.x + (middle.width - width) / 2, middle.y, width, middle.height)
    }

    /// The area in which a layer may open: all but the header and the footer.
    #[must_use]
    pub fn middle(&self) -> Rect {
        let top = self.header_rule.bottom();
        Rect::new(0, top, self.header.width, self.footer_rule.y.saturating_sub(top))
    }
}

const fn log_height(height: u16, focused: bool) -> u16 {
    if focused {
        height / 2
    } else if height < 18 {
        0
    } else if height > 48 {
        8
    } else {
        height / 6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_fill_every_terminal_without_overlap() {
        for (width, height) in [(40, 10), (60, 20), (80, 24), (100, 28), (250, 80)] {
            for (log_focused, form) in [(false, false), (true, false), (false, true), (true, true)] {
                let layout = Layout::of(Size::new(width, height), log_focused, form).unwrap();
                let parts = [
                    layout.header,
                    layout.header_rule,
                    layout.columns,
                    layout.table,
                    layout.log_rule,
                    layout.log,
                    layout.form,
                    layout.footer_rule,
                    layout.footer,
                ];
                let mut y = 0;
                for part in parts {
                    assert_eq!(part.y, y);
                    y = part.bottom();
                }
                assert_eq!(y, height);
            }
        }
        assert_eq!(Layout::of(Size::new(39, 10), false, false), None);
    }
}
