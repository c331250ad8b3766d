//! A connection for tests that holds little on its way: only then does the server see how little a
//! slow client takes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::SockRef;

use super::{Limits, Shared};
use crate::keyspace::{Keyspace, Lifetime, Settings};

/// What a server shares that has a value of 1 MiB under `big` and gives clients 300 ms.
pub(crate) fn shared() -> Arc<Shared> {
    let keyspace = Keyspace::new(Settings::default()).expect("it is plain");
    keyspace.put(b"big", &vec![b'x'; 1 << 20], Lifetime::Never).expect("it is light");
    let limits = Limits { stall: Duration::from_millis(300), ..Limits::default() };
    Arc::new(Shared::new(keyspace, None, limits, 1))
}

/// A client, and the server's end.
pub(crate) fn ends() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let client =
        TcpStream::connect(listener.local_addr().expect("it has one")).expect("it listens");
    let (stream, _) = listener.accept().expect("it is there");
    SockRef::from(&client).set_recv_buffer_size(32 << 10).expect("it can be set");
    SockRef::from(&stream).set_send_buffer_size(16 << 10).expect("it can be set");
    stream.set_nonblocking(true).expect("it can be set");
    (client, stream)
}

/// Asks, and reads what is replied bit by bit: something every few milliseconds, and far too little.
pub(crate) fn ask_and_read_slowly(mut client: TcpStream, request: &str) -> JoinHandle<()> {
    client.write_all(request.as_bytes()).expect("it is taken");
    std::thread::spawn(move || {
        let mut some = [0; 4 << 10];
        while client.read(&mut some).is_ok_and(|read| read > 0) {
            std::thread::sleep(Duration::from_millis(10));
        }
    })
}

/// What `served` gives, if that is soon.
pub(crate) fn soon<T>(served: impl Future<Output = T>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let patience = Duration::from_secs(20);
    let within = async { tokio::time::timeout(patience, served).await.ok() };
    runtime.expect("one can be had").block_on(within)
}
