//! Whatever users write for an address is one or is none; what is one prints
//! as the same.

#![no_main]

use common::address::Address;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(address) = text.parse::<Address>() {
        let again: Address = address.to_string().parse().expect("what is printed is an address");
        // A port that was left out is printed.
        assert_eq!((again.port(), again.host), (address.port(), address.host), "{text:?}");
    }
});
