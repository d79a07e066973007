//! The help: every key that works here, searched as one types, and run with Enter; below them the states and the log file.

use ratatui::layout::{Position, Rect};

use super::field;
use super::pen::{Pen, columns};
use crate::text::Key;
use crate::tui::keymap::Binding;
use crate::tui::model::Model;
use crate::tui::model::help::{self, Line};
use crate::tui::model::layers::HelpPane;
use crate::tui::model::layout::Layout;
use crate::tui::theme::Role;

pub(super) fn draw(pen: &mut Pen<'_>, model: &Model, pane: &HelpPane, layout: &Layout) -> Option<Position> {
    let text = &model.settings.text;
    let title = text.pair(text.word(Key::HelpTitle), text.word(pane.context.label()));
    let inside = pen.pane(layout.large_pane(), &title);
    let label = format!("{} ", text.word(Key::HelpSearch));
    let taken = pen.put(inside.x, inside.y, inside.width, &label, Role::Quiet);
    let line = Rect::new(inside.x + taken, inside.y, inside.width.saturating_sub(taken), 1);
    let cursor = field::draw(pen, &pane.field, true, line);
    let rows = inside.height.saturating_sub(1);
    let lines = help::lines(model, pane);
    let in_sight = (pane.chosen + 1).max(rows.into());
    more(pen, model, inside, lines.len().saturating_sub(in_sight));
    let area = Rect::new(inside.x, inside.y + 1, inside.width, rows);
    draw_lines(pen, model, &lines, pane.chosen, area);
    cursor
}

/// Says how many lines there are below, if there are any.
pub(super) fn more(pen: &mut Pen<'_>, model: &Model, inside: Rect, below: usize) {
    if below > 0 {
        let count = u64::try_from(below).unwrap_or(u64::MAX);
        let said = model.settings.text.say(Key::HelpMore, &[("n", count.into())]);
        pen.more(inside, &said);
    }
}

fn keys(binding: &Binding) -> String {
    let keys: Vec<_> = binding.keys.iter().map(ToString::to_string).collect();
    keys.join("  ")
}

fn draw_lines(pen: &mut Pen<'_>, model: &Model, lines: &[Line<'_>], chosen: usize, area: Rect) {
    let text = &model.settings.text;
    if lines.is_empty() {
        pen.line(area, area.y, text.word(Key::HelpNothing), Role::Quiet);
    }
    let first = (chosen + 1).saturating_sub(area.height.into());
    let needed = |line: &Line<'_>| match line {
        Line::Keys(binding) => columns(&keys(binding)),
        Line::Note(..) => 0,
    };
    let width = lines.iter().map(needed).max().unwrap_or(0).min(area.width / 2);
    for (y, (place, line)) in (area.y..area.bottom()).zip(lines.iter().enumerate().skip(first)) {
        match line {
            Line::Keys(binding) => {
                pen.put(area.x, y, width, &keys(binding), Role::Key);
                let x = area.x + width + 2;
                let room = area.right().saturating_sub(x);
                pen.put(x, y, room, text.word(binding.action.label()), Role::Text);
            }
            Line::Note(note, role) => pen.line(area, y, note, *role),
        }
        if place == chosen {
            pen.tint(Rect::new(area.x, y, area.width, 1), Role::Selected);
        }
    }
}
