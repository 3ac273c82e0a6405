//! What the library runs on: tokio, with three differences. Sockets receive one datagram at a time
//! into small buffers, host names come from a table that was filled beforehand, and the end of the
//! task that drives the connection, by a panic too, becomes an event instead of silence.

use std::collections::HashMap;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::net::UdpSocket;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime,
    TokioRuntime, Transmit,
};

use super::shared::Shared;

/// How long one host name may take.
const RESOLVE_WITHIN: Duration = Duration::from_secs(1);

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Host names of servers, looked up before the connection is built: the library looks them up in
/// the task that drives everything else.
#[derive(Debug, Default, Clone)]
pub(super) struct Names(HashMap<String, Vec<SocketAddr>>);

impl Names {
    /// Looks up every `host:port`, all at once. What cannot be found in a second is left out.
    pub(super) async fn look_up(hosts: Vec<String>) -> Self {
        let lookups = hosts.into_iter().map(|host| async move {
            let found =
                tokio::time::timeout(RESOLVE_WITHIN, tokio::net::lookup_host(host.clone())).await;
            match found {
                Ok(Ok(addresses)) => Some((host, addresses.collect())),
                _ => {
                    tracing::warn!("the name of an ICE server cannot be resolved");
                    None
                }
            }
        });
        let found = futures_util::future::join_all(lookups).await;
        Self(found.into_iter().flatten().collect())
    }
}

/// The runtime of one connection.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) shared: Arc<Shared>,
    pub(super) names: Names,
}

/// Reports the end of the driving task, however it ends.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.events.failed();
    }
}

impl Runtime for Driver {
    /// Spawned for this connection is only the task that drives it: its sockets are UDP sockets.
    fn spawn(&self, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        let ended = Ended(Arc::clone(&self.shared));
        TokioRuntime.spawn(Box::pin(async move {
            let _ended = ended;
            future.await;
        }))
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        socket.set_nonblocking(true)?;
        Ok(Arc::new(Datagrams(UdpSocket::from_std(socket)?)))
    }

    fn wrap_tcp_listener(
        &self,
        listener: std::net::TcpListener,
    ) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    /// Never: remote TCP candidates are left out before the library sees them.
    fn connect_tcp<'a>(
        &'a self,
        _remote: SocketAddr,
    ) -> Boxed<'a, io::Result<Arc<dyn AsyncTcpStream>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn resolve_host<'a>(&'a self, host: &'a str) -> Boxed<'a, io::Result<Vec<SocketAddr>>> {
        let found = self.names.0.get(host).cloned();
        Box::pin(async move { found.ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }

    fn sleep(&self, duration: Duration) -> Boxed<'static, ()> {
        TokioRuntime.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }

    fn name(&self) -> &'static str {
        "letsmeet"
    }
}

/// A UDP socket without batching: a call has some hundred small packets a second, and the buffers
/// for batches cost 96 KB a socket.
#[derive(Debug)]
struct Datagrams(UdpSocket);

impl AsyncUdpSocket for Datagrams {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_send_ready(cx))?;
            match self.0.try_send_to(transmit.contents, transmit.destination) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (Some(buffer), Some(meta)) = (bufs.first_mut(), meta.first_mut()) else {
            return Poll::Ready(Ok(0));
        };
        loop {
            ready!(self.0.poll_recv_ready(cx))?;
            match self.0.try_recv_from(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok((length, from)) => {
                    *meta = RecvMeta::default();
                    meta.addr = from;
                    meta.len = length;
                    meta.stride = length.max(1);
                    return Poll::Ready(Ok(1));
                }
            }
        }
    }
}
