//! Connections: no more than there are files for, the store's left out.

use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::metrics::{Metrics, Open};

/// Takes connections while there is room. One too many is closed at once, and its client asks again:
/// left waiting it would take the file that an answer needs.
#[derive(Clone)]
pub(super) struct Lines {
    room: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

impl Lines {
    pub(super) fn new(most: usize, metrics: Arc<Metrics>) -> Self {
        let room = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Self { room, metrics }
    }
}

impl<S> Accept<TcpStream, S> for Lines {
    type Stream = Line;
    type Service = S;
    type Future = Ready<io::Result<(Line, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            self.metrics.turned_away();
            return ready(Err(io::Error::other("too many connections")));
        };
        // Answers are small; none of them waits for another.
        let line = stream.set_nodelay(true).map(|()| Line {
            stream,
            _permit: permit,
            _open: self.metrics.open(),
        });
        ready(line.map(|line| (line, service)))
    }
}

/// A connection, counted while it lasts.
pub(super) struct Line {
    stream: TcpStream,
    _permit: OwnedSemaphorePermit,
    _open: Open,
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn one_too_many_is_closed_and_makes_room_for_none() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = Arc::new(Metrics::new());
        let lines = Lines::new(1, Arc::clone(&metrics));
        let connect = async || {
            let client = TcpStream::connect(address).await.unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            (client, lines.accept(stream, ()).await)
        };
        let says = |text: &str| metrics.text().contains(text);
        let (_first, line) = connect().await;
        let line = line.unwrap();
        assert!(says("conclave_relay_connections 1\n"));
        assert!(connect().await.1.is_err());
        assert!(connect().await.1.is_err());
        assert!(says("conclave_relay_connections_turned_away_total 2\n"));
        drop(line);
        assert!(says("conclave_relay_connections 0\n"));
        assert!(connect().await.1.is_ok());
    }
}
