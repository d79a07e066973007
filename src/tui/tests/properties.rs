//! Properties under random hands: whatever is pressed, whatever arrives, at whatever size, the selection is a sale's, nothing typed is lost, nothing is saved by itself, nothing panics.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::Config;

use super::fake::{FakeDesk, id, too_far_ahead};
use super::{Counter, draw};
use crate::domain::draft::Draft;
use crate::domain::sync_state::SyncState;
use crate::domain::time::UtcMillis;
use crate::tui::desk::{Answer, Cmd};
use crate::tui::key::{Code, Input, Press};
use crate::tui::model::Msg;
use crate::tui::model::drafts::Waiting;
use crate::tui::model::layers::Layer;
use crate::tui::model::table::MAX_WINDOW;

#[derive(Debug, Clone)]
enum Step {
    Key(Press, u64),
    Paste(String),
    Click(u16, u16),
    Resize(u16, u16),
    /// Somebody sells at another screen.
    Arrival,
    /// Another program imports so many sales at once.
    Import(u32),
    /// HQ has a sale.
    Ack(i64),
    Refusal(i64),
    /// The executor answers what waits, or goes on to let it wait.
    Answer,
    Wait(u64),
}

fn press() -> impl Strategy<Value = Press> {
    let codes = prop_oneof![
        6 => prop::char::range(' ', '~').prop_map(Code::Char),
        1 => Just(Code::Char('é')),
        2 => Just(Code::Enter),
        1 => Just(Code::Tab),
        1 => Just(Code::BackTab),
        2 => Just(Code::Esc),
        1 => Just(Code::Backspace),
        3 => prop_oneof![Just(Code::Up), Just(Code::Down), Just(Code::PageUp), Just(Code::PageDown)],
        1 => prop_oneof![Just(Code::Home), Just(Code::End), Just(Code::Left), Just(Code::Right)],
        1 => (1_u8..=12).prop_map(Code::F),
    ];
    // Ctrl+C, Ctrl+Q and q leave the program, which ends a run early.
    (codes, prop::bool::weighted(0.1))
        .prop_map(|(code, ctrl)| Press { code, ctrl, alt: false })
        .prop_filter("leaves", |press| {
            let ctrl_c = press.ctrl && matches!(press.code, Code::Char('c' | 'C'));
            !matches!(press.code, Code::Char('q' | 'Q')) && !ctrl_c
        })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (press(), prop_oneof![Just(3_u64), Just(120), Just(400)]).prop_map(|(press, after)| Step::Key(press, after)),
        1 => "[a-z0-9\n]{0,12}".prop_map(Step::Paste),
        1 => (0_u16..260, 0_u16..90).prop_map(|(x, y)| Step::Click(x, y)),
        2 => (1_u16..=120, 1_u16..=40).prop_map(|(width, height)| Step::Resize(width, height)),
        2 => Just(Step::Arrival),
        1 => (1_u32..=500).prop_map(Step::Import),
        2 => (1_i64..200).prop_map(Step::Ack),
        1 => (1_i64..200).prop_map(Step::Refusal),
        6 => Just(Step::Answer),
        1 => (0_u64..5_000).prop_map(Step::Wait),
    ]
}

impl Counter {
    fn take_step(&mut self, step: Step) {
        match step {
            Step::Key(press, after) => self.press(press, after),
            Step::Paste(text) => self.tell(Msg::Input(Input::Paste(text))),
            Step::Click(x, y) => self.tell(Msg::Input(Input::Click { x, y })),
            Step::Resize(width, height) => self.tell(Msg::Resized(ratatui::layout::Size { width, height })),
            Step::Arrival => self.import(1),
            Step::Import(sales) => self.import(sales),
            Step::Ack(number) => self.settle(number, SyncState::Acked),
            Step::Refusal(number) => self.settle(number, too_far_ahead()),
            Step::Answer => self.answer(),
            Step::Wait(millis) => self.wait(millis),
        }
    }

    fn import(&mut self, sales: u32) {
        for _ in 0..sales {
            let content = self.desk.rows[0].sale.content.clone();
            self.desk.insert(content, UtcMillis(5));
        }
        self.tell(Msg::Answer(Answer::Changed));
    }

    fn settle(&mut self, number: i64, sync: SyncState) {
        if let Some(row) = self.desk.row(id(number)) {
            row.sync = sync;
            self.tell(Msg::Answer(Answer::Changed));
        }
    }

    /// What has been typed into a form that is open or waits to be taken up, by the drafts' numbers.
    fn typed(&self) -> BTreeMap<i64, Draft> {
        let form = self.model.layers.iter().find_map(|layer| match layer {
            Layer::Form(form) => Waiting::of(form),
            _ => None,
        });
        let waiting = self.model.drafts.waiting.iter().cloned();
        waiting.chain(form).map(|left| (left.no, left.draft)).collect()
    }

