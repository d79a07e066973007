//! How every screen looks: symbols and styles, at four sizes, in colour, in monochrome and in ASCII.
//!
//! A snapshot has the screen's lines, and below a line the runs of columns that are not plain. Monochrome has the same symbols (that is asserted), so only its styles are kept; ASCII
//! has the same styles, so only its symbols are.

use std::fmt::Write as _;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use super::fake::{FakeDesk, id, too_far_ahead};
use super::{Counter, draw, text_of, wall};
use crate::domain::event::{LinkTrouble, LogEvent, Sales};
use crate::domain::ids::Revision;
use crate::domain::read::LineState;
use crate::domain::sync_state::{Refusal, SyncState};
use crate::tui::first_run::FirstRun;
use crate::tui::key::{Code, Input, Press};
use crate::tui::theme::{ASCII, Glyphs, Palette, Theme, UNICODE};
use crate::tui::{Event, Program};

const SIZES: [(u16, u16); 4] = [(100, 28), (80, 24), (60, 20), (40, 12)];

fn desk() -> FakeDesk {
    let mut desk = FakeDesk::with_sales(42);
    let now = wall("2026-11-22 14:07:06");
    desk.set_sync(41, SyncState::Sent { since: now });
    desk.set_sync(39, too_far_ahead());
    desk.set_sync(
        38,
        SyncState::Conflict {
            held: Revision::new(2).unwrap(),
        },
    );
    desk.row(id(37)).unwrap().sale.deleted_at = Some(now);
    let mut theirs = desk.rows[37].sale.clone();
    theirs.revision = Revision::new(2).unwrap();
    theirs.content.qty = 9;
    desk.at_hq = Some(theirs);
    let at = |time: &str| wall(&format!("2026-11-22 {time}"));
    desk.say(wall("2026-11-21 18:30:00"), LogEvent::LinkUp);
    for retry_s in [1, 2, 4] {
        let trouble = LinkTrouble::Unreachable;
        desk.say(at("13:58:01"), LogEvent::LinkDown { trouble, retry_s });
    }
    let sales = Sales {
        count: 9,
        first: id(30),
        last: id(39),
    };
    desk.say(at("14:06:58"), LogEvent::Stored { sales, took_ms: 310 });
    desk.say(
        at("14:06:59"),
        LogEvent::Refused(id(39), Refusal::DateAhead { days: 40 }),
    );
    desk
}

/// Opens each screen by the keys that a person presses.
const SCREENS: [(&str, &str); 11] = [
    ("table", "Down"),
    ("log", "l Down"),
    ("find", "/ p e n"),
    ("filter", "f Right Down"),
    ("form", "a p e Tab 1 . 5 Tab"),
    ("edit", "Down e"),
    ("confirm", "d"),
    ("story", "Down Down Down Enter"),
    ("conflict", "Down Down Down Down c"),
    ("help", "?"),
    ("totals", "t"),
];

fn opened(keys: &str, size: (u16, u16), theme: Theme) -> Counter {
    let settings = crate::tui::model::Settings {
        theme,
        ..super::settings()
    };
    let mut counter = Counter::with(settings, desk(), size);
    counter.keys(keys);
    counter
}

fn look(cell: &Cell) -> String {
    let mut words = Vec::new();
    if cell.fg != Color::Reset {
        words.push(format!("{:?}", cell.fg).to_lowercase());
    }
    if cell.bg != Color::Reset {
        words.push(format!("on-{:?}", cell.bg).to_lowercase());
    }
    let names = [
        (Modifier::BOLD, "bold"),
        (Modifier::DIM, "dim"),
        (Modifier::UNDERLINED, "under"),
        (Modifier::REVERSED, "rev"),
        (Modifier::CROSSED_OUT, "crossed"),
    ];
    words.extend(
        names
            .iter()
            .filter(|(modifier, _)| cell.modifier.contains(*modifier))
            .map(|(_, name)| (*name).to_owned()),
    );
    words.join("+")
}

