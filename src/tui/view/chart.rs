//! The totals of what the table shows, and a chart of the money by day or by hour.

use ratatui::layout::{Position, Rect};

use super::pen::{Pen, columns};
use crate::domain::money::MoneySum;
use crate::domain::read::Totals;
use crate::text::Key;
use crate::tui::model::Model;
use crate::tui::model::layers::TotalsPane;
use crate::tui::model::layout::Layout;
use crate::tui::theme::Role;
use crate::tui::wrap::wrap;

/// From how many lines on each sum has a line of its own, and the chart has room below.
const ROOMY: u16 = 12;

pub(super) fn draw(pen: &mut Pen<'_>, model: &Model, pane: &TotalsPane, layout: &Layout) -> Option<Position> {
    let text = &model.settings.text;
    let title = if pane.filter.is_empty() {
        Key::TotalsAll
    } else {
        Key::TotalsShown
    };
    let inside = pen.pane(layout.large_pane(), text.word(title));
    let below = sums(pen, model, pane.totals.as_ref(), inside);
    let chart = Rect::new(inside.x, below, inside.width, inside.bottom().saturating_sub(below));
    if chart.height < 2 {
        return None;
    }
    let heading = if pane.hours {
        text.fill(Key::TotalsByHour, [("day", &text.day(pane.day))])
    } else {
        text.word(Key::TotalsByDay).to_owned()
    };
    pen.line(chart, chart.y, &heading, Role::Title);
    let bars = if pane.hours { hours(pane) } else { days(model, pane) };
    draw_bars(
        pen,
        model,
        &bars,
        Rect {
            y: chart.y + 1,
            height: chart.height - 1,
            ..chart
        },
    );
    None
}

/// The sums, one below the other, or one behind the other where there is no room; gives the line below them.
fn sums(pen: &mut Pen<'_>, model: &Model, totals: Option<&Totals>, inside: Rect) -> u16 {
    let text = &model.settings.text;
    let Some(totals) = totals else {
        pen.line(inside, inside.y, text.word(Key::HeaderLoading), Role::Quiet);
        return inside.y + 1;
    };
    let lines = [
        (Key::TotalsSales, text.count(totals.sales.into())),
        (Key::FieldQty, text.count(totals.qty)),
        (Key::FieldAmount, text.money(totals.amount)),
        (Key::FieldTax, text.money(totals.tax)),
        (Key::FieldTotal, text.money(totals.total())),
    ];
    if inside.height < ROOMY {
        // A no-break space keeps a name and its number together.
        let said = lines.map(|(key, number)| format!("{}\u{a0}{number}", text.word(key)));
        let said = wrap(&said.join("   "), inside.width.into());
        for (y, line) in (inside.y..inside.bottom()).zip(&said) {
            pen.line(inside, y, line.trim_end(), Role::Title);
        }
        return inside.y + u16::try_from(said.len()).unwrap_or(u16::MAX).min(inside.height);
    }
    let widest = lines.iter().map(|(_, number)| columns(number)).max().unwrap_or(0);
    for (y, (key, number)) in (inside.y..).zip(&lines) {
        pen.put(inside.x, y, 12, text.word(*key), Role::Quiet);
        pen.put_right(inside.x + 12, y, widest, number, Role::Title);
    }
    inside.y + 6
}

struct Bar {
    label: String,
    totals: Totals,
}

fn days(model: &Model, pane: &TotalsPane) -> Vec<Bar> {
    let known = |day| {
        pane.by_day
            .iter()
            .find(|(known, _)| *known == day)
            .map(|(_, totals)| *totals)
    };
    let days = pane.first_day().iter_days().take_while(|day| *day <= pane.day);
    days.map(|day| Bar {
        label: model.settings.text.day_short(day),
        totals: known(day).unwrap_or_default(),
    })
    .collect()
}

fn hours(pane: &TotalsPane) -> Vec<Bar> {
    let (Some(first), Some(last)) = (
        pane.by_hour.iter().map(|(hour, _)| *hour).min(),
        pane.by_hour.iter().map(|(hour, _)| *hour).max(),
    ) else {
        return Vec::new();
    };
    let known = |hour| {
        pane.by_hour
            .iter()
            .find(|(known, _)| *known == hour)
            .map(|(_, totals)| *totals)
    };
    let bar = |hour: u32| Bar {
        label: format!("{hour:02}:00"),
        totals: known(hour).unwrap_or_default(),
    };
    (first..=last).map(bar).collect()
}

fn draw_bars(pen: &mut Pen<'_>, model: &Model, bars: &[Bar], area: Rect) {
    let text = &model.settings.text;
    if bars.is_empty() {
        pen.line(area, area.y, text.word(Key::TotalsNothing), Role::Quiet);
        return;
    }
    // The latest ones, where not all fit.
    let bars = &bars[bars.len().saturating_sub(area.height.into())..];
    let label = bars.iter().map(|bar| columns(&bar.label)).max().unwrap_or(0);
    let number = |bar: &Bar| match bar.totals.sales {
        0 => "-".to_owned(),
        sales => format!("{} ({})", text.money(bar.totals.total()), text.count(sales.into())),
    };
    let numbers = bars.iter().map(|bar| columns(&number(bar))).max().unwrap_or(0);
    let room = area.width.saturating_sub(label + numbers + 4);
    let most = bars
        .iter()
        .map(|bar| bar.totals.total())
        .max()
        .unwrap_or(MoneySum::ZERO);
    for (y, bar) in (area.y..).zip(bars) {
        pen.put(area.x, y, label, &bar.label, Role::Quiet);
        let drawn = bar_text(model, bar.totals.total(), most, room);
        pen.put(area.x + label + 2, y, room, &drawn, Role::Bar);
        pen.put_right(area.x + label + 4 + room, y, numbers, &number(bar), Role::Text);
    }
}

/// A bar in eighths of a column; anything above nothing is at least an eighth.
fn bar_text(model: &Model, sum: MoneySum, most: MoneySum, room: u16) -> String {
    let glyphs = model.settings.theme.glyphs;
    if most <= MoneySum::ZERO || sum <= MoneySum::ZERO {
        return String::new();
    }
    let eighths = (sum.0 * i128::from(room) * 8 / most.0).max(1);
    let eighths = usize::try_from(eighths).unwrap_or(0);
    let mut text = glyphs.bars[7].repeat(eighths / 8);
    if eighths % 8 > 0 {
        text.push_str(glyphs.bars[eighths % 8 - 1]);
    }
    text
}