    fn check(&self) {
        let table = &self.model.table;
        if !table.rows.is_empty() {
            assert!(table.place().is_some(), "the selection is a row of the table");
        }
        let ids: std::collections::BTreeSet<_> = table.rows.iter().map(|row| row.sale.id).collect();
        assert_eq!(ids.len(), table.rows.len(), "no row stands there twice");
        assert!(table.rows.len() <= MAX_WINDOW);
        assert!(
            self.model.layers.len() <= 8,
            "layers are bounded: {}",
            self.model.layers.len()
        );
        let forms = self
            .model
            .layers
            .iter()
            .filter(|layer| matches!(layer, Layer::Form(_)))
            .count();
        assert!(forms <= 1, "one form at a time");
        draw(&self.model);
    }
}

proptest! {
    #![proptest_config(Config { cases: 64, failure_persistence: None, ..Config::default() })]

    #[test]
    fn whatever_happens_the_screen_stands(steps in prop::collection::vec(step(), 1..120), prompt in any::<bool>()) {
        let mut counter = Counter::open(FakeDesk::with_sales(150), (100, 28));
        counter.prompt = prompt;
        for step in steps {
            counter.take_step(step);
            counter.check();
        }
    }

    #[test]
    fn what_is_typed_is_kept_whenever_the_screen_dies(steps in prop::collection::vec(step(), 1..120), prompt in any::<bool>()) {
        let mut counter = Counter::open(FakeDesk::with_sales(30), (100, 28));
        counter.keys("a");
        counter.prompt = prompt;
        for step in steps {
            counter.take_step(step);
        }
        let is_saving = |layer: &Layer| matches!(layer, Layer::Form(form) if form.saving);
        if counter.model.layers.iter().any(is_saving) {
            counter.answer();
        }
        let typed = counter.typed();
        counter.tell(Msg::Leave);
        counter.answer();
        let kept: BTreeMap<_, _> = counter.desk.drafts.iter().map(|kept| (kept.no, kept.draft.clone())).collect();
        prop_assert_eq!(kept, typed);
    }

    #[test]
    fn arrivals_and_acks_never_move_the_selection(
        downs in 0_usize..100,
        steps in prop::collection::vec(prop_oneof![Just(Step::Arrival), Just(Step::Import(500)), (1_i64..200).prop_map(Step::Ack), Just(Step::Answer)], 1..60),
        orders in 0_usize..5,
        prompt in any::<bool>(),
    ) {
        let mut counter = Counter::open(FakeDesk::with_sales(150), (80, 24));
        for _ in 0..orders {
            counter.keys("o");
        }
        for _ in 0..downs {
            counter.keys("Down");
        }
        let selected = counter.selected();
        counter.prompt = prompt;
        for step in steps {
            counter.take_step(step);
            counter.wait(200);
            prop_assert_eq!(counter.selected(), selected);
        }
        counter.answer();
        prop_assert!(counter.model.table.place().is_some(), "and it is in the window");
    }

    #[test]
    fn a_scanner_never_changes_a_sale(codes in prop::collection::vec("[ -~]{4,20}", 1..6), opening in prop::sample::select(vec!["Down", "a", "d", "Enter", "/", "f", "t", "?", "l"])) {
        let mut counter = Counter::open(FakeDesk::with_sales(30), (80, 24));
        counter.keys(opening);
        for code in codes {
            counter.scan(&code);
        }
        counter.wait(1_000);
        let changes = |cmd: &Cmd| matches!(cmd, Cmd::SaveSale { .. } | Cmd::SaveEdit { .. } | Cmd::Void { .. } | Cmd::Resolve { .. });
        prop_assert!(!counter.asked.iter().any(changes));
        prop_assert!(!counter.model.quitting);
    }

    #[test]
    fn every_pane_is_read_to_its_end(
        size in prop::sample::select(vec![(40_u16, 10_u16), (40, 12), (60, 20), (100, 28)]),
        opening in prop::sample::select(vec!["Enter", "c", "?", "t", "l"]),
        french in any::<bool>(),
    ) {
        let mut desk = FakeDesk::with_sales(30);
        let held = crate::domain::ids::Revision::new(2).unwrap();
        desk.set_sync(30, SyncState::Conflict { held });
        desk.rows[29].sale.content.product = "RED WOOLLY HOTTIE WHITE HEART OF THE NORTH WITH A HANDLE".into();
        desk.at_hq = Some(desk.rows[0].sale.clone());
        let text = crate::text::Text::named(if french { "fr" } else { "en" }).unwrap();
        let settings = crate::tui::model::Settings { text, ..super::settings() };
        let mut counter = Counter::with(settings, desk, size);
        counter.keys(opening);
        for _ in 0..60 {
            counter.keys("Down");
        }
        let shown = counter.text();
        prop_assert!(!shown.contains(" more below") && !shown.contains("plus bas"), "{}", shown);
    }

    #[test]
    fn every_size_from_1x1_to_250x80_is_drawn(width in 1_u16..=250, height in 1_u16..=80, keys in prop::sample::select(vec!["Down", "l", "/ p", "f", "a p", "e", "d", "Enter", "?", "t"])) {
        let mut counter = Counter::open(FakeDesk::with_sales(50), (width, height));
        counter.keys(keys);
        draw(&counter.model);
    }
}
