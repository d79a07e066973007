//! The question of the first start.

use ratatui::layout::{Position, Rect};

use super::field;
use super::panes::centred;
use super::pen::Pen;
use crate::domain::ids::BranchCode;
use crate::text::Key;
use crate::tui::first_run::{FirstRun, Step};
use crate::tui::theme::Role;
use crate::tui::wrap::wrap;

pub(super) fn draw(pen: &mut Pen<'_>, question: &FirstRun, area: Rect) -> Option<Position> {
    let text = &question.text;
    let inside = pen.pane(centred(area, 66, 10), text.word(Key::FirstTitle));
    let said = match &question.step {
        Step::Branch { .. } => text.word(Key::FirstIntro).to_owned(),
        Step::Write(code) => {
            let values = [("branch", code.as_str()), ("file", question.file.as_str())];
            text.fill(Key::FirstWrite, values)
        }
        Step::Done(_) | Step::Left => String::new(),
    };
    let mut y = inside.y;
    for line in wrap(&said, inside.width.into()) {
        pen.line(inside, y, &line, Role::Text);
        y += 1;
    }
    y = (y + 1).min(inside.bottom().saturating_sub(1));
    let bottom = inside.bottom().saturating_sub(1);
    match &question.step {
        Step::Branch { wrong } => {
            let width = u16::try_from(BranchCode::MAX_CHARS)
                .unwrap_or(u16::MAX)
                .min(inside.width);
            let cursor = field::draw(pen, &question.field, true, Rect::new(inside.x, y, width, 1));
            let (key, role) = if *wrong {
                (Key::FirstWrong, Role::Bad)
            } else {
                (Key::FirstKeys, Role::Quiet)
            };
            pen.line(inside, bottom, text.word(key), role);
            cursor
        }
        Step::Write(_) | Step::Done(_) | Step::Left => {
            pen.line(inside, bottom, text.word(Key::FirstWriteKeys), Role::Key);
            None
        }
    }
}
