//! The log pane: when, and what happened, in a sentence.

use ratatui::layout::Rect;

use super::header::log_titles;
use super::pen::Pen;
use crate::domain::time::UtcMillis;
use crate::text::Key;
use crate::tui::model::Model;
use crate::tui::model::layout::Layout;
use crate::tui::theme::Role;

pub(super) fn draw(pen: &mut Pen<'_>, model: &Model, layout: &Layout) {
    let (title, level) = log_titles(model);
    let role = if model.log_focused { Role::Title } else { Role::Quiet };
    pen.rule(layout.log_rule, &title, &level, role);
    let text = &model.settings.text;
    let chosen = model.log.chosen_place();
    let entries = model.log.entries().enumerate().skip(model.log.scroll);
    for (y, (place, entry)) in (layout.log.y..layout.log.bottom()).zip(entries) {
        let time = when(model, entry.at);
        let width = layout.log.width.saturating_sub(2);
        let taken = pen.put(1, y, width, &time, Role::Quiet).max(8) + 2;
        let mut said = text.log_event(entry.event);
        if entry.times > 1 {
            let values = [("line", (&said).into()), ("n", entry.times.into())];
            said = text.say(Key::LogMore, &values);
        }
        let room = width.saturating_sub(taken);
        pen.put(1 + taken, y, room, &said, Role::of_level(entry.event.level()));
        if model.log_focused && place == chosen {
            pen.tint(Rect::new(1, y, width, 1), Role::Selected);
        }
    }
    if layout.log.height > 0 && model.log.entries().next().is_none() {
        pen.put(1, layout.log.y, layout.log.width, text.word(Key::LogEmpty), Role::Quiet);
    }
}

/// The time of a line: to the second today, with its day before.
fn when(model: &Model, at: UtcMillis) -> String {
    let text = &model.settings.text;
    let at = (model.settings.local)(at);
    if at.date() == model.local_now().date() {
        text.clock_seconds(at)
    } else {
        format!("{} {}", text.day_short(at.date()), text.clock(at))
    }
}
