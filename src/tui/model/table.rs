//! The table of sales: a window of rows around the selection, the filter and the order. The table itself may have millions of rows; it is never counted and never
//! held.

use crate::domain::ids::SaleId;
use crate::domain::read::{Anchor, Filter, Page, PageRequest, SaleRow, Sort, SortKey};

/// The fewest rows that a page brings.
const MIN_PAGE: usize = 60;
/// The most rows that are kept, so that memory stays small on the tallest terminal too.
pub const MAX_WINDOW: usize = 600;

/// What a page that was asked for will do to the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Replace it by the same rows, as they are now.
    Refresh,
    /// Replace it by the top of the table.
    Top,
    /// Replace it by the bottom of the table.
    Bottom,
    /// Replace it by the rows from this sale on, and select it.
    Sale(SaleId),
    /// The same, if the sale is still shown, and put it back on the line on which it stood.
    Back {
        /// Which sale.
        id: SaleId,
        /// How many rows were in sight above it.
        line: usize,
    },
    /// Grow above.
    Above,
    /// Grow below.
    Below,
}

/// Whether a sale is on a page.
fn holds(page: &Page, id: SaleId) -> bool {
    page.rows.iter().any(|row| row.sale.id == id)
}

impl Want {
    /// What replaces the window by another place goes before what renews it, and that before what only grows it.
    const fn rank(self) -> u8 {
        match self {
            Self::Above | Self::Below => 0,
            Self::Refresh => 1,
            Self::Top | Self::Bottom | Self::Sale(_) | Self::Back { .. } => 2,
        }
    }
}

/// The table.
#[derive(Debug, Default)]
pub struct Table {
    /// The rows of the window, from the top downwards.
    pub rows: Vec<SaleRow>,
    /// Whether the table has rows above the window.
    pub more_above: bool,
    /// Whether the table has rows below the window.
    pub more_below: bool,
    /// The first visible row, as a place in the window.
    pub top: usize,
    /// The selected sale.
    pub selected: Option<SaleId>,
    /// Which sales are shown, but for the text that is searched for.
    pub filter: Filter,
    /// The text that is searched for in the product's name.
    pub find: String,
    /// The order.
    pub sort: Sort,
    /// Whether a page has come since the screen began.
    pub loaded: bool,
    /// Why the rows could not be read the last time.
    pub trouble: Option<String>,
    /// The highest id of the table when its top was last in sight.
    pub seen_highest: i64,
    /// A sale that was looked for and isn't shown.
    pub missed: Option<SaleId>,
    /// A page without the selected sale, until it is known whether that is shown elsewhere.
    withheld: Option<Page>,
    /// On which line the selected sale is to be put as soon as there are rows above it.
    line: Option<usize>,
    asked: Option<(u64, Want)>,
    next: Option<Want>,
    last_ticket: u64,
}

impl Table {
    /// The filter and the searched text together.
    #[must_use]
    pub fn shown(&self) -> Filter {
        let find = self.find.trim();
        Filter {
            product: (!find.is_empty()).then(|| find.to_owned()),
            ..self.filter.clone()
        }
    }

    /// The place of the selected sale in the window.
    #[must_use]
    pub fn place(&self) -> Option<usize> {
        let selected = self.selected?;
        self.rows.iter().position(|row| row.sale.id == selected)
    }

    /// The selected row.
    #[must_use]
    pub fn selected_row(&self) -> Option<&SaleRow> {
        self.rows.get(self.place()?)
    }

    /// The rows that fit into so many lines.
    #[must_use]
    pub fn visible(&self, height: usize) -> &[SaleRow] {
        let end = (self.top + height).min(self.rows.len());
        &self.rows[self.top.min(end)..end]
    }

    /// Whether the table's first row is in sight, so that what comes is seen.
    #[must_use]
    pub const fn follows(&self) -> bool {
        !self.more_above && self.top == 0
    }

    /// Whether the newest sales are at the table's top.
    #[must_use]
    pub fn newest_first(&self) -> bool {
        self.sort == Sort::default()
    }

    /// Whether the newest of all sales stand in sight, at the top of the table.
    #[must_use]
    pub fn shows_newest(&self) -> bool {
        self.follows() && self.newest_first() && self.shown().is_empty()
    }

