//! What the four programs of getthrough share: a common ground, and two wings on
//! it. The ground imports neither wing, and the wings do not import each other.
//! There is no event loop here: the two servers' loops are short, and clearer when
//! they are read side by side.
//!
//! The ground:
//!
//! - [`protocol`]: the tutorial's addresses, sizes and strings.
//! - [`inquiry`]: which of a client's datagrams have come to a server.
//! - [`broadcast`]: which addresses are not those of one machine.
//! - [`address`], [`port`], [`duration`], [`percent`], [`options`]: what users write;
//!   [`resolver`]: what the system knows of names.
//! - [`printable`]: a peer's bytes as safe text.
//! - [`output`]: how a program prints; [`logging`]: where its log goes.
//! - [`exit`]: a failure as one line for the user, and an exit status.
//! - [`descriptors`]: how many descriptors a process may have open; [`signals`]: what it
//!   inherits of signals; [`stream`]: the calls on a TCP connection.
//!
//! The wings. Each is a feature of the same name, with dependencies of its own:
//!
//! - `server`: for tcp-server and udp-server.
//! - `probe`: for tcp-client and udp-client.
//!
//! A third feature, `testing`, has the harness of the black-box tests.

pub mod address;
pub mod broadcast;
pub mod descriptors;
pub mod duration;
pub mod exit;
pub mod inquiry;
pub mod logging;
pub mod options;
pub mod output;
pub mod percent;
pub mod port;
pub mod printable;
pub mod protocol;
pub mod resolver;
pub mod signals;
pub mod stream;

#[cfg(feature = "probe")]
pub mod probe;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "testing")]
pub mod testing;
