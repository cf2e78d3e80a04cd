//! Ports, as users write them.

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