    /// Asks for a page; gives the question if it is to be asked now. One is asked at a time, and one may wait behind it.
    pub fn want(&mut self, want: Want, height: usize) -> Option<(u64, PageRequest)> {
        if let Some((_, asked)) = self.asked {
            let goes_first = self.next.is_none_or(|next| want.rank() >= next.rank());
            if goes_first && !(want == asked && want.rank() == 0) {
                self.next = Some(want);
            }
            return None;
        }
        Some(self.ask(want, height))
    }

    fn ask(&mut self, want: Want, height: usize) -> (u64, PageRequest) {
        self.last_ticket += 1;
        self.asked = Some((self.last_ticket, want));
        let page = (2 * height).max(MIN_PAGE);
        let first = self.rows.first().map(|row| row.sale.id);
        let last = self.rows.last().map(|row| row.sale.id);
        let top = self.rows.get(self.top).map(|row| row.sale.id);
        let (anchor, limit) = match want {
            Want::Top => (Anchor::Top, page),
            Want::Bottom => (Anchor::Bottom, page),
            Want::Sale(id) | Want::Back { id, .. } => (Anchor::At(id), page),
            Want::Refresh if self.follows() => (Anchor::Top, page.max(self.rows.len())),
            Want::Refresh => (top.map_or(Anchor::Top, Anchor::At), page),
            Want::Above => (first.map_or(Anchor::Top, Anchor::Before), page),
            Want::Below => (last.map_or(Anchor::Top, Anchor::After), page),
        };
        let request = PageRequest {
            filter: self.shown(),
            sort: self.sort,
            anchor,
            limit: u32::try_from(limit.min(MAX_WINDOW)).unwrap_or(u32::MAX),
        };
        (self.last_ticket, request)
    }

    /// Forgets what was asked: the filter or the order has changed, and an answer would be about another table.
    pub fn forget_questions(&mut self) {
        self.asked = None;
        self.next = None;
        self.withheld = None;
        self.line = None;
    }

    /// Takes a page. Gives the next question, if one has been waiting. A page that nobody asked for any more changes nothing.
    pub fn take(&mut self, ticket: u64, page: Page, height: usize) -> Option<(u64, PageRequest)> {
        let (_, want) = self.asked.filter(|(asked, _)| *asked == ticket)?;
        self.asked = None;
        self.loaded = true;
        self.trouble = None;
        match want {
            Want::Above => self.grow_above(page, height),
            Want::Below => self.grow_below(page, height),
            Want::Refresh => {
                if let Some(back) = self.lost_by(&page) {
                    self.withheld = Some(page);
                    return Some(self.ask(back, height));
                }
                self.refresh(page, height);
            }
            Want::Back { id, line } => {
                if let Some(again) = self.put_back(page, id, line, height) {
                    return Some(self.ask(again, height));
                }
            }
            Want::Top => self.replace(page, |rows| rows.first().map(|row| row.sale.id), height),
            Want::Bottom => self.replace(page, |rows| rows.last().map(|row| row.sale.id), height),
            Want::Sale(id) if holds(&page, id) => self.replace(page, |_| Some(id), height),
            Want::Sale(id) => {
                self.missed = Some(id);
                self.next.get_or_insert(Want::Refresh);
            }
        }
        let next = self.next.take().or_else(|| self.lacks(height))?;
        Some(self.ask(next, height))
    }

    /// The way back to the selected sale where a page has come without it: it has left what is shown, or more has come above it than a page holds.
    fn lost_by(&self, page: &Page) -> Option<Want> {
        let place = self.place()?;
        let id = self.rows[place].sale.id;
        let line = place.saturating_sub(self.top);
        (!holds(page, id)).then_some(Want::Back { id, line })
    }

    /// Puts the selected sale back on its line; gives what is to be asked now, if the selection has moved meanwhile.
    fn put_back(&mut self, page: Page, id: SaleId, line: usize, height: usize) -> Option<Want> {
        let selected = self.selected.unwrap_or(id);
        if holds(&page, selected) {
            self.withheld = None;
            self.replace(page, |_| Some(selected), height);
            if line > 0 && self.more_above && self.next.is_none() {
                self.line = Some(line);
                self.next = Some(Want::Above);
            }
            return None;
        }
        if selected != id {
            return Some(Want::Back { id: selected, line });
        }
        let withheld = self.withheld.take();
        self.refresh(withheld.unwrap_or(page), height);
        None
    }

