//! A sale's story and a conflict's two contents, as panes over the table.

use ratatui::layout::{Position, Rect};

use super::help;
use super::pen::Pen;
use crate::text::Key;
use crate::tui::model::Model;
use crate::tui::model::layers::{Layer, StoryPane};
use crate::tui::model::layout::Layout;
use crate::tui::model::story;

/// The lines that a pane's borders take.
const BORDERS: u16 = 2;

/// Draws a story or a conflict, as high as its lines, or as there is room.
pub(super) fn draw(
    pen: &mut Pen<'_>,
    model: &Model,
    layer: &Layer,
    pane: &StoryPane,
    layout: &Layout,
) -> Option<Position> {
    let title = match layer {
        Layer::Conflict(_) => Key::ConflictTitle,
        _ => Key::StoryTitle,
    };
    let id = pane.id.to_string();
    let title = model.settings.text.fill(title, [("id", &id)]);
    let told = story::told(model, layer, layout)?;
    let place = layout.large_pane();
    let needed = u16::try_from(told.lines.len())
        .unwrap_or(u16::MAX)
        .saturating_add(BORDERS);
    let height = place.height.min(needed);
    let inside = pen.pane(Rect { height, ..place }, &title);
    let scroll = pane.scroll.min(told.lowest());
    for (y, (line, role)) in (inside.y..inside.bottom()).zip(told.lines.iter().skip(scroll)) {
        pen.line(inside, y, line, *role);
    }
    help::more(pen, model, inside, told.lowest() - scroll);
    None
}
