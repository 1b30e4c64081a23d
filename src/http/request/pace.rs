//! The least pace at which a body has to come.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

/// How long the client is waited for before what came meanwhile is looked at.
const WINDOW: Duration = Duration::from_secs(60);

/// Bytes that come in a window at the least: 1 KiB a second.
const LEAST: u64 = 1024 * WINDOW.as_secs();

/// A body that fails when it comes at less than 1 KiB a second.
///
/// Only the time in which the client is waited for counts: a disk of ours that is slow is no fault of
/// theirs. A client that falls silent is given up after one window, or after two at the latest.
pub struct Paced<B> {
    body: B,
    waited: Duration,
    waiting_since: Option<Instant>,
    came: u64,
    alarm: Pin<Box<Sleep>>,
}

impl<B> Paced<B> {
    /// Holds `body` to the pace.
    pub fn new(body: B) -> Self {
        Self {
            body,
            waited: Duration::ZERO,
            waiting_since: None,
            came: 0,
            alarm: Box::pin(sleep(WINDOW)),
        }
    }

    fn is_too_slow(&mut self, came: u64) -> bool {
        self.came += came;
        if self.waited < WINDOW {
            return false;
        }
        self.waited = Duration::ZERO;
        std::mem::take(&mut self.came) < LEAST
    }
}

/// Whether reading failed because the client was too slow.
#[must_use]
pub fn is_too_slow(error: &(dyn std::error::Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

/// The sentence for the client.
#[must_use]
pub fn sentence() -> String {
    format!("Less than 1 KiB a second came for {} seconds.", WINDOW.as_secs())
}

impl<B> Body for Paced<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        let too_slow = || Some(Err(io::Error::from(io::ErrorKind::TimedOut)));
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            if let Some(since) = this.waiting_since.take() {
                this.waited += since.elapsed();
            }
            return Poll::Ready(match frame {
                None => None,
                Some(Err(error)) => Some(Err(io::Error::other(error))),
                Some(Ok(frame)) => {
                    let came = frame.data_ref().map_or(0, |data| data.len() as u64);
                    if this.is_too_slow(came) { too_slow() } else { Some(Ok(frame)) }
                }
            });
        }
        if this.waiting_since.is_none() {
            let now = Instant::now();
            this.waiting_since = Some(now);
            this.alarm.as_mut().reset(now + WINDOW.saturating_sub(this.waited));
        }
        loop {
            ready!(this.alarm.as_mut().poll(context));
            this.waited = WINDOW;
            if this.is_too_slow(0) {
                return Poll::Ready(too_slow());
            }
            let now = Instant::now();
            this.waiting_since = Some(now);
            this.alarm.as_mut().reset(now + WINDOW);
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    /// So many bytes, each after so long.
    fn body(
        pieces: Vec<(usize, u64)>,
    ) -> Paced<impl Body<Data = Bytes, Error = io::Error> + Unpin> {
        let frames = stream::iter(pieces).then(async |(bytes, seconds)| {
            sleep(Duration::from_secs(seconds)).await;
            Ok::<_, io::Error>(Frame::data(Bytes::from(vec![0; bytes])))
        });
        Paced::new(StreamBody::new(Box::pin(frames)))
    }

    /// Bytes that came whole, or seconds until it was given up.
    async fn read(pieces: Vec<(usize, u64)>) -> Result<usize, u64> {
        let started = Instant::now();
        match body(pieces).collect().await {
            Ok(whole) => Ok(whole.to_bytes().len()),
            Err(error) => {
                assert!(is_too_slow(&error));
                Err(started.elapsed().as_secs())
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_drops_are_given_up_and_a_steady_trickle_is_not() {
        assert_eq!(read(vec![]).await, Ok(0));
        assert_eq!(read(vec![(10, 59)]).await, Ok(10));
        assert_eq!(read(vec![(10, 61)]).await, Err(60), "nothing came");
        assert_eq!(read(vec![(1, 1); 300]).await, Err(60), "a byte a second");
        assert_eq!(read(vec![(1024, 1); 300]).await, Ok(300 * 1024), "just enough");
        assert_eq!(read(vec![(1 << 20, 30), (1, 100)]).await, Err(120), "silent after much");
        assert_eq!(read(vec![(1 << 20, 30), (1, 59), (1, 0)]).await, Ok((1 << 20) + 2));
    }

    #[tokio::test(start_paused = true)]
    async fn time_that_we_take_ourselves_does_not_count() {
        let mut body = body(vec![(1, 1); 20]);
        let mut came = 0;
        while let Some(frame) = body.frame().await {
            came += frame.expect("not given up").into_data().expect("data").len();
            sleep(Duration::from_secs(600)).await;
        }
        assert_eq!(came, 20);
    }
}
