//! The table: the columns that fit, and only the rows in sight.

use ratatui::layout::Rect;

use super::pen::{Pen, columns, wrap};
use crate::domain::read::{SaleRow, SortKey};
use crate::domain::sync_state::{SyncKind, SyncState};
use crate::text::Key;
use crate::tui::keymap::{Action, Context};
use crate::tui::model::Model;
use crate::tui::model::layout::Layout;
use crate::tui::theme::Role;

/// The least width of the product's column while others can still give way.
const MIN_PRODUCT: u16 = 18;
/// The width of the product's column with which others may grow too.
const ROOMY_PRODUCT: u16 = 24;
/// The most columns of a region.
const MAX_REGION: u16 = 16;
/// The mark of the selected row and the space behind it.
const MARK: u16 = 2;
const GAP: u16 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    No,
    Date,
    ShortDate,
    Product,
    Region,
    Qty,
    Cost,
    Tax,
    Total,
    Sync,
    SyncGlyph,
}

/// All columns, in their order.
const ALL: [Column; 9] = [
    Column::No,
    Column::Date,
    Column::Product,
    Column::Region,
    Column::Qty,
    Column::Cost,
    Column::Tax,
    Column::Total,
    Column::Sync,
];

/// What gives way on a narrower terminal, in this order: the column, and what stands in for it.
const GIVES_WAY: [(Column, Option<Column>); 7] = [
    (Column::Tax, None),
    (Column::Cost, None),
    (Column::Region, None),
    (Column::Date, Some(Column::ShortDate)),
    (Column::Sync, Some(Column::SyncGlyph)),
    (Column::Qty, None),
    (Column::ShortDate, None),
];

pub(super) fn draw(pen: &mut Pen<'_>, model: &Model, layout: &Layout) {
    let rows = model.table.visible(layout.table.height.into());
    let places = places(model, rows, layout.table.width);
    if layout.columns.height > 0 {
        for (column, x, width) in &places {
            let name = name(model, *column);
            if column.is_number() {
                pen.put_right(*x, layout.columns.y, *width, &name, Role::Title);
            } else {
                pen.put(*x, layout.columns.y, *width, &name, Role::Title);
            }
        }
    }
    if rows.is_empty() {
        draw_empty(pen, model, layout.table);
    }
    for (y, row) in (layout.table.y..).zip(rows) {
        draw_row(pen, model, row, &places, Rect::new(0, y, layout.table.width, 1));
    }
}

fn draw_row(pen: &mut Pen<'_>, model: &Model, row: &SaleRow, places: &[(Column, u16, u16)], line: Rect) {
    let selected = model.table.selected == Some(row.sale.id);
    if selected {
        pen.put(line.x, line.y, 1, model.settings.theme.glyphs.marker, Role::Title);
    }
    for (column, x, width) in places {
        let text = cell(model, row, *column);
        let role = match column {
            Column::Sync | Column::SyncGlyph => Role::of_sync(row.sync.kind()),
            _ if row.sale.is_void() => Role::Void,
            _ => Role::Text,
        };
        if column.is_number() {
            pen.put_right(*x, line.y, *width, &text, role);
        } else {
            pen.put(*x, line.y, *width, &text, role);
        }
    }
    if selected && !model.log_focused {
        let body = Rect {
            x: line.x + MARK - 1,
            width: line.width - MARK + 1,
            ..line
        };
        pen.tint(body, Role::Selected);
    }
}

fn draw_empty(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let text = &model.settings.text;
    let key = |action| model.settings.keymap.key_for(Context::Table, action);
    let (said, role) = match &model.table.trouble {
        Some(why) => (text.say(Key::TableTrouble, &[("why", why.into())]), Role::Bad),
        None if !model.table.loaded => (text.word(Key::HeaderLoading).to_owned(), Role::Quiet),
        None if !model.table.shown().is_empty() => {
            let said = text.say(Key::TableNothing, &[("key", (&key(Action::ShowAll)).into())]);
            (said, Role::Quiet)
        }
        None => (
            text.say(Key::TableEmpty, &[("key", (&key(Action::NewSale)).into())]),
            Role::Quiet,
        ),
    };
    let width = area.width.saturating_sub(2 * MARK);
    for (y, line) in (area.y + 1..area.bottom()).zip(wrap(&said, width.into())) {
        pen.put(area.x + MARK, y, width, &line, role);
    }
}

impl Column {
    const fn is_number(self) -> bool {
        matches!(self, Self::No | Self::Qty | Self::Cost | Self::Tax | Self::Total)
    }

    /// The least width; numbers get more where they need it, for a number is never cut.
    const fn width(self) -> u16 {
        match self {
            Self::No => 6,
            Self::Date | Self::Region => 10,
            Self::ShortDate | Self::Qty => 5,
            Self::Product => MIN_PRODUCT,
            Self::Cost | Self::Tax => 8,
            Self::Total => 9,
            Self::Sync => 12,
            Self::SyncGlyph => 1,
        }
    }
}

