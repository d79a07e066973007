//! What a sale's story says, line by line: where the sale stands and what to do, then everything that happened to it.

use super::Model;
use super::layers::{Layer, StoryPane};
use super::layout::Layout;
use crate::domain::draft::{Draft, Field};
use crate::domain::read::{Chapter, ChapterKind, Story};
use crate::domain::sale::{Sale, SaleContent};
use crate::domain::sync_state::{SyncKind, SyncState};
use crate::domain::time::UtcMillis;
use crate::text::Key;
use crate::tui::keymap::{Action, Context};
use crate::tui::theme::Role;
use crate::tui::wrap::wrap;

/// The lines and the columns that a pane's frame takes, on both sides together.
const FRAME: (u16, u16) = (2, 4);

/// A line and its role.
pub type Line = (String, Role);

/// What a pane shows: its lines as they are broken on this screen, and how many of them are in sight at once.
#[derive(Debug)]
pub struct Told {
    /// All lines.
    pub lines: Vec<Line>,
    /// How many are in sight.
    pub in_sight: usize,
}

impl Told {
    /// How far the pane can be scrolled: until its last line is in sight.
    #[must_use]
    pub fn lowest(&self) -> usize {
        self.lines.len().saturating_sub(self.in_sight)
    }
}

/// What a story or a conflict shows on this screen; `None` for any other layer.
#[must_use]
pub fn told(model: &Model, layer: &Layer, layout: &Layout) -> Option<Told> {
    let lines = match layer {
        Layer::Story(pane) => lines(model, pane),
        Layer::Conflict(pane) => conflict_lines(model, pane),
        _ => return None,
    };
    let place = layout.large_pane();
    let width = usize::from(place.width.saturating_sub(FRAME.1));
    let broken = |(line, role): (String, Role)| wrap(&line, width).into_iter().map(move |line| (line, role));
    Some(Told {
        lines: lines.into_iter().flat_map(broken).collect(),
        in_sight: place.height.saturating_sub(FRAME.0).into(),
    })
}

/// The lines of a story.
fn lines(model: &Model, pane: &StoryPane) -> Vec<Line> {
    let text = &model.settings.text;
    let Some(story) = &pane.story else {
        return vec![(text.word(Key::HeaderLoading).to_owned(), Role::Quiet)];
    };
    let mut lines = vec![(content(model, &story.row.sale.content), Role::Text)];
    lines.extend(standing(model, story));
    lines.push((String::new(), Role::Text));
    let mut before: Option<&Sale> = None;
    for chapter in &story.chapters {
        lines.extend(tell(model, chapter, before));
        if let ChapterKind::Written(sale) = &chapter.what {
            before = Some(sale);
        }
    }
    lines
}

/// The lines of a conflict: both contents, where they differ, and the ways out.
fn conflict_lines(model: &Model, pane: &StoryPane) -> Vec<Line> {
    let mut lines = contents(model, pane);
    lines.push((String::new(), Role::Text));
    for action in [Action::TakeHq, Action::KeepMine, Action::Leave] {
        let key = model.settings.keymap.key_for(Context::Conflict, action);
        let said = model.settings.text.word(action.label());
        lines.push((format!("{key}  {said}"), Role::Key));
    }
    lines
}

fn contents(model: &Model, pane: &StoryPane) -> Vec<Line> {
    let text = &model.settings.text;
    let Some(story) = &pane.story else {
        return vec![(text.word(Key::HeaderLoading).to_owned(), Role::Quiet)];
    };
    let mine = &story.row.sale;
    let mut lines = vec![(text.word(Key::ConflictIntro).to_owned(), Role::Text)];
    lines.push((String::new(), Role::Text));
    let Some(theirs) = &story.at_hq else {
        lines.push((text.word(Key::ConflictUnknown).to_owned(), Role::Waiting));
        return lines;
    };
    for (key, sale) in [(Key::ConflictMine, mine), (Key::ConflictTheirs, theirs)] {
        let said = text.fill(key, [("revision", &sale.revision.to_string())]);
        lines.push((said, Role::Title));
        lines.push((format!("  {}", described(model, sale)), Role::Text));
    }
    lines.push((String::new(), Role::Text));
    for difference in differences(model, &mine.content, &theirs.content) {
        lines.push((difference, Role::Conflict));
    }
    lines
}

fn described(model: &Model, sale: &Sale) -> String {
    let what = content(model, &sale.content);
    if sale.is_void() {
        format!("{what}  ({})", model.settings.text.word(Key::StateVoid))
    } else {
        what
    }
}

