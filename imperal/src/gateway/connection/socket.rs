//! The bytes of a connection, with their timeouts.
//!
//! Reading has a timeout while a request is awaited or its head arrives; a body has its own (`body.rs`). Writing has
//! one from the moment the client stops reading. Input that is not a request is answered here.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::ConnectionLimits;
use super::deadline::Deadline;
use super::phase::ConnectionPhase;
use super::raw_response;
use crate::platform::{Cut, Meters};

/// The preface of an HTTP/2 client with prior knowledge.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2";
/// Limits of reading from a refused client that still sends.
const LINGER: Duration = Duration::from_secs(5);
const LINGER_BYTES: usize = 32 * 1024 * 1024;
/// Idle time before the first TCP keep-alive probe, and the interval of probes.
const PROBE_AFTER: Duration = Duration::from_secs(30);
const PROBE_EVERY: Duration = Duration::from_secs(10);

/// Sets TCP options: small packets are sent at once, and a vanished client is detected within the write timeout, where
/// the system supports it.
pub(super) fn prepare(stream: &TcpStream, write_timeout: Duration) {
    let socket = socket2::SockRef::from(stream);
    let keepalive = socket2::TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_EVERY);
    let set = socket.set_tcp_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&keepalive));
    #[cfg(target_os = "linux")]
    let set = set.and_then(|()| socket.set_tcp_user_timeout(Some(write_timeout)));
    #[cfg(not(target_os = "linux"))]
    let _ = write_timeout;
    if let Err(error) = set {
        tracing::debug!(%error, "a connection keeps the system's TCP options");
    }
}

/// A connection's socket.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    limits: ConnectionLimits,
    phase: Arc<ConnectionPhase>,
    meters: Arc<Meters>,
    read_deadline: Deadline,
    write_deadline: Deadline,
    begun: bool,
    /// A response was written here. Nothing else is sent.
    refused: bool,
    lingering: Option<usize>,
}

impl Socket {
    pub(super) fn new(
        stream: TcpStream,
        limits: ConnectionLimits,
        phase: Arc<ConnectionPhase>,
        meters: Arc<Meters>,
    ) -> Self {
        let mut read_deadline = Deadline::default();
        read_deadline.set(Instant::now() + limits.header_timeout);
        Self {
            stream,
            limits,
            phase,
            meters,
            read_deadline,
            write_deadline: Deadline::default(),
            begun: false,
            refused: false,
            lingering: None,
        }
    }

    /// Handles bytes that arrived from the client.
    fn received(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if !self.begun {
            self.begun = true;
            if bytes.starts_with(HTTP2_PREFACE) {
                self.refuse(505);
                return Err(io::Error::new(io::ErrorKind::InvalidData, "unsupported HTTP version"));
            }
        }
        if self.phase.received() {
            self.read_deadline.set(Instant::now() + self.limits.header_timeout);
        }
        Ok(())
    }

    /// Writes a response. It is smaller than any system's send buffer, which is empty at this point.
    fn refuse(&mut self, status: u16) {
        self.refused = true;
        if let Err(error) = self.stream.try_write(&raw_response::answer(status)) {
            tracing::debug!(%error, "a client did not wait for its response");
        }
    }

    /// Whether the client has been silent for too long.
    fn silent(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.phase.is_before_a_request() || !self.read_deadline.poll_passed(cx) {
            return false;
        }
        if self.phase.is_reading() {
            self.meters.cut(Cut::Header);
            self.refuse(408);
        } else {
            self.meters.cut(Cut::Idle);
        }
        true
    }

    /// Sends by `write`, unless the bytes are hyper's response to invalid input, which is replaced.
    fn send(
        &mut self,
        cx: &mut Context<'_>,
        head: &[u8],
        length: usize,
        write: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if self.phase.is_before_a_request() && !self.refused {
            self.refuse(raw_response::status(head));
            self.phase.linger();
        }
        if self.refused {
            return Poll::Ready(Ok(length));
        }
        let written = write(Pin::new(&mut self.stream), cx);
        if written.is_ready() {
            self.write_deadline.clear();
            return written;
        }
        if !self.write_deadline.is_set() {
            self.write_deadline.set(Instant::now() + self.limits.write_timeout);
        }
        if self.write_deadline.poll_passed(cx) {
            self.meters.cut(Cut::Write);
            return Poll::Ready(Err(timed_out("the client does not read its response")));
        }
        Poll::Pending
    }
}

fn timed_out(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, text)
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => Poll::Ready(this.received(&buf.filled()[before..])),
            Poll::Pending if this.silent(cx) => Poll::Ready(Err(timed_out("the client sends nothing"))),
            other => other,
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.send(cx, buf, buf.len(), |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let head = bufs.first().map_or(&[][..], |first| first);
        let length = bufs.iter().map(|part| part.len()).sum();
        self.send(cx, head, length, |stream, cx| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        let this = &mut *self;
        if this.phase.flushed() {
            this.read_deadline.set(Instant::now() + this.limits.idle_timeout);
            // hyper may not poll for reading before the next byte, so register the timer now.
            this.read_deadline.poll_passed(cx);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.lingering.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.write_deadline.set(Instant::now() + LINGER);
        }
        if !this.phase.lingers() {
            return Poll::Ready(Ok(()));
        }
        // Closing with unread bytes would reset the connection, and the client would lose the response.
        let mut unread = [0; 4096];
        while this.lingering.unwrap_or_default() < LINGER_BYTES {
            let mut buf = ReadBuf::new(&mut unread);
            match Pin::new(&mut this.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if buf.filled().is_empty() => break,
                Poll::Ready(Ok(())) => {
                    this.lingering = Some(this.lingering.unwrap_or_default() + buf.filled().len());
                }
                Poll::Ready(Err(_)) => break,
                Poll::Pending => {
                    this.lingering.get_or_insert(0);
                    if this.write_deadline.poll_passed(cx) {
                        break;
                    }
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}
