//! A sale's story and a conflict's two contents, as panes over the table.

use ratatui::layout::Position;

use super::pen::{Pen, wrap};
use crate::text::Key;
use crate::tui::keymap::{Action, Context};
use crate::tui::model::Model;
use crate::tui::model::layers::StoryPane;
use crate::tui::model::layout::Layout;
use crate::tui::model::story::{self, Line};
use crate::tui::theme::Role;

pub(super) fn draw(pen: &mut Pen<'_>, model: &Model, pane: &StoryPane, layout: &Layout) -> Option<Position> {
    let id = pane.id.to_string();
    let title = model.settings.text.say(Key::StoryTitle, &[("id", (&id).into())]);
    lines(pen, layout, &title, &story::lines(model, pane), pane.scroll);
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
    lines(pen, layout, &title, &said, pane.scroll);
    None
}

fn lines(pen: &mut Pen<'_>, layout: &Layout, title: &str, lines: &[Line], scroll: usize) {
    let inside = pen.pane(layout.large_pane(), title);
    let wrapped = lines.iter().flat_map(|(line, role)| {
        let lines = wrap(line, inside.width.into());
        lines.into_iter().map(move |line| (line, *role))
    });
    for (y, (line, role)) in (inside.y..inside.bottom()).zip(wrapped.skip(scroll)) {
        pen.line(inside, y, &line, role);
    }
}
