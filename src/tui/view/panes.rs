//! The small panes: the question before a void, the line that is searched for, the filter.

use ratatui::layout::{Position, Rect};

use super::field;
use super::pen::Pen;
use crate::text::Key;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::layers::{Confirm, FilterPane, FindBar, WrongDays};
use crate::tui::model::layout::Layout;
use crate::tui::theme::Role;
use crate::tui::wrap::wrap;

/// The columns of a filter line's name.
const LABEL: u16 = 10;

/// An area of at most this size in the middle of another one.
pub(super) fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    let (x, y) = (area.x + (area.width - width) / 2, area.y + (area.height - height) / 2);
    Rect { x, y, width, height }
}

pub(super) fn confirm(pen: &mut Pen<'_>, model: &Model, confirm: &Confirm, layout: &Layout) -> Option<Position> {
    let text = &model.settings.text;
    let id = confirm.id.to_string();
    let middle = layout.middle();
    let width = 64.min(middle.width);
    let mut lines = wrap(&confirm.what, usize::from(width) - 4);
    lines.extend(wrap(text.word(Key::ConfirmKeeps), usize::from(width) - 4));
    let height = u16::try_from(lines.len()).unwrap_or(0) + 4;
    let title = text.fill(Key::ConfirmVoid, [("id", &id)]);
    let inside = pen.pane(centred(middle, width, height), &title);
    for (y, line) in (inside.y..).zip(&lines) {
        pen.line(inside, y, line, Role::Text);
    }
    let keymap = &model.settings.keymap;
    let key = |action| keymap.key_for(model.context(), action);
    let values = [
        ("id", id.as_str()),
        ("yes", &key(Action::Agree)),
        ("no", &key(Action::Leave)),
    ];
    let keys = text.fill(Key::ConfirmKeys, values);
    pen.line(inside, inside.bottom().saturating_sub(1), &keys, Role::Key);
    None
}

pub(super) fn find(pen: &mut Pen<'_>, model: &Model, bar: &FindBar, layout: &Layout) -> Option<Position> {
    let text = &model.settings.text;
    let area = layout.footer_rule;
    pen.clear(area);
    let label = format!(" {} ", text.word(Key::FindLabel));
    let taken = pen.put(area.x, area.y, area.width, &label, Role::Title);
    let width = area.width.saturating_sub(taken + 1).min(50);
    let cursor = field::draw(pen, &bar.field, true, Rect::new(taken, area.y, width, 1));
    let at = taken + width + 2;
    pen.put(
        at,
        area.y,
        area.width.saturating_sub(at),
        text.word(Key::FindHint),
        Role::Quiet,
    );
    cursor
}

pub(super) fn filter(pen: &mut Pen<'_>, model: &Model, pane: &FilterPane, layout: &Layout) -> Option<Position> {
    let text = &model.settings.text;
    let inside = pen.pane(centred(layout.middle(), 56, 8), text.word(Key::FilterTitle));
    let (said, role) = filter_message(model, pane);
    // Where there is no room for all of it, the line with the focus is in sight, and what is wrong.
    let has_message = pane.wrong.is_some() || usize::from(inside.height) > FilterPane::LINES;
    let rows = usize::from(inside.height.saturating_sub(u16::from(has_message)).max(1));
    let first = (pane.focus + 1).saturating_sub(rows);
    let state = pane
        .state
        .map_or(text.word(Key::FilterAnyState), |state| text.sync_state(state));
    let names = [Key::FieldSync, Key::FilterFrom, Key::FilterTo, Key::FieldRegion];
    let mut cursor = None;
    for (y, (place, key)) in (inside.y..inside.bottom()).zip(names.into_iter().enumerate().skip(first).take(rows)) {
        let focused = pane.focus == place;
        let role = if focused { Role::Title } else { Role::Quiet };
        pen.put(inside.x, y, LABEL, text.word(key), role);
        let line = Rect::new(inside.x + LABEL, y, inside.width.saturating_sub(LABEL), 1);
        let typed = match place {
            0 => {
                let role = if focused { Role::Selected } else { Role::Text };
                pen.put(line.x, y, line.width, &format!("< {state} >"), role);
                continue;
            }
            1 => &pane.from,
            2 => &pane.to,
            _ => &pane.region,
        };
        cursor = field::draw(pen, typed, focused, line).or(cursor);
    }
    if has_message {
        pen.line(inside, inside.bottom().saturating_sub(1), &said, role);
    }
    cursor
}

/// What is wrong with the filter, or how its states are chosen.
fn filter_message(model: &Model, pane: &FilterPane) -> (String, Role) {
    let text = &model.settings.text;
    match pane.wrong {
        Some(WrongDays::Unreadable) => {
            let today = text.day(model.local_now().date());
            let said = text.fill(Key::FilterBadDay, [("example", &today)]);
            (said, Role::Bad)
        }
        Some(WrongDays::Reversed) => (text.word(Key::FilterReversed).to_owned(), Role::Bad),
        None => (text.word(Key::FilterHint).to_owned(), Role::Quiet),
    }
}
