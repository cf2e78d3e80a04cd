//! Ports, as users write them: a number, or the name of a service.

use std::str::FromStr;

use crate::protocol::Transport;
use crate::resolver;

/// What users may write with the name of a service.
pub trait ParseOver: FromStr<Err = String> + Clone + Send + Sync + 'static {
    /// Parses `text` for a program that speaks `transport`. (Without one, as by [`FromStr`], no
    /// service has a name.)
    ///
    /// # Errors
    /// Says what is wrong with `text`, for the user.
    fn parse_over(transport: Transport, text: &str) -> Result<Self, String>;
}

/// A port as a word of its own, after a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port(pub u16);

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse_port(text).map(Self).map_err(|reason| explained(text, reason))
    }
}

impl ParseOver for Port {
    fn parse_over(transport: Transport, text: &str) -> Result<Self, String> {
        port_over(transport, text).map(Self).map_err(|reason| explained(text, reason))
    }
}

/// The `reason` why `text` is no port, with what may have been meant.
fn explained(text: &str, reason: String) -> String {
    let is_digit = |b: u8| b.is_ascii_digit();
    if text.is_empty() {
        "no port".to_owned()
    } else if text.bytes().all(is_digit) {
        reason
    } else if text.bytes().any(is_digit) && text.bytes().all(|b| is_digit(b) || b"-,:".contains(&b))
    {
        "not a port (one at a time)".to_owned()
    } else {
        // The word stands before the reason already.
        let reason = reason.strip_prefix(&format!("'{text}' is ")).unwrap_or(&reason);
        format!("{reason} (a message goes with --message, in quotes)")
    }
}

/// Parses a port in decimal digits.
///
/// # Errors
/// Says why `text` is no port, for the user.
pub fn parse_port(text: &str) -> Result<u16, String> {
    if text.is_empty() {
        return Err("no port after the colon".to_owned());
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("'{text}' is not a port"));
    }
    text.parse().map_err(|_| format!("port {text} is above 65535"))
}

/// Parses a port in decimal digits, or the name of a service.
///
/// # Errors
/// Says why `text` is no port, for the user.
pub fn port_over(transport: Transport, text: &str) -> Result<u16, String> {
    match parse_port(text) {
        Err(_) if is_service_name(text) => resolver::service(transport, text).ok_or_else(|| {
            format!("'{text}' is neither a port nor a {transport} service in /etc/services")
        }),
        parsed => parsed,
    }
}

/// Whether `text` is written like the name of a service: RFC 6335, section 5.1, and the
/// underscores, dots and pluses of older names.
fn is_service_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().any(|b| b.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_+.".contains(&b))
}
