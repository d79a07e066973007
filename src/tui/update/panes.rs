//! What keys do in the layers that show something: a question, a story, a conflict, the help, the totals.

use chrono::Days;

use super::super::desk::{Choice, Cmd};
use super::super::keymap::Action;
use super::super::model::Model;
use super::super::model::field::Field;
use super::super::model::help::{self, Line};
use super::super::model::layers::{CHART_DAYS, Layer};
use super::super::model::story;
use crate::text::Key;

/// How many lines a page of a story is.
const STORY_PAGE: usize = 8;

impl Model {
    pub(super) fn act_in_confirm(&mut self, action: Action) {
        let Some(Layer::Confirm(confirm)) = self.layers.pop() else {
            return;
        };
        match action {
            Action::Agree => self.send(Cmd::Void {
                id: confirm.id,
                from: confirm.from,
            }),
            Action::Leave => {}
            _ => self.layers.push(Layer::Confirm(confirm)),
        }
    }

    pub(super) fn act_in_story(&mut self, action: Action) {
        let lowest = self.lowest_scroll();
        let Some(Layer::Story(pane)) = self.layers.last_mut() else {
            return;
        };
        let scrolled = match action {
            Action::Up => pane.scroll.min(lowest).saturating_sub(1),
            Action::Down => pane.scroll + 1,
            Action::PageUp => pane.scroll.min(lowest).saturating_sub(STORY_PAGE),
            Action::PageDown => pane.scroll + STORY_PAGE,
            Action::Leave => {
                self.layers.pop();
                return;
            }
            // The story's own sale, wherever the selection has gone meanwhile.
            action => {
                return match pane.story.as_ref().map(|story| story.row.clone()) {
                    Some(row) => self.act_on(&row, action),
                    None => self.mention(Key::HeaderLoading),
                };
            }
        };
        pane.scroll = scrolled.min(lowest);
    }

    /// How far the story or the conflict on top can be scrolled.
    fn lowest_scroll(&self) -> usize {
        let told = |layout| story::told(self, self.layers.last()?, &layout);
        self.layout().and_then(told).map_or(0, |told| told.lowest())
    }

    pub(super) fn act_in_conflict(&mut self, action: Action) {
        let lowest = self.lowest_scroll();
        let Some(Layer::Conflict(pane)) = self.layers.last_mut() else {
            return;
        };
        let id = pane.id;
        let choice = match action {
            Action::TakeHq => Some(Choice::TakeHq),
            Action::KeepMine => Some(Choice::KeepMine),
            Action::Leave => None,
            Action::Up => return pane.scroll = pane.scroll.min(lowest).saturating_sub(1),
            Action::Down => return pane.scroll = (pane.scroll + 1).min(lowest),
            // Every other action belongs to another place and has no key here.
            _ => return,
        };
        self.layers.pop();
        if let Some(choice) = choice {
            self.send(Cmd::Resolve { id, choice });
        }
    }

    pub(super) fn act_in_help(&mut self, action: Action) {
        let Some(Layer::Help(pane)) = self.layers.last() else {
            return;
        };
        let lines = help::lines(self, pane);
        let last = lines.len().saturating_sub(1);
        let chosen = match lines.get(pane.chosen) {
            Some(Line::Keys(binding)) => Some(binding.action),
            Some(Line::Note(..)) | None => None,
        };
        match action {
            Action::Apply => {
                // What is only told has nothing to be done.
                if let Some(action) = chosen {
                    self.layers.pop();
                    if action != Action::Help {
                        self.act(action);
                    }
                }
            }
            Action::Leave => {
                self.layers.pop();
            }
            Action::Up | Action::Down => {
                let step = if action == Action::Down { 1 } else { -1 };
                if let Some(Layer::Help(pane)) = self.layers.last_mut() {
                    pane.chosen = pane.chosen.saturating_add_signed(step).min(last);
                }
            }
            // Every other action belongs to another place and has no key here.
            _ => {}
        }
    }

    pub(super) fn type_in_help(&mut self, typing: impl FnOnce(&mut Field)) {
        let Some(Layer::Help(pane)) = self.layers.last_mut() else {
            return;
        };
        typing(&mut pane.field);
        pane.chosen = 0;
    }

    pub(super) fn act_in_totals(&mut self, action: Action) {
        let Some(Layer::Totals(pane)) = self.layers.last_mut() else {
            return;
        };
        match action {
            Action::Switch => pane.hours = !pane.hours,
            Action::Earlier | Action::Later => {
                let days = Days::new(if pane.hours { 1 } else { CHART_DAYS });
                let moved = if action == Action::Earlier {
                    pane.day.checked_sub_days(days)
                } else {
                    pane.day.checked_add_days(days)
                };
                pane.day = moved.unwrap_or(pane.day);
            }
            Action::Leave => {
                self.layers.pop();
                return;
            }
            // Every other action belongs to another place and has no key here.
            _ => return,
        }
        self.ask_totals();
    }

    /// Asks for what the totals show.
    pub(super) fn ask_totals(&mut self) {
        if self.totals_mut().is_some_and(|pane| pane.asking.want()) {
            self.send_totals_questions();
        }
    }

    /// Asks for the sums and then for the chart: with the chart's answer both have been answered.
    pub(super) fn send_totals_questions(&mut self) {
        let Some(pane) = self.totals_mut() else { return };
        let (filter, charted, hours) = (pane.filter.clone(), pane.charted(), pane.hours);
        self.send(Cmd::LoadTotals(filter));
        self.send(if hours {
            Cmd::LoadHours(charted)
        } else {
            Cmd::LoadDays(charted)
        });
    }
}
