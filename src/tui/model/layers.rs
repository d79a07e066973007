//! What can be open over the table, and what each of these knows.

use chrono::{Days, NaiveDate};

use super::board::Asking;
use super::field::Field;
use super::form::Form;
use crate::domain::ids::{Revision, SaleId};
use crate::domain::read::{Filter, Story, Totals};
use crate::domain::sync_state::SyncKind;
use crate::domain::time::parse_day;
use crate::text::Text;
use crate::tui::keymap::Context;

/// How many days a chart shows.
pub const CHART_DAYS: u64 = 14;

/// Something that is open over the table.
#[derive(Debug, Clone)]
pub enum Layer {
    /// The form.
    Form(Box<Form>),
    /// The question before a sale is voided.
    Confirm(Confirm),
    /// A sale's story.
    Story(StoryPane),
    /// The line that is searched for.
    Find(FindBar),
    /// The filter.
    Filter(FilterPane),
    /// The help.
    Help(HelpPane),
    /// The totals.
    Totals(TotalsPane),
    /// The two contents of a conflict.
    Conflict(StoryPane),
}

impl Layer {
    /// Which keys work in it.
    #[must_use]
    pub const fn context(&self) -> Context {
        match self {
            Self::Form(_) => Context::Form,
            Self::Confirm(_) => Context::Confirm,
            Self::Story(_) => Context::Story,
            Self::Find(_) => Context::Find,
            Self::Filter(_) => Context::Filter,
            Self::Help(_) => Context::Help,
            Self::Totals(_) => Context::Totals,
            Self::Conflict(_) => Context::Conflict,
        }
    }
}

/// The question before a sale is voided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirm {
    /// Which sale.
    pub id: SaleId,
    /// The revision that was seen.
    pub from: Revision,
    /// What it is, in a few words.
    pub what: String,
}

/// A sale's story.
#[derive(Debug, Clone)]
pub struct StoryPane {
    /// Which sale.
    pub id: SaleId,
    /// The story, once it has come.
    pub story: Option<Box<Story>>,
    /// How many lines are out of sight above.
    pub scroll: usize,
}

impl StoryPane {
    /// A story that is yet to come.
    #[must_use]
    pub const fn of(id: SaleId) -> Self {
        Self {
            id,
            story: None,
            scroll: 0,
        }
    }
}

/// The line that is searched for.
#[derive(Debug, Clone)]
pub struct FindBar {
    /// The text.
    pub field: Field,
    /// The text that was searched for before, to be put back.
    pub before: String,
    /// The sale that was selected before, to be put back.
    pub selected: Option<SaleId>,
    /// How many rows were in sight above it.
    pub line: usize,
}

/// The filter as it is being chosen.
#[derive(Debug, Clone, Default)]
pub struct FilterPane {
    /// The line with the focus: state, first day, last day, region.
    pub focus: usize,
    /// The state.
    pub state: Option<SyncKind>,
    /// The first day.
    pub from: Field,
    /// The last day.
    pub to: Field,
    /// The region.
    pub region: Field,
    /// Why it can't be applied.
    pub wrong: Option<WrongDays>,
}

/// Why a filter's days are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongDays {
    /// A day can't be read.
    Unreadable,
    /// The first one is after the last one.
    Reversed,
}

impl FilterPane {
    /// How many lines it has.
    pub const LINES: usize = 4;

    /// A pane with what a filter says.
    #[must_use]
    pub fn of(filter: &Filter, text: &Text) -> Self {
        let day = |day: Option<NaiveDate>| Field::of(day.map_or_else(String::new, |day| text.day(day)));
        Self {
            state: filter.state,
            from: day(filter.from),
            to: day(filter.to),
            region: Field::of(filter.region.clone().unwrap_or_default()),
            ..Self::default()
        }
    }

    /// The filter that it says.
    ///
    /// # Errors
    /// When a day can't be read, or when the first one is after the last one.
    pub fn filter(&self, text: &Text) -> Result<Filter, WrongDays> {
        let day = |field: &Field| match field.text().trim() {
            "" => Ok(None),
            typed => {
                let read = text.read_date(typed);
                let day = parse_day(read.get(..10).unwrap_or(&read));
                day.map(Some).ok_or(WrongDays::Unreadable)
            }
        };
        let (from, to) = (day(&self.from)?, day(&self.to)?);
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            return Err(WrongDays::Reversed);
        }
        let region = self.region.text().trim();
        Ok(Filter {
            product: None,
            region: (!region.is_empty()).then(|| region.to_owned()),
            from,
            to,
            state: self.state,
        })
    }

    /// The field with the focus; `None` on the state's line.
    pub const fn focused_mut(&mut self) -> Option<&mut Field> {
        match self.focus {
            1 => Some(&mut self.from),
            2 => Some(&mut self.to),
            3 => Some(&mut self.region),
            _ => None,
        }
    }

    /// Chooses the next or the previous state.
    pub fn turn_state(&mut self, forward: bool) {
        let count = SyncKind::ALL.len() + 1;
        let place = self.state.map_or(0, |state| state as usize + 1);
        let place = (place + if forward { 1 } else { count - 1 }) % count;
        self.state = place.checked_sub(1).map(|place| SyncKind::ALL[place]);
    }
}

/// The help.
#[derive(Debug, Clone)]
pub struct HelpPane {
    /// Where the help was asked for.
    pub context: Context,
    /// What is searched for.
    pub field: Field,
    /// The chosen line.
    pub chosen: usize,
}

/// The totals.
#[derive(Debug, Clone)]
pub struct TotalsPane {
    /// What they are of.
    pub filter: Filter,
    /// The totals, once they have come.
    pub totals: Option<Totals>,
    /// The chart's day: the last one of the days, or the one whose hours are shown.
    pub day: NaiveDate,
    /// Whether hours are shown instead of days.
    pub hours: bool,
    /// Totals by day.
    pub by_day: Vec<(NaiveDate, Totals)>,
    /// Totals by hour of the day.
    pub by_hour: Vec<(u32, Totals)>,
    /// Whether they are being asked for.
    pub asking: Asking,
}

impl TotalsPane {
    /// What the chart is of: what the totals are of, on its days.
    #[must_use]
    pub fn charted(&self) -> Filter {
        let first = if self.hours { self.day } else { self.first_day() };
        Filter {
            from: self.filter.from.max(Some(first)),
            to: Some(self.filter.to.map_or(self.day, |to| to.min(self.day))),
            ..self.filter.clone()
        }
    }

    /// The first day of the chart.
    #[must_use]
    pub fn first_day(&self) -> NaiveDate {
        self.day.checked_sub_days(Days::new(CHART_DAYS - 1)).unwrap_or(self.day)
    }
}
