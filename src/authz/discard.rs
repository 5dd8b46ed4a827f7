//! The body of a request that is refused before it is read.
//!
//! A client sends headers and body apart. If the response to the headers ends the stream, the body that follows is for a stream that is
//! closed, which HTTP/2 counts as the client's error: after a thousand of them h2 ends the connection, and with it the calls of everybody
//! behind the same proxy. So the response waits until the body is there, which it usually is.

use std::pin::pin;
use std::time::Duration;

use http_body::Body;
use http_body_util::BodyExt as _;

/// How long the response waits. Whoever takes longer to send has its stream closed.
const TIME: Duration = Duration::from_millis(100);

/// How much is read: as much as a client may send without being told to go on.
const BYTES: usize = 64 * 1024;

/// Reads a body to its end, within limits, and forgets it.
pub(super) async fn discard<B: Body>(body: B) {
    if body.is_end_stream() {
        return;
    }
    let mut body = pin!(body);
    let read = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await
            && read < BYTES
        {
            read += frame.data_ref().map_or(0, hyper::body::Buf::remaining);
        }
    };
    // It does not matter how it ends.
    let _: Result<(), _> = tokio::time::timeout(TIME, read).await;
}