/// A content in one line.
fn content(model: &Model, content: &SaleContent) -> String {
    let text = &model.settings.text;
    format!(
        "{}  {} {} {} + {} = {}  {}  {}",
        content.product,
        text.count(content.qty.into()),
        model.settings.theme.glyphs.times,
        text.money(content.cost),
        text.money(content.tax),
        text.money(content.total()),
        text.moment(content.date),
        content.region,
    )
}

/// Where the sale stands, why, and what can be done.
fn standing(model: &Model, story: &Story) -> Vec<Line> {
    let text = &model.settings.text;
    let row = &story.row;
    let kind = row.sync.kind();
    let state = format!("{} {}", model.settings.theme.glyphs.sync(kind), text.sync_state(kind));
    let role = Role::of_sync(kind);
    let key = |action| model.settings.keymap.key_for(Context::Story, action);
    match &row.sync {
        SyncState::Rejected(refusal) => {
            let keys = [("edit", &*key(Action::Edit)), ("retry", &key(Action::Retry))];
            vec![
                (text.pair(&state, &text.refusal(refusal)), role),
                (text.remedy(refusal).to_owned(), Role::Notice),
                (text.fill(Key::StoryRefusedKeys, keys), Role::Quiet),
            ]
        }
        SyncState::Conflict { held } => {
            let values = [("revision", &*held.to_string()), ("key", &key(Action::Resolve))];
            let said = text.fill(Key::StoryConflict, values);
            vec![(text.pair(&state, &said), role)]
        }
        SyncState::Pending { tries } if *tries > 0 => {
            let said = text.say(Key::StoryTries, &[("n", (*tries).into())]);
            vec![(text.pair(&state, &said), role)]
        }
        SyncState::Pending { .. } | SyncState::Sent { .. } | SyncState::Acked => {
            let said = if row.sale.is_void() && kind == SyncKind::Acked {
                text.word(Key::StateVoid)
            } else {
                ""
            };
            vec![(format!("{state} {said}").trim_end().to_owned(), role)]
        }
    }
}

/// One chapter: when, and what happened; an edit with its differences.
fn tell(model: &Model, chapter: &Chapter, before: Option<&Sale>) -> Vec<Line> {
    let text = &model.settings.text;
    let at = moment(model, chapter.at);
    let with_revision = |key, revision: u32| text.fill(key, [("revision", &revision.to_string())]);
    let (said, role) = match &chapter.what {
        ChapterKind::Written(sale) => return written(model, &at, sale, before),
        ChapterKind::Sent { revision, attempt } => {
            let values = [("revision", &*revision.to_string()), ("n", &attempt.to_string())];
            (text.fill(Key::StorySent, values), Role::Moving)
        }
        ChapterKind::Acked { revision, hq_clock } => {
            let values = [("revision", &*revision.to_string()), ("at", &moment(model, *hq_clock))];
            (text.fill(Key::StoryAcked, values), Role::Good)
        }
        ChapterKind::GivenUp { revision } => (with_revision(Key::StoryGivenUp, revision.get()), Role::Waiting),
    };
    vec![(format!("{at}  {said}"), role)]
}

fn written(model: &Model, at: &str, sale: &Sale, before: Option<&Sale>) -> Vec<Line> {
    let text = &model.settings.text;
    let key = match (before, sale.is_void()) {
        (_, true) => Key::StoryVoided,
        (None, false) => Key::StoryEntered,
        (Some(_), false) => Key::StoryEdited,
    };
    let said = text.fill(key, [("revision", &sale.revision.to_string())]);
    let mut lines = vec![(format!("{at}  {said}"), Role::Title)];
    if let Some(before) = before {
        let changes = differences(model, &before.content, &sale.content);
        lines.extend(changes.into_iter().map(|change| (format!("    {change}"), Role::Text)));
    }
    lines
}

/// What differs between two contents, field by field.
fn differences(model: &Model, old: &SaleContent, new: &SaleContent) -> Vec<String> {
    let text = &model.settings.text;
    let (old, new) = (Draft::of(old), Draft::of(new));
    let arrow = model.settings.theme.glyphs.arrow;
    let differs = |field: &Field| old.field(*field) != new.field(*field);
    let tell = |field: Field| {
        let change = format!("{} {arrow} {}", old.field(field), new.field(field));
        text.pair(text.field(field), &change)
    };
    Field::ALL.into_iter().filter(differs).map(tell).collect()
}

fn moment(model: &Model, at: UtcMillis) -> String {
    model.settings.text.moment_seconds((model.settings.local)(at))
}
