//! The table: the columns that fit, and only the rows in sight.

use ratatui::layout::Rect;

use super::pen::{Pen, columns};
use crate::domain::read::{SaleRow, SortKey};
use crate::domain::sync_state::{SyncKind, SyncState};
use crate::text::Key;
use crate::tui::keymap::{Action, Context};
use crate::tui::model::Model;
use crate::tui::model::layout::Layout;
use crate::tui::theme::Role;
use crate::tui::wrap::wrap;

/// The least width of the product's column while others can still give way.
const MIN_PRODUCT: u16 = 20;
/// The most columns of a product: further away its numbers would no longer be read as one line with it.
const MAX_PRODUCT: u16 = 60;
/// The columns that a region has before others get more than they need.
const SHORT_REGION: u16 = 10;
/// The most columns of a region.
const MAX_REGION: u16 = 20;
/// The mark of the selected row and the space behind it.
const MARK: u16 = 2;
/// The gap between two columns.
const GAP: u16 = 2;
/// The gap between two numbers: they stand to the right, so that most have more room than that.
const NUMBER_GAP: u16 = 1;
/// How much wider than needed a number's column is where there is room.
const AIR: u16 = 3;
/// The widest time behind a sale that is on its way: ` 59 s`.
const SECONDS: u16 = 5;

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
    (Column::Region, None),
    (Column::Cost, None),
    (Column::Date, Some(Column::ShortDate)),
    (Column::Sync, Some(Column::SyncGlyph)),
    (Column::Qty, None),
    (Column::ShortDate, None),
];

pub(super) fn draw(pen: &mut Pen<'_>, model: &Model, layout: &Layout) {
    let rows = model.table.visible(layout.table.height.into());
    let places = places(model, layout.table.width);
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
            let said = text.fill(Key::TableNothing, [("key", &key(Action::ShowAll))]);
            (said, Role::Quiet)
        }
        None => (
            text.fill(Key::TableEmpty, [("key", &key(Action::NewSale))]),
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

    /// The gap between this column and the next one.
    const fn gap(self, next: Self) -> u16 {
        if self.is_number() && next.is_number() {
            NUMBER_GAP
        } else {
            GAP
        }
    }
}

/// The columns that fit, each with its place and its width.
fn places(model: &Model, width: u16) -> Vec<(Column, u16, u16)> {
    let mut shown = shown(model, width);
    let (all, room) = (total(&shown), width - 1);
    let mut spare = room.saturating_sub(all);
    let mut set = |column: Column, widen: &mut dyn FnMut(&mut u16)| {
        let found = shown.iter_mut().find(|(shown, _)| *shown == column);
        if let Some((_, width)) = found {
            widen(width);
        }
    };
    set(Column::Product, &mut |width| {
        *width -= all.saturating_sub(room).min(*width);
    });
    // What is left goes to the region and the product as far as they need it, then to the numbers for air, and the rest to the product.
    let product = widest(model, Column::Product).min(MAX_PRODUCT);
    let region = widest(model, Column::Region).min(MAX_REGION);
    let airy = |column| (column, needed(model, column) + AIR);
    let wants = [
        (Column::Region, region),
        (Column::Product, product),
        airy(Column::Qty),
        airy(Column::Cost),
        airy(Column::Tax),
        airy(Column::Total),
        (Column::Product, MAX_PRODUCT),
    ];
    for (column, most) in wants {
        set(column, &mut |width| {
            let more = most.saturating_sub(*width).min(spare);
            *width += more;
            spare -= more;
        });
    }
    let mut x = MARK;
    let nexts: Vec<_> = shown.iter().skip(1).map(|(column, _)| *column).collect();
    let nexts = nexts.into_iter().map(Some).chain([None]);
    let place = |((column, width), next): ((Column, u16), Option<Column>)| {
        let at = (column, x, width);
        x += width + next.map_or(0, |next| column.gap(next));
        at
    };
    shown.into_iter().zip(nexts).map(place).collect()
}

/// The columns that fit, each with the width that it needs.
fn shown(model: &Model, width: u16) -> Vec<(Column, u16)> {
    let needs = |column: Column| needed(model, column);
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
    let gaps: u16 = shown.windows(2).map(|pair| pair[0].0.gap(pair[1].0)).sum();
    MARK + widths + gaps
}

/// The width that a column needs: numbers, dates and states are never cut.
fn needed(model: &Model, column: Column) -> u16 {
    match column {
        Column::Product => MIN_PRODUCT,
        Column::Region => widest(model, column).min(SHORT_REGION),
        Column::Sync => states(model),
        Column::SyncGlyph => 1,
        Column::No | Column::Date | Column::ShortDate | Column::Qty | Column::Cost | Column::Tax | Column::Total => {
            widest(model, column)
        }
    }
}

/// The width of a column's name, with the mark of the order, and of what stands in it. All rows of the window count, so that the columns stand still while one scrolls.
fn widest(model: &Model, column: Column) -> u16 {
    let rows = &model.table.rows;
    let cells = rows.iter().map(|row| columns(&cell(model, row, column)));
    let mark = u16::from(column.is_number() && column != Column::No);
    let named = columns(word(model, column)) + mark;
    cells.max().unwrap_or(0).max(named)
}

/// The width of the states: every one fits, whichever are in sight.
fn states(model: &Model) -> u16 {
    let text = &model.settings.text;
    let named = |kind: &SyncKind| {
        let seconds = *kind == SyncKind::Sent && !model.settings.remote;
        columns(text.sync_state(*kind)) + 2 + if seconds { SECONDS } else { 0 }
    };
    SyncKind::ALL.iter().map(named).max().unwrap_or(0)
}

fn word(model: &Model, column: Column) -> &str {
    let key = match column {
        Column::No => Key::FieldNo,
        Column::Date | Column::ShortDate => Key::FieldDate,
        Column::Product => Key::FieldProduct,
        Column::Region => Key::FieldRegion,
        Column::Qty => Key::FieldQty,
        Column::Cost => Key::FieldCost,
        Column::Tax => Key::FieldTax,
        Column::Total => Key::FieldTotal,
        Column::Sync => Key::FieldSync,
        Column::SyncGlyph => return "",
    };
    model.settings.text.word(key)
}

/// The column's name, with a mark where the table is in its order; the usual order needs none.
fn name(model: &Model, column: Column) -> String {
    let sort = match column {
        Column::No => Some(SortKey::Id),
        Column::Date | Column::ShortDate => Some(SortKey::Date),
        Column::Product => Some(SortKey::Product),
        Column::Total => Some(SortKey::Total),
        Column::Sync | Column::SyncGlyph => Some(SortKey::State),
        Column::Region | Column::Qty | Column::Cost | Column::Tax => None,
    };
    let order = model.table.sort;
    let mark = if sort == Some(order.key) && !model.table.newest_first() {
        model.settings.theme.glyphs.order[usize::from(order.descending)]
    } else {
        ""
    };
    format!("{}{mark}", word(model, column))
}

fn cell(model: &Model, row: &SaleRow, column: Column) -> String {
    let text = &model.settings.text;
    let content = &row.sale.content;
    match column {
        Column::No => row.sale.id.to_string(),
        Column::Date => text.day(content.date.date()),
        Column::ShortDate => text.day_short(content.date.date()),
        Column::Product => content.product.to_string(),
        Column::Region => content.region.to_string(),
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
