//! One client that speaks the protocol of Redis: reads requests, has them carried out, replies.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::commands::{self, Session, Walk};
use crate::state::{Pace, Shared};
use crate::wire::{Args, Reply, RequestReader};

/// Memory for requests that a client has from its first on.
const INPUT: usize = 4 * 1024;
/// Memory for requests and replies that a client keeps while it rests.
const KEPT: usize = 16 * 1024;
/// Replies are sent once there are so many bytes of them, whatever else was asked meanwhile.
const FLUSH: usize = 256 * 1024;
/// So many pairs can be looked at without anybody noticing.
const FEW: usize = 10_000;

/// Why a connection ends.
enum End {
    /// The client closed it or asked to be, or the server stops.
    Done,
    /// It is in nobody's interest to go on, for this reason.
    Closed(&'static str),
    Io(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A connection and what is being received and sent on it.
struct Connection<'s> {
    shared: &'s Arc<Shared>,
    stream: TcpStream,
    session: Session,
    reader: RequestReader,
    /// What was received and is not carried out yet.
    input: Vec<u8>,
    /// How fast the request comes that is begun, if one is.
    pace: Option<Pace>,
    reply: Reply,
}

/// Serves `stream` until it ends, or, once `stop` is there, until what was received is replied to.
pub(crate) async fn serve(
    stream: TcpStream,
    shared: &Arc<Shared>,
    session: Session,
    stop: impl Future<Output = ()>,
) {
    let mut connection = Connection::new(stream, shared, session);
    let mut stop = std::pin::pin!(stop);
    let end = loop {
        if let Err(end) = connection.turn(stop.as_mut()).await {
            break end;
        }
    };
    let (id, peer) = (connection.session.id, &connection.session.peer);
    match end {
        End::Done => tracing::debug!(id, peer, "client gone"),
        End::Closed(why) => tracing::info!(id, peer, why, "client closed"),
        End::Io(error) => tracing::debug!(id, peer, %error, "client lost"),
    }
}

impl<'s> Connection<'s> {
    /// Nothing was received on it yet.
    fn new(stream: TcpStream, shared: &'s Arc<Shared>, session: Session) -> Self {
        Self {
            shared,
            stream,
            session,
            reader: RequestReader::new(shared.limits.request),
            input: Vec::with_capacity(INPUT),
            pace: None,
            reply: Reply::new(shared.limits.output, false),
        }
    }

    /// Carries out what is there of requests, replies, and waits for more.
    async fn turn(&mut self, stop: Pin<&mut impl Future<Output = ()>>) -> Result<(), End> {
        self.carry_out().await?;
        if !self.reply.bytes().is_empty() {
            behind_the_others().await;
            self.flush().await?;
        }
        if self.session.is_closing() {
            return Err(End::Done);
        }
        self.receive(stop).await
    }

    /// Carries out every request that has been received whole.
    async fn carry_out(&mut self) -> Result<(), End> {
        let (mut carried_out, mut done) = (0, 0);
        while !self.session.is_closing() {
            let input = &self.input[done..];
            let length = match self.reader.advance(input, self.session.is_trusted()) {
                Ok(Some(length)) => length,
                Ok(None) => break,
                Err(error) => {
                    self.reply.error(&error.text());
                    self.flush().await?;
                    let _ = self.stream.shutdown().await;
                    return Err(End::Closed("protocol error"));
                }
            };
            let args = self.reader.args(input);
            if !args.is_empty() {
                carried_out += 1;
                let walk = commands::run(self.shared, &mut self.session, args, &mut self.reply);
                if let Some(walk) = walk {
                    if walk.is_short(self.shared, FEW) {
                        walk.run(self.shared, args, &mut self.reply);
                    } else {
                        walk_apart(walk, self.shared, args, &mut self.reply).await?;
                    }
                }
            }
            self.reader.clear();
            done += length;
            if self.reply.overflowed() {
                return Err(End::Closed("more replies than may be held for a client"));
            }
            if self.reply.bytes().len() >= FLUSH {
                self.flush().await?;
            }
        }
        // What is left is the beginning of one request.
        self.input.drain(..done);
        if done > 0 {
            self.pace = None;
            // A few bytes of the next request are no reason to keep the room of a large one.
            if self.input.capacity() > 4 * KEPT.max(self.input.len()) {
                self.input.shrink_to(INPUT);
            }
        }
        if carried_out > 0 {
            self.shared.count_commands(carried_out);
        }
        Ok(())
    }

    /// Sends what there is of replies.
    async fn flush(&mut self) -> Result<(), End> {
        let mut bytes = self.reply.bytes();
        let held = bytes.len() + self.input.len();
        let mut pace = Pace::new(self.shared.limits.stall);
        while !bytes.is_empty() {
            let sent = match self.stream.try_write(bytes) {
                Ok(sent) => sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let writable = timeout(pace.left(), self.stream.writable());
                    writable.await.map_err(|_| End::Closed("replies were not read in time"))??;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            bytes = &bytes[sent..];
            pace.note(sent, held);
        }
        self.reply.clear(KEPT);
        Ok(())
    }

    /// Waits for bytes.
    async fn receive(&mut self, stop: Pin<&mut impl Future<Output = ()>>) -> Result<(), End> {
        if self.input.capacity() - self.input.len() < INPUT / 4 {
            self.input.reserve(KEPT.max(self.input.len()));
        }
        let limits = &self.shared.limits;
        let (limit, why): (Option<Duration>, _) = if self.input.is_empty() {
            (limits.idle, "idle")
        } else {
            let pace = self.pace.get_or_insert_with(|| Pace::new(limits.stall));
            (Some(pace.left()), "a request was not finished in time")
        };
        let reading = self.stream.read_buf(&mut self.input);
        let received = tokio::select! {
            // What has arrived comes before the stop: a socket that is closed with something unread
            // takes back the replies that are on their way.
            biased;
            received = async {
                match limit {
                    None => reading.await.map_err(End::Io),
                    Some(limit) => match timeout(limit, reading).await {
                        Ok(received) => received.map_err(End::Io),
                        Err(_) => Err(End::Closed(why)),
                    },
                }
            } => received?,
            () = stop => return Err(End::Done),
        };
        if let Some(pace) = &mut self.pace {
            pace.note(received, self.input.len());
        }
        if received == 0 { Err(End::Done) } else { Ok(()) }
    }
}

/// Lets every other connection that has something to do go first.
async fn behind_the_others() {
    let mut waited = false;
    std::future::poll_fn(|context| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Looks at every pair, or waits for a disk, on a thread of its own, so that other clients need not wait.
async fn walk_apart(
    walk: Walk,
    shared: &Arc<Shared>,
    args: Args<'_>,
    reply: &mut Reply,
) -> Result<(), End> {
    let (bytes, places) = args.apart();
    let mut apart = Reply::new(reply.limit(), reply.is_resp3());
    let shared = Arc::clone(shared);
    let walked = tokio::task::spawn_blocking(move || {
        walk.run(&shared, Args::new(&bytes, &places), &mut apart);
        apart
    });
    let apart = walked.await.map_err(|error| End::Io(io::Error::other(error)))?;
    reply.append(&apart);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::narrow::{ask_and_read_slowly, ends, shared, soon};

    #[test]
    fn who_reads_a_large_reply_bit_by_bit_is_closed() {
        let (shared, (client, stream)) = (shared(), ends());
        let reader = ask_and_read_slowly(client, &format!("MGET{}\r\n", " big".repeat(16)));
        let serving = soon(async {
            let stream = TcpStream::from_std(stream).expect("it is a socket");
            let session = Session::new(1, "slow".to_owned(), &shared);
            serve(stream, &shared, session, std::future::pending()).await;
        });
        assert!(serving.is_some(), "16 MiB are held for as long as the client likes");
        reader.join().expect("it ends");
    }

    #[test]
    fn the_room_of_a_large_request_is_given_back_though_another_is_begun() {
        let (shared, (_client, stream)) = (shared(), ends());
        let carried_out = soon(async {
            let stream = TcpStream::from_std(stream).expect("it is a socket");
            let session = Session::new(1, "slow".to_owned(), &shared);
            let mut connection = Connection::new(stream, &shared, session);
            let value = "x".repeat(1 << 20);
            let requests = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048576\r\n{value}\r\nPI");
            connection.input = requests.into_bytes();
            assert!(connection.carry_out().await.is_ok());
            assert_eq!(connection.input, b"PI");
            let room = connection.input.capacity();
            assert!(room <= 4 * KEPT, "{room} bytes for two");
        });
        assert!(carried_out.is_some());
    }
}
