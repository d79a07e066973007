//! The header: who and when on the first line, how far ahead on the second. Green is there only where every row is at HQ.

use ratatui::layout::Rect;

use super::pen::{Pen, Piece};
use crate::domain::read::{BranchStatus, LineState};
use crate::domain::sync_state::SyncKind;
use crate::domain::time::UtcMillis;
use crate::text::{Key, NOTABLE_SKEW_MS};
use crate::tui::desk::WorkerPlace;
use crate::tui::keymap::{Action, Context};
use crate::tui::model::Model;
use crate::tui::model::layout::Layout;
use crate::tui::theme::Role;

/// From how many bytes on the header tells what the line has carried: what is less would be shown as none.
const NOTABLE_BYTES: u64 = 50_000;

pub(super) fn draw(pen: &mut Pen<'_>, model: &Model, layout: &Layout) {
    let (first, second) = (layout.header.y, layout.header.y + 1);
    pen.pieces(layout.header, first, identity(model));
    pen.pieces(layout.header, second, standing(model));
    pen.rule(layout.header_rule, &shown(model), &news(model), Role::Notice);
}

/// A terminal with room for one line: it still tells how far ahead the branch is.
pub(super) fn draw_smallest(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let text = &model.settings.text;
    let glyphs = model.settings.theme.glyphs;
    let (glyph, role, said) = match &model.board.status {
        _ if model.board.is_in_step() => (SyncKind::Acked, Role::Good, text.word(Key::HeaderInStep).to_owned()),
        Some(status) if status.rejected + status.conflicts > 0 => (SyncKind::Rejected, Role::Bad, ahead(model, status)),
        Some(status) => (SyncKind::Pending, Role::Waiting, ahead(model, status)),
        None => (SyncKind::Pending, Role::Quiet, text.word(Key::HeaderLoading).to_owned()),
    };
    let small = text.word(Key::HeaderTooSmall);
    let line = format!("{} {said}  {}  {small}", glyphs.sync(glyph), model.settings.branch);
    pen.put(area.x, area.y, area.width, &line, role);
}

fn left(rank: u8, text: impl Into<String>, role: Role) -> Piece {
    Piece {
        rank,
        right: false,
        text: text.into(),
        role,
    }
}

fn right(rank: u8, text: impl Into<String>, role: Role) -> Piece {
    Piece {
        right: true,
        ..left(rank, text, role)
    }
}

/// The first line: branch, warnings, line, HQ, clock.
fn identity(model: &Model) -> Vec<Piece> {
    let text = &model.settings.text;
    let mut pieces = vec![
        left(8, text.word(Key::HeaderName), Role::Quiet),
        left(0, model.settings.branch.as_str(), Role::Title),
    ];
    if model.settings.read_only {
        pieces.push(left(2, text.word(Key::HeaderReadOnly), Role::Waiting));
    }
    let status = model.board.status.as_ref();
    let worker = status.and_then(|status| status.worker);
    if worker.is_some_and(|worker| worker.trial) {
        pieces.push(left(2, text.word(Key::HeaderTrial), Role::Waiting));
    }
    if model.settings.plain_line {
        pieces.push(left(4, text.word(Key::HeaderPlain), Role::Waiting));
    }
    if let Some(status) = status.filter(|status| status.skew_ms.unsigned_abs() >= NOTABLE_SKEW_MS) {
        let skew = text.duration(status.skew_ms.unsigned_abs());
        let values = [
            ("skew", skew.as_str()),
            ("direction", text.skew_direction(status.skew_ms)),
        ];
        let said = text.fill(Key::HeaderSkew, values);
        pieces.push(left(3, said, Role::Waiting));
    }
    if let Some(WorkerPlace::Elsewhere { pid }) = model.board.worker {
        let said = text.fill(Key::HeaderElsewhere, [("pid", &pid.to_string())]);
        pieces.push(left(5, said, Role::Quiet));
    }
    pieces.push(line_state(model, status));
    pieces.extend(last_heard(model, status));
    let used = model.board.data_used;
    for (rank, carried, key) in [
        (6, used.today, Key::HeaderDataToday),
        (7, used.month, Key::HeaderDataMonth),
    ] {
        if carried.total() >= NOTABLE_BYTES {
            let size = text.megabytes(carried.total());
            pieces.push(right(rank, text.fill(key, [("size", &size)]), Role::Quiet));
        }
    }
    pieces.push(right(2, text.clock(model.local_now()), Role::Text));
    pieces
}

fn line_state(model: &Model, status: Option<&BranchStatus>) -> Piece {
    let (text, glyphs) = (&model.settings.text, model.settings.theme.glyphs);
    let line = status
        .and_then(|status| status.worker)
        .map_or(LineState::Off, |worker| worker.line);
    let (glyph, key, role) = match line {
        _ if model.board.worker == Some(WorkerPlace::Nowhere) => (glyphs.line_down, Key::LineNoWorker, Role::Bad),
        LineState::Off => (glyphs.line_down, Key::LineOff, Role::Quiet),
        LineState::Down => (glyphs.line_down, Key::LineDown, Role::Waiting),
        LineState::Up => (glyphs.line_up, Key::LineUp, Role::Text),
        LineState::Blocked => (glyphs.line_up, Key::LineBlocked, Role::Waiting),
        LineState::Stranger => (glyphs.line_up, Key::LineStranger, Role::Bad),
        LineState::Resting | LineState::OutOfHours => (glyphs.line_down, Key::LineClosed, Role::Quiet),
    };
    right(0, format!("{glyph} {}", text.word(key)), role)
}

