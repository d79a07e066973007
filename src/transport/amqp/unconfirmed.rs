//! What has been published and is not confirmed yet.
//!
//! The library hangs a returned message on whichever confirm completes first, so the confirm of an unroutable message may look like a plain success. It
//! does so before it completes that confirm, never after. Hence the rule: a confirm counts only when no other that is complete by now carries a return,
//! a refusal or an error; else nothing that was waiting is known to be accepted.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use lapin::Confirmation;

use super::failure::{Failure, Stage};
use crate::domain::event::LinkTrouble;

/// Published messages by the order in which they were published, each with its confirm to come.
#[derive(Debug)]
pub(super) struct Unconfirmed<T, F> {
    waiting: VecDeque<(T, F)>,
}

impl<T: Copy, F> Unconfirmed<T, F>
where
    F: Future<Output = lapin::Result<Confirmation>> + Unpin,
{
    pub(super) const fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
        }
    }

    pub(super) fn push(&mut self, message: T, confirm: F) {
        self.waiting.push_back((message, confirm));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Waits until the broker has answered for at least one message; returns those that it has accepted, in order. Can be dropped and called
    /// again without loss.
    pub(super) async fn accepted(&mut self) -> Result<Vec<T>, Failure> {
        std::future::poll_fn(|cx| self.poll_accepted(cx)).await
    }

    /// Waits for the first failure among what is unconfirmed.
    pub(super) async fn failure(&mut self) -> Failure {
        loop {
            if let Err(failure) = self.accepted().await {
                return failure;
            }
        }
    }

    fn poll_accepted(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<T>, Failure>> {
        let mut accepted = Vec::new();
        loop {
            let before = accepted.len();
            let mut index = 0;
            while let Some((message, confirm)) = self.waiting.get_mut(index) {
                match Pin::new(confirm).poll(cx) {
                    Poll::Pending => index += 1,
                    Poll::Ready(answer) => {
                        let message = *message;
                        if let Err(failure) = judge(answer) {
                            return Poll::Ready(Err(failure));
                        }
                        self.waiting.remove(index);
                        accepted.push(message);
                    }
                }
            }
            // A confirm that completed while we walked may have taken a return with it to a place that we had passed already: walk once more.
            if accepted.len() == before {
                break;
            }
        }
        if accepted.is_empty() {
            Poll::Pending
        } else {
            Poll::Ready(Ok(accepted))
        }
    }
}

fn judge(answer: lapin::Result<Confirmation>) -> Result<(), Failure> {
    match answer {
        Ok(Confirmation::Ack(None)) => Ok(()),
        Ok(Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned))) => Err(Failure::new(
            LinkTrouble::NoHeadOffice,
            format!("the broker has no queue for sales: {}", returned.reply_text),
        )),
        Ok(Confirmation::Nack(None)) => Err(Failure::new(LinkTrouble::Lost, "the broker could not keep a message")),
        Ok(Confirmation::NotRequested) => Err(Failure::new(LinkTrouble::Lost, "the broker does not confirm messages")),
        Err(error) => Err(Failure::of(Stage::Open, "publishing", &error)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures_util::FutureExt;
    use lapin::message::{BasicReturnMessage, Delivery};

    use super::*;

    /// A confirm that completes when the test says so.
    #[derive(Clone, Default)]
    struct Confirm(Arc<Mutex<Option<lapin::Result<Confirmation>>>>);

    impl Confirm {
        fn complete(&self, answer: lapin::Result<Confirmation>) {
            *self.0.lock().unwrap() = Some(answer);
        }
    }

    impl Future for Confirm {
        type Output = lapin::Result<Confirmation>;
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
            self.0.lock().unwrap().take().map_or(Poll::Pending, Poll::Ready)
        }
    }

    /// A confirm that completes another one while it is polled: the other one was passed already.
    struct Late {
        own: Confirm,
        passed: Confirm,
    }

    impl Future for Late {
        type Output = lapin::Result<Confirmation>;
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
            let answer = Pin::new(&mut self.own).poll(cx);
            if answer.is_ready() {
                self.passed.complete(Ok(Confirmation::Ack(Some(returned()))));
            }
            answer
        }
    }

    fn returned() -> BasicReturnMessage {
        BasicReturnMessage {
            delivery: Delivery::mock(0, "sales".into(), "TUNIS-01.s".into(), false, Vec::new()),
            reply_code: 312,
            reply_text: "NO_ROUTE".into(),
        }
    }

    fn three() -> ([Confirm; 3], Unconfirmed<u8, Confirm>) {
        let confirms: [Confirm; 3] = Default::default();
        let mut unconfirmed = Unconfirmed::new();
        for (message, confirm) in (1..).zip(&confirms) {
            unconfirmed.push(message, confirm.clone());
        }
        (confirms, unconfirmed)
    }

    #[test]
    fn each_message_is_accepted_once_the_broker_has_acked_it() {
        let (confirms, mut unconfirmed) = three();
        assert_eq!(unconfirmed.accepted().now_or_never(), None);
        confirms[1].complete(Ok(Confirmation::Ack(None)));
        assert_eq!(unconfirmed.accepted().now_or_never(), Some(Ok(vec![2])));
        assert_eq!(unconfirmed.accepted().now_or_never(), None);
        confirms[0].complete(Ok(Confirmation::Ack(None)));
        confirms[2].complete(Ok(Confirmation::Ack(None)));
        assert_eq!(unconfirmed.accepted().now_or_never(), Some(Ok(vec![1, 3])));
        assert!(unconfirmed.is_empty());
    }

    #[test]
    fn nothing_is_accepted_beside_a_return_a_nack_or_an_error() {
        let bad: [fn() -> lapin::Result<Confirmation>; 4] = [
            || Ok(Confirmation::Ack(Some(returned()))),
            || Ok(Confirmation::Nack(None)),
            || Ok(Confirmation::NotRequested),
            || Err(lapin::ErrorKind::MissingHeartbeatError.into()),
        ];
        for answer in bad {
            for place in 0..3 {
                let (confirms, mut unconfirmed) = three();
                for (index, confirm) in confirms.iter().enumerate() {
                    confirm.complete(if index == place {
                        answer()
                    } else {
                        Ok(Confirmation::Ack(None))
                    });
                }
                assert!(unconfirmed.accepted().now_or_never().unwrap().is_err());
            }
        }
    }

    #[test]
    fn a_return_that_completes_behind_our_back_is_seen_before_anything_is_accepted() {
        let (passed, own) = (Confirm::default(), Confirm::default());
        let mut unconfirmed = Unconfirmed::new();
        unconfirmed.push(
            1,
            Late {
                own: passed.clone(),
                passed: Confirm::default(),
            },
        );
        unconfirmed.push(
            2,
            Late {
                own: own.clone(),
                passed,
            },
        );
        own.complete(Ok(Confirmation::Ack(None)));
        let failure = unconfirmed.accepted().now_or_never().unwrap().unwrap_err();
        assert_eq!(failure.trouble, LinkTrouble::NoHeadOffice);
    }
}
