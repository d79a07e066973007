//! What keys do in the table, and in the two tools that narrow it: find and filter. What they do in the log is in [`super::log`].

use chrono::NaiveDate;

use super::super::desk::Cmd;
use super::super::keymap::Action;
use super::super::model::Model;
use super::super::model::board::Asking;
use super::super::model::field::Field;
use super::super::model::layers::{CHART_DAYS, Confirm, FilterPane, FindBar, Layer, StoryPane, TotalsPane};
use super::super::model::table::Want;
use crate::domain::ids::SaleId;
use crate::domain::read::{Filter, SaleRow};
use crate::domain::sync_state::SyncKind;
use crate::text::Key;

impl Model {
    pub(super) fn act_in_table(&mut self, action: Action) {
        let page = isize::try_from(self.table_height().saturating_sub(1).max(1)).unwrap_or(1);
        match action {
            Action::Up => self.step(-1),
            Action::Down => self.step(1),
            Action::PageUp => self.step(-page),
            Action::PageDown => self.step(page),
            Action::Home => self.want(Want::Top),
            Action::End => self.want(Want::Bottom),
            Action::NewSale => self.open_new(),
            Action::RepeatSale => self.send(Cmd::LoadLastSale),
            Action::Find => self.open_find(),
            Action::Filter => {
                let chosen = FilterPane::of(&self.table.filter, &self.settings.text);
                self.layers.push(Layer::Filter(chosen));
            }
            Action::ShowAll => self.show(Filter::default(), String::new()),
            Action::Sort => {
                self.table.sort_by_next();
                self.reorder();
            }
            Action::Reverse => {
                self.table.sort.descending = !self.table.sort.descending;
                self.reorder();
            }
            Action::RetryAll => self.send(Cmd::RetryAll(self.table.shown())),
            Action::SyncNow => {
                self.send(Cmd::SyncNow);
                self.mention(Key::NoticeSyncNow);
            }
            Action::Log => self.log_focused = true,
            Action::Totals => self.open_totals(),
            action => match self.table.selected_row().cloned() {
                Some(row) => self.act_on(&row, action),
                None => self.mention(Key::NoticeNoSale),
            },
        }
    }

    /// What can be done with one sale: the selected one in the table, the one that is told about in its story.
    pub(super) fn act_on(&mut self, row: &SaleRow, action: Action) {
        match action {
            Action::Open => {
                self.layers.push(Layer::Story(StoryPane::of(row.sale.id)));
                self.send(Cmd::LoadStory(row.sale.id));
            }
            Action::Edit | Action::Void if row.sale.is_void() => self.notify_about(Key::NoticeIsVoid, row.sale.id),
            Action::Edit => self.open_edit(&row.sale),
            Action::Void => self.confirm_void(row),
            Action::Retry if row.sync.kind() == SyncKind::Rejected => self.send(Cmd::Retry(row.sale.id)),
            Action::Retry => self.notify_about(Key::NoticeNotRefused, row.sale.id),
            Action::Resolve if row.sync.kind() == SyncKind::Conflict => {
                self.layers.push(Layer::Conflict(StoryPane::of(row.sale.id)));
                self.send(Cmd::LoadStory(row.sale.id));
            }
            Action::Resolve => self.notify_about(Key::NoticeNoConflict, row.sale.id),
            Action::LogOfSale => self.open_log_of(row.sale.id),
            // Every other action belongs to another place and has no key here.
            _ => {}
        }
    }

    fn confirm_void(&mut self, row: &SaleRow) {
        let (sale, text) = (&row.sale, &self.settings.text);
        let what = format!(
            "{}  {} {} {}  {}",
            sale.content.product,
            text.count(sale.content.qty.into()),
            self.settings.theme.glyphs.times,
            text.money(sale.content.cost),
            text.money(sale.content.total()),
        );
        self.layers.push(Layer::Confirm(Confirm {
            id: sale.id,
            from: sale.revision,
            what,
        }));
    }

    pub(super) fn notify_about(&mut self, key: Key, id: SaleId) {
        self.notify(self.settings.text.fill(key, [("id", &id.to_string())]));
    }

    fn step(&mut self, by: isize) {
        let height = self.table_height();
        if let Some(want) = self.table.step(by, height) {
            self.want(want);
        }
        self.note_top();
    }

    /// Takes note of what is new while the newest sales are in sight.
    pub(super) fn note_top(&mut self) {
        if let (true, Some(newest)) = (self.table.shows_newest(), self.table.rows.first()) {
            self.table.seen_highest = newest.sale.id.get();
        }
    }

    /// Asks for the table anew, with the selected sale where it is now.
    fn reorder(&mut self) {
        self.table.forget_questions();
        self.want(self.table.selected.map_or(Want::Top, Want::Sale));
    }

