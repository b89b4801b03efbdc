//! The bytes under HTTP: what arrived is kept for the log, and a connection can be cut.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use axum::{
    body::Bytes,
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use http_body::{Body, Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

/// Nothing is kept of a request beyond this; larger than any body that is accepted.
const MAX_CAPTURED: usize = 2 << 20;

/// One request as it was received.
#[derive(Default)]
pub(crate) struct Captured {
    pub(crate) bytes: Vec<u8>,
    /// Request line, header fields and the empty line.
    pub(crate) head_len: usize,
}

/// A handle on the connection that a request came over.
#[derive(Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<WireState>>);

#[derive(Default)]
struct WireState {
    inbound: Vec<u8>,
    severed: bool,
}

impl Wire {
    fn state(&self) -> MutexGuard<'_, WireState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nothing more is written; the connection closes at the next attempt.
    pub(crate) fn sever(&self) {
        self.state().severed = true;
    }

    /// Takes the request that has just been read whole; what was pipelined behind it stays.
    pub(crate) fn take_request(&self, chunked: bool, body_len: usize) -> Captured {
        let inbound = &mut self.state().inbound;
        let head_len = find(inbound, b"\r\n\r\n").unwrap_or(inbound.len());
        let body = inbound.get(head_len..).unwrap_or_default();
        let framed_len = if chunked { chunked_len(body) } else { body_len };
        let end = head_len.saturating_add(framed_len).min(inbound.len());
        let rest = inbound.split_off(end);
        Captured { bytes: std::mem::replace(inbound, rest), head_len }
    }
}

impl Connected<IncomingStream<'_, TappedListener>> for Wire {
    fn connect_info(stream: IncomingStream<'_, TappedListener>) -> Self {
        stream.io().wire.clone()
    }
}

/// The offset behind the first occurrence.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)?.checked_add(needle.len())
}

/// Length of a chunked body as framed (RFC 9112 7.1); all of it where the frame does not parse.
fn chunked_len(body: &[u8]) -> usize {
    let mut rest = body;
    loop {
        let Some(line_len) = find(rest, b"\r\n") else { return body.len() };
        let (line, after) = rest.split_at(line_len);
        let digits: String =
            line.iter().map(|byte| char::from(*byte)).take_while(char::is_ascii_hexdigit).collect();
        let Ok(size) = usize::from_str_radix(&digits, 16) else { return body.len() };
        if size == 0 {
            // The trailer section ends with an empty line; without fields it is that line alone.
            let trailer = if after.starts_with(b"\r\n") { Some(2) } else { find(after, b"\r\n\r\n") };
            return trailer.map_or(body.len(), |trailer| {
                body.len().saturating_sub(after.len()).saturating_add(trailer)
            });
        }
        let Some(next) = after.get(size.saturating_add(2)..) else { return body.len() };
        rest = next;
    }
}

/// A TCP listener whose connections are [`Tapped`].
pub(crate) struct TappedListener(pub(crate) TcpListener);

impl Listener for TappedListener {
    type Io = Tapped;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Tapped, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Without it an answer in two writes waits for the peer's delayed acknowledgement; a
        // connection that refuses the option is only slower.
        let _ = stream.set_nodelay(true);
        (Tapped { stream, wire: Wire::default() }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A connection whose inbound bytes are copied to its [`Wire`].
pub(crate) struct Tapped {
    stream: TcpStream,
    wire: Wire,
}

impl Tapped {
    fn unless_severed<T>(
        &mut self,
        write: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.wire.state().severed {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        write(Pin::new(&mut self.stream))
    }
}

impl AsyncRead for Tapped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let mut state = self.wire.state();
        let room = MAX_CAPTURED.saturating_sub(state.inbound.len());
        state.inbound.extend(buf.filled().iter().skip(before).take(room));
        drop(state);
        polled
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.unless_severed(|stream| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.unless_severed(|stream| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.unless_severed(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A body that announces its whole length, sends the first half and then breaks.
pub(crate) struct BrokenBody {
    half: Option<Bytes>,
    announced: usize,
    flushed: bool,
}

impl BrokenBody {
    pub(crate) fn new(body: &[u8]) -> Self {
        let half = body.get(..body.len() / 2).unwrap_or_default();
        BrokenBody { half: Some(Bytes::copy_from_slice(half)), announced: body.len(), flushed: false }
    }
}

impl Body for BrokenBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        // Only a body that is pending lets the server flush what it holds.
        if !self.flushed {
            self.flushed = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.announced).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire_with(bytes: &[u8]) -> Wire {
        let wire = Wire::default();
        wire.state().inbound.extend_from_slice(bytes);
        wire
    }

    #[test]
    fn a_request_is_cut_off_from_the_one_pipelined_behind_it() {
        let wire = wire_with(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /");
        let first = wire.take_request(false, 3);
        assert_eq!(first.bytes, b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
        assert_eq!(&first.bytes[first.head_len..], b"abc");
        assert_eq!(wire.state().inbound, b"GET /");
    }

    #[test]
    fn a_chunked_request_keeps_its_framing_with_and_without_a_trailer() {
        for trailer in ["", "Expires: 0\r\n"] {
            let body = format!("3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n{trailer}\r\n");
            let wire = wire_with(format!("POST / HTTP/1.1\r\n\r\n{body}GET /").as_bytes());
            let first = wire.take_request(true, 13);
            assert_eq!(&first.bytes[first.head_len..], body.as_bytes());
            assert_eq!(wire.state().inbound, b"GET /");
        }
    }

    #[test]
    fn a_frame_that_does_not_parse_is_kept_whole() {
        for body in ["", "x\r\n", "3\r\nab", "0\r\n"] {
            assert_eq!(chunked_len(body.as_bytes()), body.len());
        }
    }
}
