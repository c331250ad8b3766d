//! A socket on which what is sent must be taken at a pace; otherwise sending fails.
//!
//! Whoever speaks the protocol of Redis sends for itself and looks at the time. Here it is hyper that
//! sends, and knows no limit.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::state::Pace;

/// A socket, and how fast what is offered to it is taken.
pub(super) struct Paced {
    stream: TcpStream,
    stall: Duration,
    sending: Option<Sending>,
}

/// Something that could not be sent at once.
struct Sending {
    pace: Pace,
    /// How much it was at first: it is held until all of it has been sent.
    held: usize,
    /// Wakes whoever waits when the time is over.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    pub(super) fn new(stream: TcpStream, stall: Duration) -> Self {
        Self { stream, stall, sending: None }
    }

    /// Looks at what came of the attempt to send `offered` bytes.
    fn watch(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<usize>>,
        offered: usize,
    ) -> Poll<io::Result<usize>> {
        let begin = || Sending { pace: Pace::new(self.stall), held: offered, timer: None };
        match outcome {
            Poll::Ready(Ok(sent)) if sent == offered => self.sending = None,
            Poll::Ready(Ok(sent)) => {
                let sending = self.sending.get_or_insert_with(begin);
                sending.pace.note(sent, sending.held);
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                let sending = self.sending.get_or_insert_with(begin);
                let left = sending.pace.left();
                let timer = sending.timer.insert(Box::pin(sleep(left)));
                // A new timer is not over at once, however little it is to wait.
                if left.is_zero() || timer.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        outcome
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, to)
    }
}

impl AsyncWrite for Paced {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, outcome, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.watch(context, outcome, parts.iter().map(|part| part.len()).sum())
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http;
    use crate::keyspace::Lifetime;
    use crate::state::narrow::{ask_and_read_slowly, ends, shared, soon};

    #[test]
    fn who_reads_a_large_value_bit_by_bit_is_closed() {
        let (shared, (client, stream)) = (shared(), ends());
        shared.keyspace.put(b"large", &vec![b'x'; 16 << 20], Lifetime::Never).expect("it is light");
        let reader = ask_and_read_slowly(client, "GET /large HTTP/1.1\r\nhost: x\r\n\r\n");
        let serving = soon(async {
            let stream = TcpStream::from_std(stream).expect("it is a socket");
            http::serve(stream, &shared, "slow", std::future::pending()).await;
        });
        assert!(serving.is_some(), "16 MiB are held for as long as the client likes");
        reader.join().expect("it ends");
    }
}
