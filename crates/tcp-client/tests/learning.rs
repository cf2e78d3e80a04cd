//! What docs/learning.md shows of this program.

use common::testing::page::run_sections;

const TCP_CLIENT: &str = env!("CARGO_BIN_EXE_tcp-client");

#[test]
fn the_page_for_learners_shows_what_is_printed() {
    assert_ne!(run_sections("learning.md", Some(("tcp-client", TCP_CLIENT))), 0);
}
