//! A sale's story and a conflict's two contents, as panes over the table.

use ratatui::layout::{Position, Rect};

use super::help;
use super::pen::{Pen, wrap};
use crate::text::Key;
use crate::tui::keymap::{Action, Context};
use crate::tui::model::Model;
use crate::tui::model::layers::StoryPane;
use crate::tui::model::layout::Layout;
use crate::tui::model::story::{self, Line};
use crate::tui::theme::Role;

/// The lines that a pane's borders take.
const BORDERS: u16 = 2;

pub(super) fn draw(pen: &mut Pen<'_>, model: &Model, pane: &StoryPane, layout: &Layout) -> Option<Position> {
    let id = pane.id.to_string();
    let title = model.settings.text.say(Key::StoryTitle, &[("id", (&id).into())]);
    lines(pen, model, layout, &title, &story::lines(model, pane), pane.scroll);
    None
}

pub(super) fn draw_conflict(pen: &mut Pen<'_>, model: &Model, pane: &StoryPane, layout: &Layout) -> Option<Position> {
    let text = &model.settings.text;
    let id = pane.id.to_string();
    let title = text.say(Key::ConflictTitle, &[("id", (&id).into())]);
    let mut said = story::conflict_lines(model, pane);
    said.push((String::new(), Role::Text));
    for action in [Action::TakeHq, Action::KeepMine, Action::Leave] {
        let key = model.settings.keymap.key_for(Context::Conflict, action);
        said.push((format!("{key}  {}", text.word(action.label())), Role::Key));
    }
    lines(pen, model, layout, &title, &said, pane.scroll);
    None
}

/// A pane as high as its lines, or as there is room.
fn lines(pen: &mut Pen<'_>, model: &Model, layout: &Layout, title: &str, lines: &[Line], scroll: usize) {
    let place = layout.large_pane();
    let width = usize::from(place.width.saturating_sub(BORDERS + 2));
    let wrapped: Vec<_> = lines
        .iter()
        .flat_map(|(line, role)| wrap(line, width).into_iter().map(move |line| (line, *role)))
        .collect();
    let needed = u16::try_from(wrapped.len()).unwrap_or(u16::MAX).saturating_add(BORDERS);
    let height = place.height.min(needed);
    let inside = pen.pane(Rect { height, ..place }, title);
    for (y, (line, role)) in (inside.y..inside.bottom()).zip(wrapped.iter().skip(scroll)) {
        pen.line(inside, y, line, *role);
    }
    let seen = scroll + usize::from(inside.height);
    help::more(pen, model, inside, wrapped.len().saturating_sub(seen));
}
