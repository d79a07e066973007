//! A thread for work that goes on beside the writer's, the same for as long as all goes well. What it allocates stays with it: memory that is taken and freed
//! by many threads in turn is held by each of them.

use std::sync::mpsc;

use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

type Job<W> = Box<dyn FnOnce(&mut W) + Send>;

/// One who works on a thread of its own. After one who panicked another begins.
pub(super) struct Aside<W> {
    begin: Box<dyn Fn() -> W + Send>,
    /// Not here before the first work, and while somebody waits for some.
    thread: Option<Thread<W>>,
}

struct Thread<W> {
    jobs: mpsc::Sender<Job<W>>,
    ended: JoinHandle<()>,
}

impl<W: Send + 'static> Aside<W> {
    pub(super) fn new(begin: impl Fn() -> W + Send + 'static) -> Self {
        Self {
            begin: Box::new(begin),
            thread: None,
        }
    }

    /// Has some work done; returns what came of it.
    ///
    /// # Errors
    /// When it panicked.
    pub(super) async fn work<R: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut W) -> R + Send + 'static,
    ) -> Result<R, JoinError> {
        let (tell, told) = oneshot::channel();
        let job = move |worker: &mut W| {
            // Whoever asked may be gone.
            let _ = tell.send(work(worker));
        };
        let thread = self.thread.take();
        let thread = thread.unwrap_or_else(|| Thread::of((self.begin)()));
        // If it can't be sent nobody will tell of it.
        let _ = thread.jobs.send(Box::new(job));
        match told.await {
            Ok(done) => {
                self.thread = Some(thread);
                Ok(done)
            }
            Err(_) => Err(thread.ended.await.expect_err("it works until it is dropped or panics")),
        }
    }
}

impl<W: Send + 'static> Thread<W> {
    fn of(mut worker: W) -> Self {
        let (jobs, queue) = mpsc::channel::<Job<W>>();
        let ended = spawn_blocking(move || queue.into_iter().for_each(|job| job(&mut worker)));
        Self { jobs, ended }
    }
}
