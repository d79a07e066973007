//! The mouse: the wheel turns what has the focus, a click selects, a second one opens. In the form a click chooses what stands under it: a completion, or a field.

use ratatui::layout::Position;

use super::super::keymap::{Action, Context};
use super::super::model::Model;
use super::super::model::layers::Layer;
use super::super::model::layout::Layout;

/// How many rows the wheel turns by.
const WHEEL_ROWS: usize = 3;

impl Model {
    pub(super) fn on_wheel(&mut self, up: bool) {
        let action = if up { Action::Up } else { Action::Down };
        // In a form or a filter the wheel would change a choice or leave a field.
        if matches!(self.context(), Context::Form | Context::Filter) {
            return;
        }
        for _ in 0..WHEEL_ROWS {
            self.act(action);
        }
    }

    pub(super) fn on_click(&mut self, x: u16, y: u16) {
        let Some(layout) = self.layout() else { return };
        let at = Position { x, y };
        match self.layers.last() {
            Some(Layer::Form(form)) if !form.saving && layout.form.contains(at) => self.click_in_form(&layout, y),
            None if layout.table.contains(at) => self.click_in_table(&layout, y),
            None if layout.log.contains(at) => self.log_focused = true,
            // Other layers, and what is around, have nothing to be chosen by a click.
            Some(_) | None => {}
        }
    }

    fn click_in_form(&mut self, layout: &Layout, y: u16) {
        let Some(form) = self.form_mut() else { return };
        let (first, room) = layout.form_fields(form.focus);
        // The form's first line is its title.
        let Some(row) = usize::from(y - layout.form.y).checked_sub(1) else {
            return;
        };
        // Completions cover the fields below the product.
        match row
            .checked_sub(1)
            .filter(|_| first == 0 && !form.suggestions.is_empty())
        {
            Some(place) if place < form.suggestions.len() => {
                form.chosen = Some(place);
                self.leave_field(true);
            }
            _ if row < room => self.go_to_field(first + row),
            // Below the fields nothing can be chosen.
            _ => {}
        }
    }

    fn click_in_table(&mut self, layout: &Layout, y: u16) {
        self.log_focused = false;
        let place = self.table.top + usize::from(y - layout.table.y);
        let clicked = self.table.rows.get(place).map(|row| row.sale.id);
        if clicked.is_some() && clicked == self.table.selected {
            self.act(Action::Open);
        } else {
            self.table.selected = clicked.or(self.table.selected);
        }
    }
}
