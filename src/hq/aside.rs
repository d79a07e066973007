//! A thread for work that goes on beside the writer's, the same for as long as all goes well. What it allocates stays with it: memory that is taken and freed by many threads in turn
//! is held by each of them.

use std::sync::mpsc;

use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

type Job<W> = Box<dyn FnOnce(&mut W) + Send>;

/// One who works on a thread of its own, until it is dropped or panics.
pub(super) struct Aside<W> {
    jobs: mpsc::Sender<Job<W>>,
    thread: JoinHandle<()>,
}

impl<W: Send + 'static> Aside<W> {
    pub(super) fn new(mut worker: W) -> Self {
        let (jobs, queue) = mpsc::channel::<Job<W>>();
        let thread = spawn_blocking(move || queue.into_iter().for_each(|job| job(&mut worker)));
        Self { jobs, thread }
    }

    /// Has some work done; returns the worker, who can do more, and what came of it.
    ///
    /// # Errors
    /// When it panicked.
    pub(super) async fn work<R: Send + 'static>(
        self,
        work: impl FnOnce(&mut W) -> R + Send + 'static,
    ) -> Result<(Self, R), JoinError> {
        let (tell, told) = oneshot::channel();
        let job = move |worker: &mut W| {
            // Whoever asked may be gone.
            let _ = tell.send(work(worker));
        };
        // If it can't be sent nobody will tell of it.
        let _ = self.jobs.send(Box::new(job));
        match told.await {
            Ok(done) => Ok((self, done)),
            Err(_) => Err(self.thread.await.expect_err("it works until it is dropped or panics")),
        }
    }
}
