//! What docs/learning.md shows of this program.

use common::testing::page::run_sections;

const UDP_SERVER: &str = env!("CARGO_BIN_EXE_udp-server");

#[test]
fn the_page_for_learners_shows_what_is_printed() {
    assert_ne!(run_sections("learning.md", Some(("udp-server", UDP_SERVER))), 0);
}
