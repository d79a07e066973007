//! The log pane: when, and what happened, in a sentence. The chosen one is shown whole, over its neighbours where it is longer than its line.

use ratatui::layout::Rect;

use super::pen::{Pen, columns};
use crate::domain::time::UtcMillis;
use crate::text::Key;
use crate::tui::model::Model;
use crate::tui::model::layout::Layout;
use crate::tui::model::log::Entry;
use crate::tui::theme::Role;
use crate::tui::wrap::wrap;

/// The least columns of a time.
const TIME: u16 = 8;
/// The gap behind a time.
const GAP: u16 = 2;

pub(super) fn draw(pen: &mut Pen<'_>, model: &Model, layout: &Layout) {
    let (title, level) = titles(model);
    let role = if model.log_focused { Role::Title } else { Role::Quiet };
    pen.rule(layout.log_rule, &title, &level, role);
    let area = Rect {
        x: 1,
        width: layout.log.width.saturating_sub(2),
        ..layout.log
    };
    let entries = model.log.entries().enumerate().skip(model.log.scroll);
    let chosen = model.log_focused.then(|| model.log.chosen_place());
    let mut chosen_line = None;
    for (y, (place, entry)) in (area.y..area.bottom()).zip(entries) {
        let said = sentence(model, &entry);
        let time = pen
            .put(area.x, y, area.width, &when(model, entry.at), Role::Quiet)
            .max(TIME)
            + GAP;
        let role = Role::of_level(entry.event.level());
        pen.put(area.x + time, y, area.width.saturating_sub(time), &said, role);
        if chosen == Some(place) {
            chosen_line = Some((y, entry, said));
        }
    }
    if let Some((y, entry, said)) = chosen_line {
        draw_chosen(pen, model, &entry, &said, Rect { y, height: 1, ..area }, area);
    }
    if area.height > 0 && model.log.entries().next().is_none() {
        let text = &model.settings.text;
        pen.put(area.x, area.y, area.width, text.word(Key::LogEmpty), Role::Quiet);
    }
}

/// The chosen entry, as high as it needs to be: from its line downwards, and above it where there is no room below.
fn draw_chosen(pen: &mut Pen<'_>, model: &Model, entry: &Entry<'_>, said: &str, line: Rect, area: Rect) {
    let time = when(model, entry.at);
    let indent = columns(&time).max(TIME) + GAP;
    let room = area.width.saturating_sub(indent).max(1);
    let lines = wrap(said, room.into());
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.height);
    let y = line.y.min(area.bottom() - height);
    let whole = Rect { y, height, ..line };
    pen.clear(whole);
    pen.put(area.x, y, area.width, &time, Role::Quiet);
    for (y, said) in (y..whole.bottom()).zip(&lines) {
        pen.put(area.x + indent, y, room, said, Role::of_level(entry.event.level()));
    }
    pen.tint(whole, Role::Selected);
}

/// What an entry says, and how often it happened.
fn sentence(model: &Model, entry: &Entry<'_>) -> String {
    let text = &model.settings.text;
    let said = text.log_event(entry.event);
    if entry.times == 1 {
        return said;
    }
    let values = [("line", (&said).into()), ("n", entry.times.into())];
    text.say(Key::LogMore, &values)
}

/// The titles of the log's rule: whether it follows and of which sale it is; which levels are shown.
fn titles(model: &Model) -> (String, String) {
    let text = &model.settings.text;
    let state = text.word(if model.log.held.is_some() {
        Key::LogHeld
    } else {
        Key::LogFollowing
    });
    let rule = model.settings.theme.glyphs.rule;
    let mut title = format!("{} {rule} {state}", text.word(Key::LogTitle));
    if let Some(id) = model.log.of_sale {
        title.push_str("  ");
        title.push_str(&text.fill(Key::LogOfSale, [("id", &id.to_string())]));
    }
    (title, text.level(model.log.level).to_owned())
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
