//! The French screen: nothing on it is English, at any size, whatever is open and whatever is said inside a sentence.

use super::fake::{FakeDesk, id, too_far_ahead};
use super::{Counter, settings};
use crate::domain::event::{LinkTrouble, LogEvent};
use crate::domain::ids::Revision;
use crate::domain::read::LineState;
use crate::domain::sync_state::SyncState;
use crate::domain::time::UtcMillis;
use crate::text::{Key, Text};
use crate::tui::model::Settings;

/// The fewest letters of an English piece that is looked for, of two words or more: single words may be data, or be in both languages.
const MIN_LETTERS: usize = 4;

fn desk() -> FakeDesk {
    let mut desk = FakeDesk::with_sales(42);
    desk.set_sync(41, SyncState::Sent { since: UtcMillis(0) });
    desk.set_sync(39, too_far_ahead());
    let held = Revision::new(2).unwrap();
    desk.set_sync(38, SyncState::Conflict { held });
    desk.row(id(37)).unwrap().sale.deleted_at = Some(UtcMillis(1));
    desk.line = LineState::Down;
    for trouble in [
        LinkTrouble::Unreachable,
        LinkTrouble::Certificate,
        LinkTrouble::NoHeadOffice,
    ] {
        desk.say(UtcMillis(1), LogEvent::LinkDown { trouble, retry_s: 4 });
    }
    desk.say(UtcMillis(2), LogEvent::HqAnswered { skew_ms: 180_000 });
    desk
}

/// The pieces of English sentences, between slots and stops.
fn english_pieces() -> Vec<String> {
    let english = Text::english();
    let sentences = Key::ALL.iter().filter(|key| !key.name().starts_with("format."));
    let pieces = sentences.flat_map(|key| english.word(*key).split(['{', '}', '|', '.', ':', ';', ',']));
    let pieces = pieces
        .map(str::trim)
        .filter(|piece| piece.len() >= MIN_LETTERS && piece.contains(' '));
    pieces.map(str::to_owned).collect()
}

#[test]
fn nothing_on_the_french_screen_is_english() {
    let pieces = english_pieces();
    assert!(pieces.len() > 150, "{}", pieces.len());
    let screens = [
        "Down",
        "l Down",
        "l v",
        "/ p e n",
        "/ z z z Enter",
        "f Right Down",
        "f Tab x Enter",
        "a p e Tab Enter",
        "a Tab Tab x Tab",
        "Down e",
        "d",
        "r",
        "c",
        "Enter",
        "Down Down Down Enter",
        "Down Down Down Down c",
        "Down Down Down Down Enter",
        "t",
        "t Tab",
        "?",
        "? z z",
        "a Ctrl+X",
        "a x Esc",
        "a x Esc a",
        "s",
        "x",
        "a Ctrl+_",
    ];
    for size in [(100, 28), (80, 24), (60, 20), (40, 12), (30, 5)] {
        for keys in screens {
            let settings = Settings {
                text: Text::named("fr").unwrap(),
                ..settings()
            };
            let mut counter = Counter::with(settings, desk(), size);
            counter.keys(keys);
            let shown = counter.text();
            let english = pieces.iter().find(|piece| shown.contains(piece.as_str()));
            assert_eq!(english, None, "at {size:?} after {keys}:\n{shown}");
        }
    }
}
