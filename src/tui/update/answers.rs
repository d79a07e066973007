//! What the executor's answers change. An answer to a question that nobody asks any more changes nothing.

use super::super::desk::{Answer, ChangeProblem, Cmd, Question};
use super::super::keymap::{Action, Context};
use super::super::model::board::Asking;
use super::super::model::drafts::Waiting;
use super::super::model::layers::Layer;
use super::super::model::table::Want;
use super::super::model::{Model, Suspension};
use crate::domain::ids::SaleId;
use crate::domain::read::{KeptDraft, Page, Story};
use crate::domain::sale::Sale;
use crate::text::Key;

/// How long what is shown may be older than what is known while changes come one after the other, in milliseconds.
const REFRESH_MS: u64 = 100;
/// The same over a slow line, where nothing is drawn more often anyway.
const REMOTE_REFRESH_MS: u64 = 1_000;

impl Model {
    pub(super) fn on_answer(&mut self, answer: Answer) {
        match answer {
            Answer::Changed => self.refresh_soon(),
            Answer::Status(status) => {
                self.board.take(self.now.tick, *status);
                self.note_top();
                if self.board.asking.answered() {
                    self.send(Cmd::LoadStatus);
                }
            }
            Answer::Page { ticket, page } => self.on_page(ticket, page),
            Answer::Log { after, lines } => {
                self.log.take(after, lines);
                if self.log.asking.answered() {
                    self.send_log_question();
                }
            }
            Answer::Totals(..) | Answer::Days(..) | Answer::Hours(..) => self.on_totals(answer),
            Answer::Story(id, story) => self.on_story(id, story.as_deref()),
            Answer::Products(typed, products) => self.on_products(&typed, products),
            Answer::Code(code, found) => self.on_code(&code, found),
            Answer::LastSale(sale) => self.on_last_sale(sale.as_deref()),
            Answer::Saved(result) => self.on_saved(result),
            Answer::Voided(id, result) => self.on_changed(id, result, Key::NoticeVoided),
            Answer::Resolved(id, result) => self.on_changed(id, result, Key::NoticeResolved),
            Answer::Retried(result) => self.on_retried(result),
            Answer::DraftKept(result) => self.on_draft_kept(result),
            Answer::Drafts(drafts) => self.on_drafts(drafts),
            Answer::Worker(place) => self.board.worker = Some(place),
            Answer::DataUsed(used) => self.board.data_used = used,
            Answer::Suspended => {
                if self.suspension == Suspension::Asked {
                    self.suspension = Suspension::Ready;
                }
            }
            Answer::Trouble(question, why) => self.on_trouble(question, why),
        }
    }

    /// Asks anew for what is shown, but not at every one of many changes.
    fn refresh_soon(&mut self) {
        let pause = if self.settings.remote {
            REMOTE_REFRESH_MS
        } else {
            REFRESH_MS
        };
        let due = self.refreshed_at.map(|at| at.plus(pause));
        match due.filter(|due| *due > self.now.tick) {
            Some(due) => self.refresh_due = Some(due),
            None => self.refresh_all(),
        }
    }

    /// Asks anew for everything that is shown.
    pub(super) fn refresh_all(&mut self) {
        self.refreshed_at = Some(self.now.tick);
        self.refresh_due = None;
        self.ask_status();
        self.want(Want::Refresh);
        self.ask_log();
        let open = self.layers.iter().find_map(|layer| match layer {
            Layer::Story(pane) | Layer::Conflict(pane) => Some(pane.id),
            _ => None,
        });
        if let Some(id) = open {
            self.send(Cmd::LoadStory(id));
        }
        self.ask_totals();
    }

    fn on_page(&mut self, ticket: u64, page: Page) {
        let height = self.table_height();
        if let Some((ticket, request)) = self.table.take(ticket, page, height) {
            self.send(Cmd::LoadPage { ticket, request });
        }
        if let Some(id) = self.table.missed.take() {
            self.notify_about(Key::NoticeNoSuchNumber, id);
        }
        self.note_top();
    }

