//! Executes what the screen asks for, against the branch's database, on a thread of its own: the screen never waits for a disk.
//!
//! Commands are carried out one after the other, each in a transaction of its own; what the person should see of an error is put into words here,
//! in the screen's language; what an engineer should see of it goes to the log file. The clerk also looks for what other programs write, for the sync service
//! of this program as well.

use tokio::sync::{mpsc, oneshot, watch};

use super::waiting;
use crate::clock;
use crate::domain::read::KeptDraft;
use crate::domain::sale::Sale;
use crate::domain::trouble::{DatabaseTrouble, with_causes};
use crate::store::StoreError;
use crate::store::branch::{BranchDb, ChangeError, Choice as StoreChoice};
use crate::sync::service::{Nudge, STALE_MS};
use crate::text::Text;
use crate::tui::desk::{Answer, ChangeProblem, Choice, Clerk as Ends, Cmd, MAX_PRODUCTS, Question, WorkerPlace};

/// How often the database is looked at for what other programs wrote, in milliseconds.
const LOOK_MS: u64 = 1_000;

/// What the executor works with.
pub(super) struct Clerk {
    /// A connection of its own.
    pub(super) db: BranchDb,
    /// The screen's name, to which its drafts belong.
    pub(super) screen: String,
    /// The number of the draft that could not be saved the last time.
    pub(super) unsaved: Option<i64>,
    /// The language of what the screen is told.
    pub(super) text: Text,
    /// The sync service of this program.
    pub(super) nudges: Option<mpsc::UnboundedSender<Nudge>>,
    /// Changes when that service has written to the database.
    pub(super) changed: Option<watch::Receiver<u64>>,
    /// Whether another screen is still there.
    pub(super) is_alive: fn(&str) -> bool,
}

/// What ends a wait before its time.
enum Woken {
    /// The screen wants something, or has ended.
    Asked(Option<Cmd>),
    /// The sync service has written.
    News,
}

impl Clerk {
    /// Serves the screen until it has ended and what it left to be written is written, on a thread that may block.
    pub(super) fn serve(mut self, ends: Ends) {
        let Ends { mut commands, answers } = ends;
        let mut changed = self.changed.take();
        let mut seen = Ok(0);
        let mut look_at = clock::tick().plus(LOOK_MS);
        loop {
            let woken = waiting::until(look_at, async {
                tokio::select! {
                    biased;
                    command = commands.recv() => Woken::Asked(command),
                    () = news(&mut changed) => Woken::News,
                }
            });
            let wanted = match woken {
                // Nobody sees any more what it would show.
                Some(Woken::Asked(Some(command))) if answers.is_closed() && !command.outlives_screen() => Vec::new(),
                Some(Woken::Asked(Some(command))) => self.carry_out(command),
                Some(Woken::Asked(None)) => return,
                Some(Woken::News) => self.look(&mut seen),
                None => {
                    look_at = clock::tick().plus(LOOK_MS);
                    self.look(&mut seen)
                }
            };
            for answer in wanted {
                // A screen that has ended hears no answer, but may have left more to be written.
                if answers.blocking_send(answer).is_err() {
                    break;
                }
            }
        }
    }

    /// Looks whether somebody has written. That it can't be seen is told again and again, but logged once.
    fn look(&mut self, seen: &mut Result<i64, DatabaseTrouble>) -> Vec<Answer> {
        let version = self.db.data_version();
        let now = version.as_ref().map_err(StoreError::trouble).copied();
        let is_news = std::mem::replace(seen, now) != now;
        match version {
            Ok(_) if is_news => {
                self.nudge(Nudge::Look);
                vec![Answer::Changed]
            }
            Ok(_) => Vec::new(),
            Err(error) if is_news => vec![Answer::Trouble(Question::Status, sentence(&self.text, &error))],
            Err(error) => {
                let said = self.text.database_trouble(error.trouble());
                vec![Answer::Trouble(Question::Status, said.to_owned())]
            }
        }
    }

