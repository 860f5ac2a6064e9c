//! Timers of Linux, which are read like pipes. Source: timerfd_create(2).

use std::{io, os::fd::AsFd};

use rustix::{
    io::Errno,
    time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime},
};
use tokio::net::unix::pipe::Receiver;

use crate::time::SessionTime;

/// An instant that never comes.
const NEVER: Timespec = Timespec { tv_sec: i64::MAX, tv_nsec: 0 };

/// Rings at an instant of the time since boot.
pub(super) struct Timer {
    descriptor: Receiver,
    /// What it is set to.
    set_ms: Option<i64>,
}

/// Tells that somebody has set the wall clock.
pub(crate) struct Steps {
    descriptor: Receiver,
}

impl Timer {
    /// One for the machine's own clock; none for a clock that a test sets, or where the system has none to give.
    pub(super) fn by(time: &SessionTime) -> Option<Self> {
        time.since_boot_ms(0)?;
        match create(TimerfdClockId::Boottime) {
            Ok(descriptor) => Some(Self { descriptor, set_ms: None }),
            Err(error) => {
                tracing::warn!(%error, "the system gives no timer; sync sessions look at the clock now and then");
                None
            }
        }
    }

    /// Resolves at the instant. Dropping the future loses nothing.
    pub(super) async fn rings(&mut self, since_boot_ms: i64) -> io::Result<()> {
        if self.set_ms != Some(since_boot_ms) {
            // Zero would turn it off.
            let ms = since_boot_ms.max(1);
            let at = Timespec { tv_sec: ms / 1_000, tv_nsec: ms % 1_000 * 1_000_000 };
            set(&self.descriptor, TimerfdTimerFlags::ABSTIME, at)?;
            self.set_ms = Some(since_boot_ms);
        }
        read(&self.descriptor).await?;
        self.set_ms = None;
        Ok(())
    }
}

impl Steps {
    /// Hears of every step from now on.
    pub(crate) fn listen() -> io::Result<Self> {
        let steps = Self { descriptor: create(TimerfdClockId::Realtime)? };
        steps.set()?;
        Ok(steps)
    }

    /// Resolves when the wall clock was set, or the machine woke up. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> io::Result<()> {
        match read(&self.descriptor).await {
            Err(error) if error.raw_os_error() == Some(Errno::CANCELED.raw_os_error()) => {}
            outcome => outcome?,
        }
        self.set()
    }

    fn set(&self) -> io::Result<()> {
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        match set(&self.descriptor, flags, NEVER) {
            // There was another step, and it is set all the same.
            Err(Errno::CANCELED) => Ok(()),
            outcome => Ok(outcome?),
        }
    }
}

fn create(clock: TimerfdClockId) -> io::Result<Receiver> {
    let descriptor = timerfd_create(clock, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    Receiver::from_owned_fd_unchecked(descriptor)
}

fn set(descriptor: impl AsFd, flags: TimerfdTimerFlags, at: Timespec) -> rustix::io::Result<()> {
    let once = Timespec { tv_sec: 0, tv_nsec: 0 };
    timerfd_settime(descriptor, flags, &Itimerspec { it_interval: once, it_value: at }).map(|_| ())
}

/// Waits until the timer has something to say. What it says is how often it has rung.
async fn read(descriptor: &Receiver) -> io::Result<()> {
    loop {
        descriptor.readable().await?;
        match descriptor.try_read(&mut [0; 8]) {
            // It had nothing to say after all.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            outcome => return outcome.map(|_| ()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use flowork_engine::Clock;

    use super::*;
    use crate::time::Known;

    fn by_the_system() -> (SessionTime, Timer) {
        let time = SessionTime::start(Clock::System, None, Known::default());
        let timer = Timer::by(&time).expect("Linux has timers");
        (time, timer)
    }

    /// What the kernel says of a timer. Source: proc_pid_fdinfo(5).
    fn kernels_view(descriptor: &Receiver) -> String {
        std::fs::read_to_string(format!("/proc/self/fdinfo/{}", descriptor.as_raw_fd())).unwrap()
    }

    #[tokio::test]
    async fn it_rings_at_its_instant_and_not_before() {
        let (time, mut timer) = by_the_system();
        for wait_ms in [0, 1, 30] {
            let at_ms = time.now_ms() + wait_ms;
            timer.rings(time.since_boot_ms(at_ms).unwrap()).await.unwrap();
            assert!(time.now_ms() >= at_ms);
        }
        assert!(kernels_view(&timer.descriptor).contains("clockid: 7"), "by a clock that runs on during a sleep");
    }

    #[tokio::test]
    async fn an_instant_that_was_put_off_does_not_ring() {
        let (time, mut timer) = by_the_system();
        let at = |ms: i64| time.since_boot_ms(time.now_ms() + ms).unwrap();
        let soon = time.now_ms() + 50;
        // Looked at once: it is set then.
        tokio::select! {
            biased;
            rung = timer.rings(at(50)) => rung.unwrap(),
            () = std::future::ready(()) => {}
        }
        while time.now_ms() < soon {
            tokio::task::yield_now().await;
        }
        let hour = at(3_600_000);
        tokio::select! {
            biased;
            _ = timer.rings(hour) => panic!("it rang for what was before"),
            // The runtime has looked at what is ready by then.
            () = async { for _ in 0..1_000 { tokio::task::yield_now().await } } => {}
        }
        timer.rings(at(1)).await.unwrap();
    }

    #[tokio::test]
    async fn the_kernel_is_asked_to_tell_of_every_step_of_the_wall_clock() {
        let steps = Steps::listen().unwrap();
        let told = kernels_view(&steps.descriptor);
        assert!(told.contains("clockid: 0") && told.contains("settime flags: 03"), "{told}");
    }
}
