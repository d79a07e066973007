//! How the screen looks: draws a model and decides nothing. Times, colours and sentences come from the model's settings.

mod ascii;
mod chart;
mod field;
mod first_run;
mod footer;
mod form;
mod header;
mod help;
mod log;
mod panes;
mod pen;
mod story;
mod table;

use ratatui::Frame;

use super::first_run::FirstRun;
use super::model::Model;
use super::model::layers::Layer;
use pen::Pen;

/// Draws the screen.
pub fn view(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    let mut cursor = None;
    let mut pen = Pen::new(frame.buffer_mut(), model.settings.theme);
    match model.layout().filter(|_| model.size == area.as_size()) {
        Some(layout) => {
            header::draw(&mut pen, model, &layout);
            table::draw(&mut pen, model, &layout);
            log::draw(&mut pen, model, &layout);
            footer::draw(&mut pen, model, &layout);
            for layer in &model.layers {
                let place = match layer {
                    Layer::Form(form) => form::draw(&mut pen, model, form, &layout),
                    Layer::Find(bar) => panes::find(&mut pen, model, bar, &layout),
                    Layer::Filter(pane) => panes::filter(&mut pen, model, pane, &layout),
                    Layer::Confirm(confirm) => panes::confirm(&mut pen, model, confirm, &layout),
                    Layer::Story(pane) | Layer::Conflict(pane) => story::draw(&mut pen, model, layer, pane, &layout),
                    Layer::Help(pane) => help::draw(&mut pen, model, pane, &layout),
                    Layer::Totals(pane) => chart::draw(&mut pen, model, pane, &layout),
                };
                cursor = place;
            }
            footer::notice(&mut pen, model, &layout);
        }
        None => header::draw_smallest(&mut pen, model, area),
    }
    if model.settings.theme.glyphs.ascii {
        ascii::fold(frame.buffer_mut());
    }
    if let Some(cursor) = cursor.filter(|cursor| area.contains(*cursor)) {
        frame.set_cursor_position(cursor);
    }
}

/// Draws the question of the first start.
pub fn first_run(question: &FirstRun, frame: &mut Frame<'_>) {
    let area = frame.area();
    let mut pen = Pen::new(frame.buffer_mut(), question.theme);
    let cursor = first_run::draw(&mut pen, question, area);
    if question.theme.glyphs.ascii {
        ascii::fold(frame.buffer_mut());
    }
    if let Some(cursor) = cursor.filter(|cursor| area.contains(*cursor)) {
        frame.set_cursor_position(cursor);
    }
}
