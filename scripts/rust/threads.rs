//! A server with a thread for each connection, on the standard library alone: what one would
//! write first in Rust. It answers each connection's message, and prints nothing but its port.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::{io, thread};

fn serve(mut connection: TcpStream) -> io::Result<()> {
    let _ = connection.read(&mut [0; 1024])?;
    connection.write_all(b"ACK!")
}

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    for connection in listener.incoming() {
        let connection = connection?;
        thread::spawn(move || serve(connection));
    }
    Ok(())
}
