//! The footer: the keys that matter here, and the passing message above them.

use ratatui::layout::Rect;

use super::pen::{Pen, columns};
use crate::tui::keymap::{Action, Binding, Context};
use crate::tui::model::Model;
use crate::tui::model::layout::Layout;
use crate::tui::theme::Role;
use crate::tui::wrap::wrap;

/// The most lines of a passing message.
const MAX_NOTICE_LINES: usize = 4;

pub(super) fn draw(pen: &mut Pen<'_>, model: &Model, layout: &Layout) {
    pen.rule(layout.footer_rule, "", "", Role::Quiet);
    keys(pen, model, layout.footer);
}

fn keys(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let text = &model.settings.text;
    let bindings: Vec<_> = model
        .settings
        .keymap
        .footer(model.context())
        .into_iter()
        .filter(|binding| model.offers(binding.action))
        .collect();
    let said: Vec<_> = bindings
        .iter()
        .map(|binding| (binding.key(), text.word(binding.action.label())))
        .collect();
    // How to get help and how to leave stays where others give way; but of a conflict's two ways out none goes before the other.
    let stays = |binding: &Binding| match binding.action {
        Action::Help => binding.context != Context::Conflict,
        action => matches!(action, Action::Quit | Action::Leave),
    };
    let width = |(key, label): &(String, &str)| columns(key) + 1 + columns(label) + 2;
    let reserved = |from: usize| {
        let later = bindings
            .iter()
            .zip(&said)
            .skip(from)
            .filter(|(binding, _)| stays(binding));
        later.map(|(_, said)| width(said)).sum::<u16>()
    };
    let mut x = area.x + 1;
    for (place, (binding, (key, label))) in bindings.iter().zip(&said).enumerate() {
        let needed = width(&said[place]) + reserved(place + 1);
        // The space behind the last one may be out of sight.
        if !stays(binding) && x + needed > area.right() + 2 {
            continue;
        }
        x += pen.put(x, area.y, area.right() - x, key, Role::Key) + 1;
        x += pen.put(x, area.y, area.right().saturating_sub(x), label, Role::Text) + 2;
        if x >= area.right() {
            return;
        }
    }
}

/// The passing message: on the rule if it fits, else over as many lines as it needs.
pub(super) fn notice(pen: &mut Pen<'_>, model: &Model, layout: &Layout) {
    // The line that is searched for stands where the message would.
    let Some(notice) = model.notice.as_ref().filter(|_| model.context() != Context::Find) else {
        return;
    };
    let role = if notice.bad { Role::Bad } else { Role::Notice };
    let width = layout.footer.width.saturating_sub(6);
    if columns(&notice.text) <= width {
        pen.rule(layout.footer_rule, &notice.text, "", role);
        return;
    }
    let width = layout.footer.width.saturating_sub(2);
    let lines = wrap(&notice.text, width.into());
    let lines = &lines[..lines.len().min(MAX_NOTICE_LINES)];
    let height = u16::try_from(lines.len()).unwrap_or(1);
    let bottom = layout.footer.bottom();
    let area = Rect::new(0, bottom.saturating_sub(height), layout.footer.width, height);
    pen.clear(area);
    for (y, line) in (area.y..).zip(lines) {
        pen.put(1, y, width, line, role);
    }
}
