//! The help: every key that works here, searched as one types, and run with Enter.

use ratatui::layout::{Position, Rect};

use super::field;
use super::pen::{Pen, columns, wrap};
use crate::domain::sync_state::SyncKind;
use crate::text::Key;
use crate::tui::keymap::Binding;
use crate::tui::model::Model;
use crate::tui::model::layers::HelpPane;
use crate::tui::model::layout::Layout;
use crate::tui::theme::Role;

/// From how many lines on there is room for the states' legend.
const LEGEND_FROM: u16 = 14;

pub(super) fn draw(pen: &mut Pen<'_>, model: &Model, pane: &HelpPane, layout: &Layout) -> Option<Position> {
    let text = &model.settings.text;
    let title = text.pair(text.word(Key::HelpTitle), text.word(pane.context.label()));
    let inside = pen.pane(layout.large_pane(), &title);
    let label = format!("{} ", text.word(Key::HelpSearch));
    let taken = pen.put(inside.x, inside.y, inside.width, &label, Role::Quiet);
    let line = Rect::new(inside.x + taken, inside.y, inside.width.saturating_sub(taken), 1);
    let cursor = field::draw(pen, &pane.field, true, line);
    let below = if inside.height >= LEGEND_FROM {
        legend(pen, model, inside)
    } else {
        0
    };
    let rows = inside.height.saturating_sub(1 + below);
    let area = Rect::new(inside.x, inside.y + 1, inside.width, rows);
    let lines = model.help_lines(pane).len();
    more(
        pen,
        model,
        inside,
        lines.saturating_sub((pane.chosen + 1).max(rows.into())),
    );
    bindings(pen, model, &model.help_lines(pane), pane.chosen, area);
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

fn bindings(pen: &mut Pen<'_>, model: &Model, bindings: &[&Binding], chosen: usize, area: Rect) {
    let text = &model.settings.text;
    if bindings.is_empty() {
        pen.line(area, area.y, text.word(Key::HelpNothing), Role::Quiet);
    }
    let height = usize::from(area.height);
    let first = (chosen + 1).saturating_sub(height);
    let width = bindings
        .iter()
        .map(|binding| columns(&keys(binding)))
        .max()
        .unwrap_or(0)
        .min(area.width / 2);
    for (y, (place, binding)) in (area.y..area.bottom()).zip(bindings.iter().enumerate().skip(first)) {
        pen.put(area.x, y, width, &keys(binding), Role::Key);
        let x = area.x + width + 2;
        pen.put(
            x,
            y,
            area.right().saturating_sub(x),
            text.word(binding.action.label()),
            Role::Text,
        );
        if place == chosen {
            pen.tint(Rect::new(area.x, y, area.width, 1), Role::Selected);
        }
    }
}

/// What the states mean, and where the log file is; gives its height.
fn legend(pen: &mut Pen<'_>, model: &Model, inside: Rect) -> u16 {
    let text = &model.settings.text;
    let mut lines = Vec::new();
    if let Some(file) = &model.settings.log_file {
        let said = text.say(Key::HelpLogFile, &[("file", file.into())]);
        lines = wrap(&said, inside.width.into());
    }
    let height = u16::try_from(lines.len()).unwrap_or(0) + 1;
    let top = inside.bottom().saturating_sub(height);
    let mut x = inside.x;
    for kind in SyncKind::ALL {
        let said = format!(
            "{} {}   ",
            model.settings.theme.glyphs.sync(kind),
            text.sync_state(kind)
        );
        x += pen.put(x, top, inside.right().saturating_sub(x), &said, Role::of_sync(kind));
    }
    for (y, line) in (top + 1..inside.bottom()).zip(&lines) {
        pen.line(inside, y, line, Role::Quiet);
    }
    height
}