    /// One line for each command: what it calls, and what the screen hears.
    fn carry_out(&mut self, command: Cmd) -> Vec<Answer> {
        let now = clock::wall();
        let db = &mut self.db;
        let screen = self.screen.as_str();
        let text = &self.text;
        let answer = match command {
            Cmd::LoadStatus => return self.status(),
            Cmd::LoadPage { ticket, request } => told(text, Question::Page, db.page(&request), |page| Answer::Page {
                ticket,
                page,
            }),
            Cmd::LoadTotals(filter) => told(text, Question::Totals, db.totals(&filter), |totals| {
                Answer::Totals(filter, totals)
            }),
            Cmd::LoadDays(filter) => {
                let days = db.days(&filter);
                told(text, Question::Totals, days, |days| Answer::Days(filter, days))
            }
            Cmd::LoadHours(filter) => {
                let hours = db.hours(&filter);
                told(text, Question::Totals, hours, |hours| Answer::Hours(filter, hours))
            }
            Cmd::LoadStory(id) => told(text, Question::Other, db.story(id), |story| {
                Answer::Story(id, story.map(Box::new))
            }),
            Cmd::LoadProducts(typed) => {
                let found = db.products(&typed, MAX_PRODUCTS);
                told(text, Question::Other, found, |products| {
                    Answer::Products(typed, products)
                })
            }
            Cmd::FindCode(code) => {
                let found = db.product_by_code(&code);
                told(text, Question::Code, found, |product| Answer::Code(code, product))
            }
            Cmd::LoadLastSale => told(text, Question::Other, db.last_sale(), |sale| {
                Answer::LastSale(sale.map(Box::new))
            }),
            Cmd::LoadLog { after, limit } => {
                let lines = match after {
                    Some(seq) => db.log_after(seq, limit),
                    None => db.log_tail(limit),
                };
                told(text, Question::Log, lines, |lines| Answer::Log { after, lines })
            }
            Cmd::SaveSale { no, content } => {
                let saved = db.save_sale(&content, Some((screen, no)), now);
                self.unsaved = saved.is_err().then_some(no);
                Answer::Saved(changed(text, saved.map_err(ChangeError::from)))
            }
            Cmd::SaveEdit { no, id, from, content } => {
                let saved = db.save_edit(id, from, &content, Some((screen, no)), now);
                self.unsaved = saved.is_err().then_some(no);
                Answer::Saved(changed(text, saved))
            }
            Cmd::Void { id, from } => Answer::Voided(id, changed(text, db.void_sale(id, from, now))),
            Cmd::Retry(id) => Answer::Retried(in_words(text, db.retry(id, now)).map(u64::from)),
            Cmd::RetryAll(filter) => Answer::Retried(in_words(text, db.retry_all(&filter, now))),
            Cmd::Resolve { id, choice } => Answer::Resolved(id, changed(text, db.resolve(id, way_out(choice), now))),
            Cmd::KeepUnsaved { no, .. } if self.unsaved != Some(no) => Answer::DraftKept(Ok(())),
            Cmd::KeepDraft { no, draft, editing } | Cmd::KeepUnsaved { no, draft, editing } => {
                let kept = KeptDraft {
                    screen: screen.to_owned(),
                    no,
                    draft,
                    editing,
                    at: now,
                };
                Answer::DraftKept(in_words(text, db.keep_draft(&kept)))
            }
            Cmd::DropDraft(no) => Answer::DraftKept(in_words(text, db.drop_draft(screen, no))),
            Cmd::AdoptDrafts => {
                let found = db.adopt_drafts(&self.is_alive, screen);
                told(text, Question::Other, found, Answer::Drafts)
            }
            Cmd::SyncNow => {
                self.nudge(Nudge::SyncNow);
                return Vec::new();
            }
            Cmd::Resume => {
                self.nudge(Nudge::Resume);
                return Vec::new();
            }
            Cmd::Suspend => {
                self.suspend();
                Answer::Suspended
            }
        };
        let wrote = matches!(
            answer,
            Answer::Saved(Ok(_)) | Answer::Voided(_, Ok(_)) | Answer::Resolved(_, Ok(_)) | Answer::Retried(Ok(_))
        );
        if wrote {
            self.nudge(Nudge::SalesWaiting);
            return vec![answer, Answer::Changed];
        }
        vec![answer]
    }

    fn status(&mut self) -> Vec<Answer> {
        let stands = self.db.status();
        match stands.and_then(|status| Ok((status, self.db.data_used(clock::local().date())?))) {
            Ok((status, used)) => {
                let here = std::process::id();
                let fresh = status.worker.filter(|stamp| clock::wall().since(stamp.at) <= STALE_MS);
                let place = match fresh {
                    Some(stamp) if stamp.pid == here => WorkerPlace::Here,
                    Some(stamp) => WorkerPlace::Elsewhere { pid: stamp.pid },
                    None => WorkerPlace::Nowhere,
                };
                vec![
                    Answer::Status(Box::new(status)),
                    Answer::Worker(place),
                    Answer::DataUsed(used),
                ]
            }
            Err(error) => vec![Answer::Trouble(Question::Status, sentence(&self.text, &error))],
        }
    }

