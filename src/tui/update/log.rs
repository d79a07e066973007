//! What keys do in the log. Leaving it, or asking for a sale's log, shows all levels again, so that nothing stays hidden from whoever comes next.

use super::super::keymap::Action;
use super::super::model::Model;
use crate::domain::event::Level;
use crate::domain::ids::SaleId;
use crate::text::Key;

impl Model {
    pub(super) fn act_in_log(&mut self, action: Action) {
        let height = self.layout().map_or(1, |layout| usize::from(layout.log.height));
        let page = isize::try_from(height.saturating_sub(1).max(1)).unwrap_or(1);
        match action {
            Action::Up => self.log.choose(-1, height),
            Action::Down => self.log.choose(1, height),
            Action::PageUp => self.log.choose(-page, height),
            Action::PageDown => self.log.choose(page, height),
            Action::End => self.log.choose(isize::MAX, height),
            Action::Home => self.follow_log(),
            Action::Follow if self.log.held.is_some() => self.follow_log(),
            Action::Follow => self.log.hold(),
            Action::Levels => {
                self.log.level = match self.log.level {
                    Level::Info => Level::Warning,
                    Level::Warning => Level::Problem,
                    Level::Problem => Level::Info,
                };
            }
            Action::ShowAll => self.log.show_all(),
            Action::GoToSale => self.go_to_logged_sale(),
            Action::Leave => self.leave_log(),
            // Every other action belongs to another place and has no key here.
            _ => {}
        }
    }

    /// Opens the log with the lines that concern a sale.
    pub(super) fn open_log_of(&mut self, id: SaleId) {
        self.layers.clear();
        self.log.show_all();
        self.log.of_sale = Some(id);
        self.log_focused = true;
        self.follow_log();
    }

    fn leave_log(&mut self) {
        self.log_focused = false;
        self.log.show_all();
        self.follow_log();
    }

    fn follow_log(&mut self) {
        let missed = self.log.missed;
        self.log.follow();
        if missed {
            self.ask_log();
        }
    }

    fn go_to_logged_sale(&mut self) {
        let place = self.log.chosen_place();
        let sale = self.log.entries().nth(place).and_then(|entry| entry.event.sale());
        let Some(id) = sale else {
            self.mention(Key::NoticeNoOneSale);
            return;
        };
        self.leave_log();
        self.go_to(id);
    }
}
