//! The form of a sale, below the table: a line for each field, what is wrong beside it, amount and total as they come about.

use ratatui::layout::{Position, Rect};

use super::field;
use super::pen::{Pen, columns};
use crate::domain::draft::{Draft, Field};
use crate::text::Key;
use crate::tui::model::Model;
use crate::tui::model::form::{Form, Purpose};
use crate::tui::model::layout::Layout;
use crate::tui::theme::Role;
use crate::tui::wrap::wrap;

/// The columns of a field's name, with the space around it.
const LABEL: u16 = 11;
/// The most columns of what is typed into a field.
const MAX_VALUE: u16 = 44;
/// From how many columns on a problem stands beside its field instead of below all.
const WIDE: u16 = 78;

pub(super) fn draw(pen: &mut Pen<'_>, model: &Model, form: &Form, layout: &Layout) -> Option<Position> {
    let area = layout.form;
    pen.clear(area);
    let text = &model.settings.text;
    let title = match form.purpose {
        Purpose::New => text.word(Key::FormNew).to_owned(),
        Purpose::Edit { id, .. } => text.fill(Key::FormEdit, [("id", &id.to_string())]),
    };
    let state = match (form.saving, form.is_kept) {
        (true, _) => text.word(Key::FormSaving),
        (false, true) => text.word(Key::FormDraft),
        (false, false) => "",
    };
    pen.rule(Rect { height: 1, ..area }, &title, state, Role::Title);
    let (first, room) = layout.form_fields(form.focus);
    let below = layout.below_form_fields();
    let mut cursor = None;
    for (y, place) in (area.y + 1..).zip(first..first + room) {
        let line = Rect::new(area.x, y, area.width, 1);
        let at = draw_field(pen, model, form, Field::ALL[place], line);
        cursor = if place == form.focus { at } else { cursor };
    }
    let lowest = area.bottom().saturating_sub(below);
    let rest = Rect::new(area.x, lowest, area.width, below);
    message(pen, model, form, rest);
    suggestions(pen, model, form, area, first);
    cursor
}

fn value_width(width: u16) -> u16 {
    (width.saturating_sub(LABEL + 1)).min(MAX_VALUE)
}

/// The room for a remark beside a field.
fn room_beside(width: u16) -> u16 {
    width.saturating_sub(LABEL + value_width(width) + 3)
}

fn draw_field(pen: &mut Pen<'_>, model: &Model, form: &Form, name: Field, line: Rect) -> Option<Position> {
    let text = &model.settings.text;
    let focused = form.focused() == name;
    let width = value_width(line.width);
    let x = line.x + LABEL;
    let label_role = if focused { Role::Title } else { Role::Quiet };
    pen.put(line.x + 1, line.y, LABEL - 2, text.field(name), label_role);
    let field = form.field(name);
    let cursor = field::draw(pen, field, focused, Rect { x, width, ..line });
    if field.text().is_empty() {
        pen.put(x, line.y, width, &placeholder(model, &form.draft(), name), Role::Quiet);
    }
    if line.width >= WIDE {
        let (said, role) = remark(model, form, name);
        let at = x + width + 2;
        pen.put(at, line.y, room_beside(line.width), &said, role);
    }
    cursor
}

/// What an empty field will become.
fn placeholder(model: &Model, draft: &Draft, name: Field) -> String {
    let (text, settings) = (&model.settings.text, &model.settings);
    match name {
        Field::Product | Field::Qty | Field::Cost => String::new(),
        Field::Tax => {
            let rate = text.typed_money(&settings.tax_rate.to_string());
            let tax = draft
                .tax(settings.tax_rate)
                .map_or_else(String::new, |tax| text.money(tax));
            let values = [("tax", (&tax).into()), ("rate", (&rate).into())];
            text.say(Key::FormTaxAtRate, &values).trim_start().to_owned()
        }
        Field::Date => text.fill(Key::FormNow, [("now", &text.moment(model.local_now()))]),
        Field::Region => settings.region.clone(),
    }
}

/// What is to be said about a field: what is wrong with it, or what it is meanwhile.
fn remark(model: &Model, form: &Form, name: Field) -> (String, Role) {
    let text = &model.settings.text;
    if let Some(error) = form.problems.iter().find(|error| error.field == name) {
        return (text.field_problem(error), Role::Bad);
    }
    let Some(now) = &form.moved else {
        return (String::new(), Role::Text);
    };
    let theirs = Form::edit(now, text, model.settings.tax_rate).draft();
    if theirs.field(name) == form.draft().field(name) {
        return (String::new(), Role::Text);
    }
    let now = match theirs.field(name) {
        "" => text.money(now.content.tax),
        typed => typed.to_owned(),
    };
    (text.fill(Key::FormMoved, [("now", &now)]), Role::Conflict)
}

/// Amount, tax and total, as far as they can be known.
fn sums_text(model: &Model, form: &Form) -> String {
    let (text, rate) = (&model.settings.text, model.settings.tax_rate);
    let draft = form.draft();
    let unknown = || "-".to_owned();
    let amount = draft.amount().map_or_else(unknown, |amount| text.money(amount));
    let tax = draft.tax(rate).map_or_else(unknown, |tax| text.money(tax));
    let total = draft.total(rate).map_or_else(unknown, |total| text.money(total));
    let names = [Key::FieldAmount, Key::FieldTax, Key::FieldTotal].map(|key| text.word(key));
    let [amount_name, tax_name, total_name] = names;
    format!("{amount_name} {amount}   {tax_name} {tax}   {total_name} {total}")
}

/// Below the fields: amount, tax and total, and in full what did not fit beside its field.
fn message(pen: &mut Pen<'_>, model: &Model, form: &Form, area: Rect) {
    let wrong = form.problems.first().map(|error| error.field);
    let mut remarks = [Some(form.focused()), wrong]
        .into_iter()
        .flatten()
        .map(|name| remark(model, form, name));
    let beside = if area.width >= WIDE { room_beside(area.width) } else { 0 };
    let long = remarks.find(|(said, _)| columns(said) > beside);
    let width = area.width.saturating_sub(2);
    let mut lines = vec![(sums_text(model, form), Role::Title)];
    if let Some((said, role)) = long {
        let wrapped = wrap(&said, width.into());
        // What is wrong goes before the sums, where there is no room for both.
        if wrapped.len() + 1 > area.height.into() {
            lines.clear();
        }
        lines.extend(wrapped.into_iter().map(|line| (line, role)));
    }
    for (y, (line, role)) in (area.y..area.bottom()).zip(lines) {
        pen.put(area.x + 1, y, width, &line, role);
    }
}

/// Products that complete what is typed, below the product's field.
fn suggestions(pen: &mut Pen<'_>, model: &Model, form: &Form, area: Rect, first: usize) {
    if form.focused() != Field::Product || form.suggestions.is_empty() || first > 0 {
        return;
    }
    let text = &model.settings.text;
    let width = value_width(area.width);
    let top = area.y + 2;
    for (y, (place, known)) in (top..area.bottom()).zip(form.suggestions.iter().enumerate()) {
        let line = Rect::new(area.x + LABEL, y, width, 1);
        pen.clear(Rect::new(area.x, y, area.width, 1));
        let cost = text.money(known.last_cost);
        let room = width.saturating_sub(columns(&cost) + 2);
        pen.put(line.x, y, room, &known.name, Role::Text);
        pen.put_right(line.x, y, width, &cost, Role::Quiet);
        if form.chosen == Some(place) {
            pen.tint(line, Role::Selected);
        }
    }
}