/// The runs of columns of a line that are not plain: `2-9 bold, 60-71 yellow`.
fn styles(row: &[Cell]) -> String {
    let mut runs: Vec<(usize, usize, String)> = Vec::new();
    for (column, cell) in row.iter().enumerate() {
        let look = look(cell);
        match runs.last_mut() {
            Some((_, end, same)) if *end + 1 == column && *same == look => *end = column,
            _ => runs.push((column, column, look)),
        }
    }
    let run = |(from, to, look): &(usize, usize, String)| format!("{from}-{to} {look}");
    let shown: Vec<_> = runs.iter().filter(|(.., look)| !look.is_empty()).map(run).collect();
    shown.join(", ")
}

fn with_styles(buffer: &Buffer, symbols: bool) -> String {
    let mut shown = String::new();
    let rows = buffer.content.chunks(buffer.area.width.into());
    for (number, (row, text)) in rows.zip(text_of(buffer).lines()).enumerate() {
        let styles = styles(row);
        if symbols {
            writeln!(shown, "|{text}").unwrap();
        }
        if !styles.is_empty() {
            let place = if symbols { String::new() } else { format!("{number}: ") };
            writeln!(shown, "    ~ {place}{styles}").unwrap();
        }
    }
    shown
}

#[test]
fn every_screen_looks_as_it_did() {
    let theme = |palette, glyphs| Theme { palette, glyphs };
    for (name, keys) in SCREENS {
        let mut shown = String::new();
        for size in SIZES {
            let colour = opened(keys, size, theme(Palette::Dark, &UNICODE));
            let mono = opened(keys, size, theme(Palette::Mono, &UNICODE)).draw();
            let ascii = opened(keys, size, theme(Palette::Dark, &ASCII)).draw();
            assert_eq!(text_of(&mono), colour.text(), "monochrome says the same");
            assert!(text_of(&ascii).is_ascii());
            writeln!(shown, "==== {name} {}x{}, colour", size.0, size.1).unwrap();
            shown.push_str(&with_styles(&colour.draw(), true));
            writeln!(shown, "==== {name} {}x{}, monochrome", size.0, size.1).unwrap();
            shown.push_str(&with_styles(&mono, false));
            writeln!(shown, "==== {name} {}x{}, ASCII", size.0, size.1).unwrap();
            text_of(&ascii)
                .lines()
                .for_each(|line| writeln!(shown, "|{line}").unwrap());
        }
        insta::assert_snapshot!(name, shown);
    }
}

/// How a branch can stand, and what the header, the table and the footer make of it.
fn standings() -> Vec<(&'static str, FakeDesk, crate::tui::model::Settings)> {
    let settings = super::settings;
    let with_line = |line| FakeDesk {
        line,
        ..FakeDesk::with_sales(4)
    };
    let mut in_step = FakeDesk::with_sales(4);
    in_step.rows.iter_mut().for_each(|row| row.sync = SyncState::Acked);
    let mut refused = FakeDesk::with_sales(4);
    refused.set_sync(4, too_far_ahead());
    let supervisor = crate::tui::model::Settings {
        read_only: true,
        ..settings()
    };
    vec![
        ("first sale", FakeDesk::with_sales(0), settings()),
        ("in step", in_step, settings()),
        ("offline", with_line(LineState::Down), settings()),
        ("broker busy", with_line(LineState::Blocked), settings()),
        ("unknown HQ", with_line(LineState::Stranger), settings()),
        ("refused", refused, settings()),
        ("read only", FakeDesk::with_sales(4), supervisor),
    ]
}

#[test]
fn every_standing_of_the_branch_looks_as_it_did() {
    let mut shown = String::new();
    for size in [(80, 24), (40, 12), (30, 5)] {
        for (name, _, _) in standings() {
            let looks = |palette, glyphs| {
                let standing = standings().into_iter().find(|(other, _, _)| *other == name);
                let (_, desk, settings) = standing.expect("it is one of them");
                let theme = Theme { palette, glyphs };
                Counter::with(crate::tui::model::Settings { theme, ..settings }, desk, size).draw()
            };
            shown.push_str(&looked_at(&format!("{name} {}x{}", size.0, size.1), looks));
        }
    }
    insta::assert_snapshot!("standing", shown);
}

