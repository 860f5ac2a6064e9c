//! What the machine itself takes: a byte goes over loopback to a thread that does nothing else, and comes back. Where even
//! that is late, some other load, or the host of a virtual machine, has had the core.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use super::{histogram, load::Measuring, pace::wait_until};

/// Sends a byte at these instants; answers how long each was on its way there and back, in microseconds.
pub(super) fn echo(begin: Instant, every: Duration, count: u32) -> anyhow::Result<Measuring> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (mut far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    thread::spawn(move || {
        let mut byte = [0];
        // Until the other end is closed.
        while far.read_exact(&mut byte).and_then(|()| far.write_all(&byte)).is_ok() {}
    });
    Ok(thread::spawn(move || {
        let (mut taken, mut byte) = (histogram(), [0]);
        for number in 0..count {
            let due = begin + every * number;
            wait_until(due);
            near.write_all(&byte)?;
            near.read_exact(&mut byte)?;
            taken.record(due.elapsed().as_micros() as u64)?;
        }
        Ok(taken)
    }))
}
