//! What the help lists: every key that works where it was asked for, then what the states look like and where the log file is. Narrowed by what is searched for.

use super::Model;
use super::layers::HelpPane;
use crate::domain::sync_state::SyncKind;
use crate::text::Key;
use crate::tui::keymap::Binding;
use crate::tui::theme::Role;
use crate::tui::wrap::wrap;

/// The columns that the pane's frame takes, on both sides together.
const FRAME: u16 = 4;

/// A line of the help.
#[derive(Debug)]
pub enum Line<'m> {
    /// Keys, and what they do.
    Keys(&'m Binding),
    /// Something worth knowing, and its role.
    Note(String, Role),
}

/// The lines that match what is searched for.
#[must_use]
pub fn lines<'m>(model: &'m Model, pane: &HelpPane) -> Vec<Line<'m>> {
    let text = &model.settings.text;
    let wanted = pane.field.text().trim().to_lowercase();
    let may = |binding: &&Binding| !(model.settings.read_only && binding.action.writes());
    let says = |binding: &&Binding| {
        text.word(binding.action.label()).to_lowercase().contains(&wanted)
            || binding.keys.iter().any(|key| key.to_string().to_lowercase() == wanted)
    };
    let bindings = model.settings.keymap.bindings(pane.context).filter(may).filter(says);
    let notes = notes(model)
        .into_iter()
        .filter(|(note, _)| note.to_lowercase().contains(&wanted));
    let broken = |(note, role): (String, Role)| {
        let lines = wrap(&note, width(model));
        lines.into_iter().map(move |line| Line::Note(line, role))
    };
    bindings.map(Line::Keys).chain(notes.flat_map(broken)).collect()
}

fn notes(model: &Model) -> Vec<(String, Role)> {
    let text = &model.settings.text;
    let legend = |kind: SyncKind| {
        let glyph = model.settings.theme.glyphs.sync(kind);
        (format!("{glyph} {}", text.sync_state(kind)), Role::of_sync(kind))
    };
    let file = model.settings.log_file.as_ref();
    let file = file.map(|file| (text.say(Key::HelpLogFile, &[("file", file.into())]), Role::Quiet));
    SyncKind::ALL.into_iter().map(legend).chain(file).collect()
}

fn width(model: &Model) -> usize {
    let pane = model.layout().map(|layout| layout.large_pane());
    pane.map_or(1, |pane| pane.width.saturating_sub(FRAME).max(1)).into()
}
