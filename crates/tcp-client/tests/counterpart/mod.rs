//! A server made for a test, and the client against it.

// A test fails by panicking. No test file uses all of this.
#![allow(clippy::unwrap_used, dead_code)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use common::testing::{Finished, run};
use socket2::{Domain, Socket, Type};

pub const TCP_CLIENT: &str = env!("CARGO_BIN_EXE_tcp-client");

/// Listens on `address`, and serves one connection with `serve`. Returns the bound address,
/// and a thread that ends with what `serve` returns.
pub fn server<T: Send + 'static>(
    address: &str,
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    (address, thread::spawn(move || serve(listener.accept().unwrap().0)))
}

/// The tutorial's server: one receive, the reply, the end.
pub fn answer(reply: &'static [u8]) -> impl FnOnce(TcpStream) -> (Vec<u8>, SocketAddr) {
    move |mut stream| {
        let mut message = vec![0; 1024];
        let len = stream.read(&mut message).unwrap();
        message.truncate(len);
        stream.write_all(reply).unwrap();
        (message, stream.peer_addr().unwrap())
    }
}

/// Runs the client against `server` with more arguments.
pub fn client(server: SocketAddr, args: &[&str]) -> Finished {
    run(TCP_CLIENT, &[&[server.to_string().as_str()], args].concat())
}

pub fn assert_failed(ended: &Finished, status: i32, line: &str) {
    assert_eq!(ended.stderr, format!("tcp-client: {line}\n"));
    assert_eq!((ended.stdout.as_str(), ended.status), ("", Some(status)));
}

/// An address that this test holds, and on which nobody listens.
pub fn reserved() -> (Socket, SocketAddr) {
    reserved_at(SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// The same, on the IP address of `own`.
pub fn reserved_at(own: SocketAddr) -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::for_address(own), Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&own.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}
