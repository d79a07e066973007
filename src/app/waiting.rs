//! Waiting on a thread that is there for nothing else: for what happens first, but not for ever.
//!
//! A timer of the runtime wakes one of its workers twice or thrice on the way to its moment, and that one then wakes the thread. Here the thread sleeps
//! until its own time is up, which costs one wake-up. What is waited for must need no runtime: channels do not.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::clock;
use crate::domain::time::Tick;

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for what is to happen, until a moment at the latest; `None`: it has not happened.
pub(super) fn until<T>(moment: Tick, what: impl Future<Output = T>) -> Option<T> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut what = pin!(what);
    loop {
        if let Poll::Ready(happened) = what.as_mut().poll(&mut context) {
            return Some(happened);
        }
        let left = moment.since(clock::tick());
        if left == 0 {
            return None;
        }
        thread::park_timeout(Duration::from_millis(left));
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn a_wait_in_which_nothing_happens_is_one_sleep() {
        let (_silent, mut heard) = oneshot::channel::<()>();
        let (began, mut looks) = (clock::tick(), 0);
        let counted = std::future::poll_fn(|context| {
            looks += 1;
            std::pin::Pin::new(&mut heard).poll(context)
        });
        assert_eq!(until(began.plus(300), counted), None);
        assert!(clock::tick() >= began.plus(300));
        // Once before and once after it; a sleep may end early without a reason, but not again and again.
        assert!(looks <= 5, "{looks} looks");
    }

    #[test]
    fn what_happens_ends_the_wait_at_once() {
        let (tell, mut heard) = oneshot::channel();
        let (began, mut tell, mut teller) = (clock::tick(), Some(tell), None);
        // Told only when it has been asked for in vain: so the wait begins, and is ended.
        let told_late = std::future::poll_fn(|context| {
            let polled = std::pin::Pin::new(&mut heard).poll(context);
            if polled.is_pending()
                && let Some(tell) = tell.take()
            {
                teller = Some(thread::spawn(move || tell.send("news")));
            }
            polled
        });
        assert_eq!(until(began.plus(60_000), told_late), Some(Ok("news")));
        assert!(clock::tick().since(began) < 30_000);
        teller.expect("it was asked for in vain").join().unwrap().unwrap();
    }
}
