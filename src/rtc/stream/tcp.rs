//! A TCP socket that takes no more than it can send soon. What waits in the system can't be dropped any
//! more when it is late; what waits in the outbox can.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes that the system takes beyond what is on its way.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT: u32 = 4 * 1024;

/// The socket. Where the system knows no such limit, an ordinary one.
#[derive(Debug)]
pub(in crate::rtc) struct Tcp(TcpStream);

impl Tcp {
    pub(super) fn new(stream: TcpStream) -> Self {
        // Both are for promptness only: a connection without them works.
        let _ = stream.set_nodelay(true);
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let _ = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT);
        Self(stream)
    }

    pub(super) fn get(&self) -> &TcpStream {
        &self.0
    }
}

impl AsyncRead for Tcp {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, to)
    }
}

impl AsyncWrite for Tcp {
    /// Linux looks at the limit only where a new segment begins, and a segment grows to 64 KB while it
    /// waits: each writing ends its segment.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream = &self.get_mut().0;
        loop {
            std::task::ready!(stream.poll_write_ready(cx))?;
            let send =
                || socket2::SockRef::from(stream).send_with_flags(bytes, libc::MSG_EOR | libc::MSG_NOSIGNAL);
            match stream.try_io(tokio::io::Interest::WRITABLE, send) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}
