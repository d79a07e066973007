//! The mouse: the wheel turns what has the focus, a click selects, a second one opens.

use ratatui::layout::Position;

use super::super::keymap::Action;
use super::super::model::Model;
use super::super::model::layers::Layer;
use crate::domain::draft::Field;

/// How many rows the wheel turns by.
const WHEEL_ROWS: usize = 3;

impl Model {
    pub(super) fn on_wheel(&mut self, up: bool) {
        let action = if up { Action::Up } else { Action::Down };
        // In a form the wheel would change a choice or leave a field.
        if self.context().takes_text() {
            return;
        }
        for _ in 0..WHEEL_ROWS {
            self.act(action);
        }
    }

    pub(super) fn on_click(&mut self, x: u16, y: u16) {
        let Some(layout) = self.layout() else { return };
        let at = Position { x, y };
        if let Some(Layer::Form(form)) = self.layers.last_mut() {
            let line = usize::from(y.saturating_sub(layout.form.y + 1));
            if layout.form.contains(at) && y > layout.form.y && line < Field::ALL.len() && !form.saving {
                form.go_to(line);
            }
        } else if !self.layers.is_empty() {
            // Other layers have nothing to be chosen by a click.
        } else if layout.table.contains(at) {
            self.log_focused = false;
            let place = self.table.top + usize::from(y - layout.table.y);
            let clicked = self.table.rows.get(place).map(|row| row.sale.id);
            if clicked.is_some() && clicked == self.table.selected {
                self.act(Action::Open);
            } else {
                self.table.selected = clicked.or(self.table.selected);
            }
        } else if layout.log.contains(at) {
            self.log_focused = true;
        }
    }
}