    fn nudge(&self, nudge: Nudge) {
        if let Some(nudges) = &self.nudges {
            // A service that has ended needs no nudge.
            let _ = nudges.send(nudge);
        }
    }

    fn suspend(&self) {
        let (done, released) = oneshot::channel();
        self.nudge(Nudge::Suspend(done));
        // A service that has ended holds nothing that could be given up.
        let _ = released.blocking_recv();
    }
}

/// Waits until the sync service has written; a service that has ended writes no more.
async fn news(writes: &mut Option<watch::Receiver<u64>>) {
    let ended = match writes {
        Some(written) => written.changed().await.is_err(),
        None => std::future::pending().await,
    };
    if ended {
        *writes = None;
    }
}

fn told<T>(text: &Text, question: Question, found: Result<T, StoreError>, say: impl FnOnce(T) -> Answer) -> Answer {
    match found {
        Ok(found) => say(found),
        Err(error) => Answer::Trouble(question, sentence(text, &error)),
    }
}

fn in_words<T>(text: &Text, done: Result<T, StoreError>) -> Result<T, String> {
    done.map_err(|error| sentence(text, &error))
}

fn changed(text: &Text, done: Result<Sale, ChangeError>) -> Result<Box<Sale>, ChangeProblem> {
    done.map(Box::new).map_err(|error| match error {
        ChangeError::Moved { now } => ChangeProblem::Moved(now),
        ChangeError::AlreadyVoid(_) => ChangeProblem::AlreadyVoid,
        ChangeError::NoSuchSale(_) => ChangeProblem::NoSuchSale,
        ChangeError::Store(error) => ChangeProblem::Database(sentence(text, &error)),
    })
}

const fn way_out(choice: Choice) -> StoreChoice {
    match choice {
        Choice::TakeHq => StoreChoice::TakeHq,
        Choice::KeepMine => StoreChoice::KeepMine,
    }
}

