//! A socket that tells its seat what moves, and keeps what the HTTP library says for itself from leaving.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

use super::{room::Room, seat::Seat};

/// The stream of one connection.
pub(super) struct Socket {
    stream: TcpStream,
    seat: Arc<Seat>,
    room: Arc<Room>,
    /// Wakes whoever reads when the connection is cut, also once it is no longer HTTP.
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    /// The HTTP library wrote an answer of its own. It has no envelope, so another one is sent in its place.
    swallowed: bool,
    /// Fires when the socket is gone, whoever had it last.
    closed: DropGuard,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, seat: Arc<Seat>, room: Arc<Room>) -> Self {
        let cut = Box::pin(seat.cut.clone().cancelled_owned());
        Self { stream, seat, room, cut, swallowed: false, closed: CancellationToken::new().drop_guard() }
    }

    pub(super) fn closed(&self) -> CancellationToken {
        self.closed.token().clone()
    }

    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }

    fn note_write(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) => {
                self.seat.wrote(*bytes);
                self.seat.goes_on();
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                self.seat.write_waits();
                self.seat.stalls();
                self.room.somebody_waits();
            }
        }
        written
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if Pin::new(&mut self.stream).poll_read(context, buffer)?.is_pending() {
            ready!(self.cut.as_mut().poll(context));
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        self.seat.read(buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.seat.is_between_answers() {
            self.swallowed = true;
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note_write(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.seat.is_between_answers() {
            self.swallowed = true;
            return Poll::Ready(Ok(bytes.iter().map(|slice| slice.len()).sum()));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.note_write(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.seat.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.swallowed {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