/// The lines of a screen that are not empty, in colour, in monochrome and in ASCII.
fn looked_at(name: &str, looks: impl Fn(Palette, &'static Glyphs) -> Buffer) -> String {
    let (mono, ascii) = (looks(Palette::Mono, &UNICODE), looks(Palette::Dark, &ASCII));
    let text = text_of(&ascii);
    assert!(text.is_ascii());
    let mut shown = format!(
        "==== {name}, colour
{}",
        with_styles(&looks(Palette::Dark, &UNICODE), true)
    );
    writeln!(
        shown,
        "==== {name}, monochrome
{}",
        with_styles(&mono, false).trim_end()
    )
    .unwrap();
    writeln!(shown, "==== {name}, ASCII").unwrap();
    text.lines().for_each(|line| writeln!(shown, "|{line}").unwrap());
    let lines: Vec<_> = shown.lines().filter(|line| *line != "|").collect();
    lines.join("\n") + "\n"
}

#[test]
fn the_first_start_looks_as_it_did() {
    let mut shown = String::new();
    for size in SIZES {
        for (step, typed) in [("asked", "tunis 01\r"), ("answered", "TUNIS-01\r")] {
            let looks = |palette, glyphs| {
                let theme = Theme { palette, glyphs };
                let text = crate::text::Text::english();
                let mut question = FirstRun::new(text, theme, "~/.config/branchline/branchline.toml".into());
                for c in typed.chars() {
                    let code = if c == '\r' { Code::Enter } else { Code::Char(c) };
                    question.update(Event::Input(Input::Key(Press::plain(code))));
                }
                let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
                terminal.draw(|frame| question.view(frame)).unwrap();
                terminal.backend().buffer().clone()
            };
            shown.push_str(&looked_at(&format!("{step} {}x{}", size.0, size.1), looks));
        }
    }
    insta::assert_snapshot!("first_start", shown);
}

#[test]
fn the_screen_speaks_french_throughout() {
    let settings = crate::tui::model::Settings {
        text: crate::text::Text::named("fr").unwrap(),
        ..super::settings()
    };
    let mut shown = String::new();
    for (_, keys) in SCREENS {
        let mut counter = Counter::with(settings.clone(), desk(), (80, 24));
        counter.keys(keys);
        writeln!(shown, "==== {keys}\n{}", counter.text()).unwrap();
    }
    insta::assert_snapshot!("french", shown);
}

#[test]
fn the_light_theme_differs_in_colours_only() {
    let mut shown = String::new();
    for (name, keys) in SCREENS {
        let light = opened(
            keys,
            (80, 24),
            Theme {
                palette: Palette::Light,
                glyphs: &UNICODE,
            },
        );
        let dark = opened(
            keys,
            (80, 24),
            Theme {
                palette: Palette::Dark,
                glyphs: &UNICODE,
            },
        );
        assert_eq!(light.text(), dark.text());
        writeln!(shown, "==== {name}\n{}", with_styles(&light.draw(), false)).unwrap();
    }
    insta::assert_snapshot!("light", shown);
}

#[test]
fn a_terminal_that_is_too_small_still_tells_the_sync_state() {
    for (size, expected) in [
        ((39, 12), "! AHEAD 5 sales"),
        ((40, 9), "! AHEAD 5 sales"),
        ((1, 1), "…"),
        ((4, 2), "! A…"),
    ] {
        let counter = opened("Down", size, super::settings().theme);
        assert!(
            text_of(&draw(&counter.model)).starts_with(expected),
            "{size:?}: {}",
            counter.text()
        );
    }
}

#[test]
fn data_cannot_move_the_cursor() {
    let mut desk = desk();
    desk.rows[41].sale.content.product = "RED\x1b[2J\u{202e}LAMP\u{9b}".into();
    let counter = Counter::open(desk, (100, 28));
    let text = counter.text();
    assert!(text.contains("RED [2J LAMP") && !text.chars().any(|c| c != '\n' && crate::domain::sale::is_unsafe(c)));
}