    fn on_totals(&mut self, answer: Answer) {
        let Some(pane) = self.totals_mut() else { return };
        match answer {
            Answer::Totals(filter, totals) => {
                if filter == pane.filter {
                    pane.totals = Some(totals);
                }
                return;
            }
            Answer::Days(filter, days) if !pane.hours && filter == pane.charted() => pane.by_day = days,
            Answer::Hours(filter, hours) if pane.hours && filter == pane.charted() => pane.by_hour = hours,
            // It answers what nobody asks any more: another filter, another day.
            _ => {}
        }
        if pane.asking.answered() {
            self.send_totals_questions();
        }
    }

    fn on_story(&mut self, id: SaleId, story: Option<&Story>) {
        for layer in &mut self.layers {
            if let Layer::Story(pane) | Layer::Conflict(pane) = layer
                && pane.id == id
            {
                pane.story = story.cloned().map(Box::new);
            }
        }
    }

    fn on_changed(&mut self, id: SaleId, result: Result<Box<Sale>, ChangeProblem>, done: Key) {
        match result {
            Ok(_) => self.notify_about(done, id),
            Err(ChangeProblem::Moved(now)) => self.notify_about(Key::NoticeMovedLook, now.id),
            Err(ChangeProblem::AlreadyVoid) => self.notify_about(Key::NoticeIsVoid, id),
            Err(ChangeProblem::NoSuchSale) => self.notify_about(Key::NoticeNoSuchNumber, id),
            Err(ChangeProblem::Database(why)) => self.complain_of_database(&why),
        }
        self.refresh_all();
    }

    fn on_retried(&mut self, result: Result<u64, String>) {
        match result {
            Ok(sales) => self.notify(self.settings.text.say(Key::NoticeRetried, &[("n", sales.into())])),
            Err(why) => self.complain_of_database(&why),
        }
        self.refresh_all();
    }

    fn complain_of_database(&mut self, why: &str) {
        self.complain(self.settings.text.say(Key::NoticeDatabase, &[("why", why.into())]));
    }

    /// A dead screen's drafts are offered, not forced upon anybody: they wait below what is typed here meanwhile.
    fn on_drafts(&mut self, drafts: Vec<KeptDraft>) {
        let Some(newest) = drafts.last() else { return };
        let text = &self.settings.text;
        let at = text.moment((self.settings.local)(newest.at));
        let (new, edit) = [Action::NewSale, Action::Edit]
            .map(|action| self.settings.keymap.key_for(Context::Table, action))
            .into();
        let said = match (drafts.len(), newest.editing) {
            (1, None) => text.say(Key::NoticeDraftOffered, &[("at", (&at).into()), ("key", (&new).into())]),
            (1, Some((id, _))) => text.fill(
                Key::NoticeEditOffered,
                [("at", &*at), ("id", &id.to_string()), ("key", &edit)],
            ),
            (count, _) => {
                let count = u64::try_from(count).unwrap_or(u64::MAX);
                let values = [("n", count.into()), ("new", (&new).into()), ("edit", (&edit).into())];
                text.say(Key::NoticeDraftsOffered, &values)
            }
        };
        let waiting = drafts.into_iter().map(|kept| Waiting {
            no: kept.no,
            draft: kept.draft,
            editing: kept.editing,
            scanned: false,
        });
        self.drafts.waiting.splice(0..0, waiting);
        self.notify(said);
    }

    fn on_trouble(&mut self, question: Question, why: String) {
        match question {
            Question::Status => {
                self.board.trouble = Some(why);
                self.board.asking = Asking::Idle;
            }
            Question::Page => self.table.fail(why),
            Question::Log => self.log.asking = Asking::Idle,
            Question::Code => {
                self.on_code_trouble();
                self.complain_of_database(&why);
            }
            Question::Totals => {
                if let Some(pane) = self.totals_mut() {
                    pane.asking = Asking::Idle;
                }
                self.complain_of_database(&why);
            }
            Question::Other => {
                // It may have been a completion, which is asked for again with the next key.
                self.completing = Asking::Idle;
                self.complain_of_database(&why);
            }
        }
    }
}