/// Why the database would not, for the screen; the error and what it came from, for the log file.
fn sentence(text: &Text, error: &StoreError) -> String {
    tracing::warn!(error = %with_causes(error), "the database would not do what the screen asked for");
    text.database_trouble(error.trouble()).to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;
    use crate::domain::draft::Draft;
    use crate::domain::event::LogEvent;
    use crate::domain::ids::{BranchCode, SaleId};
    use crate::store::branch::fixture::lantern;
    use crate::tui::desk::{self, Desk};

    /// A database, with a connection to it that another program might have.
    struct Shop {
        other: BranchDb,
        path: PathBuf,
        _folder: TempDir,
    }

    impl Shop {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (path, branch) = (folder.path().join("shop.db"), BranchCode::parse("TUNIS-01").unwrap());
            Self {
                other: BranchDb::create(&path, &branch, clock::random(), clock::wall()).unwrap(),
                path,
                _folder: folder,
            }
        }

        fn clerk(&self) -> Clerk {
            Clerk {
                db: BranchDb::open(&self.path, None).unwrap(),
                screen: "a-screen".into(),
                unsaved: None,
                text: Text::english(),
                nudges: None,
                changed: None,
                is_alive: |_| true,
            }
        }

        fn write(&mut self) {
            self.other.log(LogEvent::LinkUp, clock::wall()).unwrap();
        }
    }

    async fn soon<T>(event: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(60), event).await.unwrap()
    }

    #[test]
    fn what_the_database_refuses_is_said_in_the_screens_language() {
        let shop = Shop::new();
        let text = Text::named("fr").unwrap();
        let mut clerk = Clerk {
            db: BranchDb::open_read_only(&shop.path, None).unwrap(),
            text: text.clone(),
            ..shop.clerk()
        };
        let why = text.database_trouble(DatabaseTrouble::ReadOnly).to_owned();
        assert!(why.starts_with("la base est en lecture seule"));
        let saved = clerk.carry_out(Cmd::SaveSale {
            no: 1,
            content: lantern(),
        });
        assert_eq!(saved, [Answer::Saved(Err(ChangeProblem::Database(why.clone())))]);
        let dropped = clerk.carry_out(Cmd::KeepDraft {
            no: 1,
            draft: Draft::default(),
            editing: None,
        });
        assert_eq!(dropped, [Answer::DraftKept(Err(why))]);
        let gone = clerk.carry_out(Cmd::Retry(SaleId::new(1).unwrap()));
        assert!(
            matches!(gone.as_slice(), [Answer::Retried(Err(why))] if why.starts_with("la base")),
            "{gone:?}"
        );
    }

    #[test]
    fn what_was_typed_last_is_written_though_the_screen_hears_no_answer_any_more() {
        let mut shop = Shop::new();
        let (nudges, mut heard) = mpsc::unbounded_channel();
        let clerk = Clerk {
            nudges: Some(nudges),
            ..shop.clerk()
        };
        let (Desk { commands, answers }, ends) = desk::desk();
        let typed = |product: &str| Draft {
            product: product.into(),
            ..Draft::default()
        };
        for command in [
            Cmd::LoadStatus,
            Cmd::SyncNow,
            Cmd::SaveSale {
                no: 1,
                content: lantern(),
            },
            Cmd::KeepUnsaved {
                no: 1,
                draft: typed("LAMP"),
                editing: None,
            },
            Cmd::KeepDraft {
                no: 2,
                draft: typed("VA"),
                editing: None,
            },
        ] {
            commands.try_send(command).unwrap();
        }
        drop((commands, answers));
        clerk.serve(ends);
        let sold = shop.other.last_sale().unwrap().map(|sale| sale.content.product);
        assert_eq!(sold, Some(lantern().product));
        let drafts = shop.other.adopt_drafts(&|_| false, "another-screen").unwrap();
        let drafts: Vec<_> = drafts.into_iter().map(|kept| kept.draft).collect();
        assert_eq!(drafts, [typed("VA")]);
        // What was asked for the screen's own sake is left.
        let told: Vec<_> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
        assert!(matches!(told.as_slice(), [Nudge::SalesWaiting]), "{told:?}");
    }

    #[test]
    fn what_was_seen_is_told_once() {
        let mut shop = Shop::new();
        let mut clerk = shop.clerk();
        let mut seen = Ok(0);
        for _ in 0..2 {
            assert_eq!(clerk.look(&mut seen), [Answer::Changed]);
            assert_eq!(clerk.look(&mut seen), Vec::new());
            shop.write();
        }
    }

    #[tokio::test]
    async fn what_another_program_writes_is_told_to_the_screen_and_to_the_sync_service() {
        let mut shop = Shop::new();
        let (nudges, mut heard) = mpsc::unbounded_channel();
        let clerk = Clerk {
            nudges: Some(nudges),
            ..shop.clerk()
        };
        let (Desk { commands, mut answers }, ends) = desk::desk();
        let serving = tokio::task::spawn_blocking(|| clerk.serve(ends));
        // The first look finds a database that was never seen before; the next ones find what is written meanwhile.
        for _ in 0..3 {
            let told = soon(async { (answers.recv().await, heard.recv().await) }).await;
            assert!(matches!(told, (Some(Answer::Changed), Some(Nudge::Look))), "{told:?}");
            shop.write();
        }
        drop(commands);
        serving.await.unwrap();
    }

    #[tokio::test]
    async fn what_the_sync_service_writes_is_looked_at_when_it_says_so() {
        const WRITES: u64 = 10;
        let mut shop = Shop::new();
        let (written, changed) = watch::channel(0_u64);
        let clerk = Clerk {
            changed: Some(changed),
            ..shop.clerk()
        };
        let (Desk { commands, mut answers }, ends) = desk::desk();
        let serving = tokio::task::spawn_blocking(|| clerk.serve(ends));
        let began = clock::tick();
        for _ in 0..WRITES {
            shop.write();
            written.send_modify(|count| *count += 1);
            assert_eq!(soon(answers.recv()).await, Some(Answer::Changed));
        }
        // The clerk's own looks would have found one a second.
        let took_ms = clock::tick().since(began);
        assert!(took_ms < WRITES * LOOK_MS / 2, "{WRITES} writes took {took_ms} ms");
        // Nothing was written for that.
        written.send_modify(|count| *count += 1);
        drop(commands);
        serving.await.unwrap();
        assert_eq!(answers.recv().await, None);
    }
}
