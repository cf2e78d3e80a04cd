//! Room for control messages: what the kernel says of something that was received, besides its
//! bytes (cmsg(3)).

/// A time (32 bytes), the address that a datagram came to (40), an ICMP error with its sender (64),
/// and a TOS or traffic class (24), each of them at most.
const SIZE: usize = 160;

/// Room for all the control messages that the clients ask for. They are aligned structures.
#[derive(Debug)]
#[repr(align(8))]
pub struct Control([u8; SIZE]);

impl Control {
    /// Room in which nothing has been received.
    #[must_use]
    pub fn new() -> Self {
        Self([0; SIZE])
    }

    /// The bytes to receive into.
    pub fn room(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Default for Control {
    fn default() -> Self {
        Self::new()
    }
}