    /// What is wanted where lines of the screen would stay empty although the table has rows for them.
    #[must_use]
    pub fn lacks(&self, height: usize) -> Option<Want> {
        if self.more_below && self.rows.len() < self.top + height {
            Some(Want::Below)
        } else if self.more_above && self.rows.is_empty() {
            Some(Want::Bottom)
        } else if self.more_above && self.rows.len() < height {
            Some(Want::Above)
        } else {
            None
        }
    }

    /// Takes note that a page could not be read.
    pub fn fail(&mut self, why: String) {
        self.forget_questions();
        self.trouble = Some(why);
    }

    fn replace(&mut self, page: Page, select: impl FnOnce(&[SaleRow]) -> Option<SaleId>, height: usize) {
        self.selected = select(&page.rows);
        self.rows = page.rows;
        (self.more_above, self.more_below) = (page.more_above, page.more_below);
        self.top = 0;
        self.show_selected(height);
    }

    fn refresh(&mut self, page: Page, height: usize) {
        let follows = self.follows();
        let old_place = self.place().unwrap_or(0);
        let on_screen = old_place.saturating_sub(self.top);
        let old_rows = std::mem::replace(&mut self.rows, page.rows);
        (self.more_above, self.more_below) = (page.more_above, page.more_below);
        if let Some(place) = self.place() {
            self.top = if follows { 0 } else { place.saturating_sub(on_screen) };
        } else {
            // The sale is not shown any more: its neighbour below, else above, that is still there.
            let still = |row: &&SaleRow| self.rows.iter().any(|now| now.sale.id == row.sale.id);
            let below = old_rows.iter().skip(old_place).find(still);
            let neighbour = below.or_else(|| old_rows.iter().take(old_place).rev().find(still));
            self.selected = neighbour.or_else(|| self.rows.first()).map(|row| row.sale.id);
            self.top = self.place().unwrap_or(0).saturating_sub(on_screen);
        }
        self.show_selected(height);
    }

    fn grow_above(&mut self, page: Page, height: usize) {
        self.more_above = page.more_above;
        let added = page.rows.len();
        self.rows.splice(0..0, page.rows);
        self.top += added;
        if let (Some(line), Some(place)) = (self.line.take(), self.place()) {
            self.top = place.saturating_sub(line);
        }
        let too_many = self.rows.len().saturating_sub(MAX_WINDOW);
        if too_many > 0 {
            self.rows.truncate(MAX_WINDOW);
            self.more_below = true;
        }
        self.show_selected(height);
    }

    fn grow_below(&mut self, page: Page, height: usize) {
        self.more_below = page.more_below;
        self.rows.extend(page.rows);
        let too_many = self.rows.len().saturating_sub(MAX_WINDOW);
        // What is visible is never dropped.
        let dropped = too_many.min(self.top);
        if dropped > 0 {
            self.rows.drain(..dropped);
            self.top -= dropped;
            self.more_above = true;
        }
        self.show_selected(height);
    }

    /// Scrolls as little as is needed to have the selected row in sight, and no line empty that a row could have.
    pub fn show_selected(&mut self, height: usize) {
        let height = height.max(1);
        if let Some(place) = self.place() {
            self.top = self.top.min(place).max((place + 1).saturating_sub(height));
        }
        self.top = self.top.min(self.rows.len().saturating_sub(height));
    }

    /// Moves the selection within the window; gives what is wanted if the window is about to end.
    pub fn step(&mut self, by: isize, height: usize) -> Option<Want> {
        let last = self.rows.len().checked_sub(1)?;
        self.line = None;
        let place = self.place().unwrap_or(self.top).saturating_add_signed(by).min(last);
        self.selected = Some(self.rows[place].sale.id);
        self.show_selected(height);
        if by < 0 && self.more_above && self.top < height {
            Some(Want::Above)
        } else if by > 0 && self.more_below && last - place < 2 * height {
            Some(Want::Below)
        } else {
            None
        }
    }

    /// Orders by the next column, as that column is mostly read.
    pub fn sort_by_next(&mut self) {
        let key = match self.sort.key {
            SortKey::Id => SortKey::Date,
            SortKey::Date => SortKey::Product,
            SortKey::Product => SortKey::Total,
            SortKey::Total => SortKey::State,
            SortKey::State => SortKey::Id,
        };
        self.sort = Sort {
            key,
            descending: key != SortKey::Product,
        };
    }
}