/// The columns that fit, each with its place and its width.
fn places(model: &Model, rows: &[SaleRow], width: u16) -> Vec<(Column, u16, u16)> {
    let mut shown = shown(model, rows, width);
    let all = total(&shown);
    let mut spare = (width - 1).saturating_sub(all);
    let lacking = all.saturating_sub(width - 1);
    let regions = rows.iter().map(|row| columns(&row.sale.content.region));
    let region = regions.max().unwrap_or(0).min(MAX_REGION);
    for (column, width) in &mut shown {
        // Of the room to spare the region takes what it needs, once the product has enough; the product takes the rest.
        if *column == Column::Region {
            let beyond = spare.saturating_sub(ROOMY_PRODUCT - MIN_PRODUCT);
            let more = region.saturating_sub(*width).min(beyond);
            *width += more;
            spare -= more;
        }
    }
    let mut x = MARK;
    let place = |(column, width): (Column, u16)| {
        let width = match column {
            Column::Product => (width + spare).saturating_sub(lacking),
            _ => width,
        };
        let at = (column, x, width);
        x += width + GAP;
        at
    };
    shown.into_iter().map(place).collect()
}

/// The columns that fit, each with the width that it needs.
fn shown(model: &Model, rows: &[SaleRow], width: u16) -> Vec<(Column, u16)> {
    let needs = |column: Column| needed(model, rows, column);
    let mut shown: Vec<_> = ALL.iter().map(|column| (*column, needs(*column))).collect();
    for (column, instead) in GIVES_WAY {
        if total(&shown) < width {
            break;
        }
        let Some(place) = shown.iter().position(|(shown, _)| *shown == column) else {
            continue;
        };
        match instead {
            Some(instead) => shown[place] = (instead, needs(instead)),
            None => {
                shown.remove(place);
            }
        }
    }
    shown
}

fn total(shown: &[(Column, u16)]) -> u16 {
    let widths: u16 = shown.iter().map(|(_, width)| *width).sum();
    MARK + widths + GAP * u16::try_from(shown.len()).unwrap_or(0).saturating_sub(1)
}

/// The width that a column needs: numbers, dates and states are never cut.
fn needed(model: &Model, rows: &[SaleRow], column: Column) -> u16 {
    let is_whole = column.is_number() || matches!(column, Column::Date | Column::ShortDate | Column::Sync);
    let cells = rows.iter().filter(|_| is_whole);
    let widest = cells.map(|row| columns(&cell(model, row, column))).max();
    // Every state fits, whichever are in sight, so that the columns stand still.
    let states = SyncKind::ALL.iter().filter(|_| column == Column::Sync);
    let state = states
        .map(|kind| columns(model.settings.text.sync_state(*kind)) + 2)
        .max();
    column.width().max(widest.unwrap_or(0)).max(state.unwrap_or(0))
}

fn name(model: &Model, column: Column) -> String {
    let text = &model.settings.text;
    let (key, sort) = match column {
        Column::No => (Key::FieldNo, Some(SortKey::Id)),
        Column::Date | Column::ShortDate => (Key::FieldDate, Some(SortKey::Date)),
        Column::Product => (Key::FieldProduct, Some(SortKey::Product)),
        Column::Region => (Key::FieldRegion, None),
        Column::Qty => (Key::FieldQty, None),
        Column::Cost => (Key::FieldCost, None),
        Column::Tax => (Key::FieldTax, None),
        Column::Total => (Key::FieldTotal, Some(SortKey::Total)),
        Column::Sync => (Key::FieldSync, None),
        Column::SyncGlyph => return String::new(),
    };
    let order = model.table.sort;
    let mark = if sort == Some(order.key) && !model.table.newest_first() {
        model.settings.theme.glyphs.order[usize::from(order.descending)]
    } else {
        ""
    };
    format!("{}{mark}", text.word(key))
}

fn cell(model: &Model, row: &SaleRow, column: Column) -> String {
    let text = &model.settings.text;
    let content = &row.sale.content;
    match column {
        Column::No => row.sale.id.to_string(),
        Column::Date => text.day(content.date.date()),
        Column::ShortDate => text.day_short(content.date.date()),
        Column::Product => content.product.clone(),
        Column::Region => content.region.clone(),
        Column::Qty => text.count(content.qty.into()),
        Column::Cost => text.money(content.cost),
        Column::Tax => text.money(content.tax),
        Column::Total if row.sale.is_void() => text.word(Key::StateVoid).to_owned(),
        Column::Total => text.money(content.total()),
        Column::Sync => sync(model, &row.sync),
        Column::SyncGlyph => model.settings.theme.glyphs.sync(row.sync.kind()).to_owned(),
    }
}

/// A sync state as a glyph and a word; with the time that a sale has been on its way.
pub(super) fn sync(model: &Model, state: &SyncState) -> String {
    let text = &model.settings.text;
    let kind = state.kind();
    let mut said = format!("{} {}", model.settings.theme.glyphs.sync(kind), text.sync_state(kind));
    if let (SyncState::Sent { since }, true) = (state, model.shows_seconds()) {
        said.push(' ');
        said.push_str(&text.duration(model.now.wall.since(*since)));
    }
    said
}
