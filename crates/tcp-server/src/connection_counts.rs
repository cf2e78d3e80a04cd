//! What the state machine takes for a connection: `scripts/counts`.

use common::testing::counted::count;

use super::*;

/// From the event that a message is there to the peer's end.
fn serve(connection: &mut Connection<Script>, reply: &Arc<[u8]>, now: Instant) {
    let mut buffer = [0; BUFFER_SIZE];
    connection.on_ready(false);
    loop {
        match connection.step(&mut buffer, &TERMS, now) {
            Step::Received(_) => connection.answer(Arc::clone(reply)),
            Step::Answered(_) | Step::Again => {}
            Step::WaitToReceive => connection.on_ready(true),
            Step::WaitToSend => panic!("the script takes everything"),
            Step::Ended(_) => break,
        }
    }
}

#[test]
#[ignore = "scripts/counts runs it"]
fn an_exchange() {
    let now = Instant::now();
    let reply: Arc<[u8]> = b"ACK!".as_slice().into();
    count(
        || (),
        || {
            let mut connection = connection([Ok(22), PEER_ENDS], [], now);
            serve(&mut connection, &reply, now);
            assert!(connection.stream.ended);
        },
    );
}