    /// Shows other sales.
    pub(super) fn show(&mut self, filter: Filter, find: String) {
        if (&filter, &find) == (&self.table.filter, &self.table.find) {
            return;
        }
        let all = filter.is_empty() && find.is_empty();
        (self.table.filter, self.table.find) = (filter, find);
        self.table.forget_questions();
        let selected = self.table.selected.filter(|_| all);
        self.want(selected.map_or(Want::Top, Want::Sale));
    }

    /// Goes to a sale among all sales.
    pub(super) fn go_to(&mut self, id: SaleId) {
        self.table.filter = Filter::default();
        self.table.find.clear();
        self.table.forget_questions();
        self.want(Want::Sale(id));
    }

    fn open_find(&mut self) {
        let before = self.table.find.clone();
        let place = self.table.place();
        self.layers.push(Layer::Find(FindBar {
            field: Field::of(before.clone()),
            before,
            selected: self.table.selected,
            line: place.map_or(0, |place| place.saturating_sub(self.table.top)),
        }));
    }

    /// Leaves the search: what was shown before is shown again, and the sale that was selected is selected on its line.
    fn leave_find(&mut self) {
        let Some(Layer::Find(bar)) = self.layers.pop() else {
            return;
        };
        let is_as_before = (&self.table.find, self.table.selected) == (&bar.before, bar.selected);
        if is_as_before {
            return;
        }
        self.table.find = bar.before;
        self.table.forget_questions();
        self.table.selected = bar.selected;
        self.want(match bar.selected {
            Some(id) => Want::Back { id, line: bar.line },
            None => Want::Top,
        });
    }

    pub(super) fn act_in_find(&mut self, action: Action) {
        match action {
            Action::Up => self.step(-1),
            Action::Down => self.step(1),
            Action::Apply => {
                let Some(Layer::Find(bar)) = self.layers.pop() else {
                    return;
                };
                let number = bar.field.text().trim().trim_start_matches('#').parse().ok();
                if let Some(id) = number.and_then(SaleId::new) {
                    // A number is a sale's number.
                    self.go_to(id);
                }
            }
            Action::Leave => self.leave_find(),
            // Every other action belongs to another place and has no key here.
            _ => {}
        }
    }

    pub(super) fn type_in_find(&mut self, typing: impl FnOnce(&mut Field)) {
        let Some(Layer::Find(bar)) = self.layers.last_mut() else {
            return;
        };
        typing(&mut bar.field);
        let typed = bar.field.text().trim().to_owned();
        // While a number is typed, nothing is narrowed: it is gone to in the end.
        let number = typed.trim_start_matches('#').parse::<i64>().is_ok();
        let find = if number { bar.before.clone() } else { typed };
        self.show(self.table.filter.clone(), find);
    }

    pub(super) fn act_in_filter(&mut self, action: Action) {
        let Some(Layer::Filter(pane)) = self.layers.last_mut() else {
            return;
        };
        match action {
            Action::Next => pane.focus = (pane.focus + 1) % FilterPane::LINES,
            Action::Previous => pane.focus = (pane.focus + FilterPane::LINES - 1) % FilterPane::LINES,
            Action::Earlier | Action::Later => {
                let forward = action == Action::Later;
                match pane.focused_mut() {
                    Some(field) => field.go(forward),
                    None => pane.turn_state(forward),
                }
            }
            Action::Discard => *pane = FilterPane::default(),
            Action::Apply => match pane.filter(&self.settings.text) {
                Ok(filter) => {
                    self.layers.pop();
                    self.show(filter, self.table.find.clone());
                }
                Err(wrong) => pane.wrong = Some(wrong),
            },
            Action::Leave => {
                self.layers.pop();
            }
            // Every other action belongs to another place and has no key here.
            _ => {}
        }
    }

    pub(super) fn type_in_filter(&mut self, typing: impl FnOnce(&mut Field)) {
        let Some(Layer::Filter(pane)) = self.layers.last_mut() else {
            return;
        };
        pane.wrong = None;
        match pane.focused_mut() {
            Some(field) => typing(field),
            None => pane.turn_state(true),
        }
    }

    fn open_totals(&mut self) {
        let pane = TotalsPane {
            filter: self.table.shown(),
            totals: None,
            day: self.charted_day(),
            hours: false,
            by_day: Vec::new(),
            by_hour: Vec::new(),
            asking: Asking::Idle,
        };
        self.layers.push(Layer::Totals(pane));
        self.ask_totals();
    }

    /// The day on which a chart ends: the selected sale's where that is longer ago than a chart shows, else today.
    fn charted_day(&self) -> NaiveDate {
        let today = self.local_now().date();
        let selected = self.table.selected_row().map(|row| row.sale.content.date.date());
        let is_old = |day: &NaiveDate| (today - *day).num_days() >= i64::try_from(CHART_DAYS).unwrap_or(0);
        selected.filter(is_old).unwrap_or(today)
    }
}