/// When HQ was last heard; while the line is closed on purpose, as of when all is in step and when it opens again.
fn last_heard(model: &Model, status: Option<&BranchStatus>) -> Option<Piece> {
    let text = &model.settings.text;
    let heard = status?.last_heard_at;
    let said = match (status?.worker?.line, &model.settings.hours) {
        (LineState::Resting, _) if model.board.is_in_step() => {
            let time = text.clock((model.settings.local)(heard?));
            text.fill(Key::HeaderInStepAt, [("time", &time)])
        }
        (LineState::OutOfHours, Some(hours)) => {
            let now = model.local_now();
            let time = text.clock(now.date().and_time(hours.next_opening(now.time())?));
            text.fill(Key::HeaderOpensAt, [("time", &time)])
        }
        _ => said_ago(model, heard?),
    };
    Some(right(1, said, Role::Text))
}

fn said_ago(model: &Model, heard: UtcMillis) -> String {
    let text = &model.settings.text;
    let ago = model.now.wall.since(heard);
    if ago < 60_000 && !model.shows_seconds() {
        return text.word(Key::HeaderHeardNow).to_owned();
    }
    text.fill(Key::HeaderHeard, [("ago", &text.duration(ago))])
}

/// The second line: how far ahead, and what HQ has.
fn standing(model: &Model) -> Vec<Piece> {
    let text = &model.settings.text;
    if let Some(why) = &model.board.trouble {
        let said = text.say(Key::HeaderTrouble, &[("why", why.into())]);
        return vec![left(0, said, Role::Bad)];
    }
    let Some(status) = &model.board.status else {
        return vec![left(0, text.word(Key::HeaderLoading), Role::Quiet)];
    };
    if status.rows == 0 {
        return vec![left(0, text.word(Key::HeaderNoSales), Role::Quiet)];
    }
    if model.board.is_in_step() {
        let all = text.say(Key::HeaderAllAtHq, &[("n", status.rows.into())]);
        return vec![
            left(0, text.word(Key::HeaderInStep), Role::Good),
            left(1, all, Role::Good),
        ];
    }
    let mut pieces = vec![
        left(0, ahead(model, status), Role::Waiting),
        left(2, text.money(status.ahead_amount), Role::Waiting),
    ];
    if let Some(oldest) = status.oldest_ahead {
        let age = text.duration(whole_minutes(model, model.now.wall.since(oldest)));
        pieces.push(left(3, text.fill(Key::HeaderOldest, [("age", &age)]), Role::Waiting));
    }
    for (count, key, role) in [
        (status.rejected, Key::HeaderRefused, Role::Bad),
        (status.conflicts, Key::HeaderConflicts, Role::Conflict),
    ] {
        if count > 0 {
            pieces.push(left(1, text.say(key, &[("n", count.into())]), role));
        }
    }
    let counts = [("acked", status.acked.into()), ("rows", status.rows.into())];
    pieces.push(right(4, text.say(Key::HeaderAtHq, &counts), Role::Text));
    let up = status.worker.is_some_and(|worker| worker.line == LineState::Up);
    if let Some(clears) = model.board.clears_in_ms().filter(|_| up) {
        let wait = text.duration(whole_minutes(model, clears).max(1_000));
        pieces.push(right(5, text.fill(Key::HeaderClears, [("wait", &wait)]), Role::Moving));
    }
    pieces
}

/// Over a slow line a number of seconds would be drawn again and again: there it is whole minutes.
const fn whole_minutes(model: &Model, millis: u64) -> u64 {
    if model.settings.remote {
        millis.div_ceil(60_000) * 60_000
    } else {
        millis
    }
}

fn ahead(model: &Model, status: &BranchStatus) -> String {
    model
        .settings
        .text
        .say(Key::HeaderAhead, &[("n", status.ahead().into())])
}

/// What the table shows, where it doesn't show all.
fn shown(model: &Model) -> String {
    let text = &model.settings.text;
    let filter = model.table.shown();
    let mut parts = Vec::new();
    parts.extend(filter.product.map(|product| format!("\"{product}\"")));
    parts.extend(filter.state.map(|state| text.sync_state(state).to_owned()));
    match (filter.from, filter.to) {
        (Some(from), Some(to)) if from == to => parts.push(text.day(from)),
        (None, None) => {}
        (from, to) => {
            let day = |day: Option<_>| day.map_or_else(String::new, |day| text.day(day));
            parts.push(
                format!("{} {} {}", day(from), model.settings.theme.glyphs.arrow, day(to))
                    .trim()
                    .to_owned(),
            );
        }
    }
    parts.extend(filter.region);
    if parts.is_empty() {
        return String::new();
    }
    let key = model.settings.keymap.key_for(Context::Table, Action::ShowAll);
    let all = parts.join(", ");
    text.say(Key::TableShows, &[("what", (&all).into()), ("key", (&key).into())])
}

/// What is new above, while the table is scrolled away from its top. Among a filter's sales, or in another order, nobody knows how many of them would stand there.
fn news(model: &Model) -> String {
    let text = &model.settings.text;
    let highest = model.board.status.as_ref().map_or(0, |status| status.highest_id);
    let new = u64::try_from(highest - model.table.seen_highest).unwrap_or(0);
    let comes_above = model.table.newest_first() && model.table.shown().is_empty() && !model.table.follows();
    if new == 0 || model.table.seen_highest == 0 || !comes_above {
        return String::new();
    }
    let key = model.settings.keymap.key_for(Context::Table, Action::Home);
    text.say(Key::TableNews, &[("n", new.into()), ("key", (&key).into())])
}
