//! So many in so much time, as people write it: `100/s`, `600/m`, `5000/h`.

use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

/// The most that can be asked for: beyond a million a second nothing is limited any more.
const PER_SECOND_MAX: u64 = 1_000_000;

/// So many in a window, and as many at once. What was used comes back evenly over the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    quota: NonZeroU32,
    window: Window,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Window {
    Second,
    Minute,
    Hour,
}

/// Text that is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rate is a whole number and a unit, such as 100/s, 600/m or 5000/h, and at most a million a second")]
pub struct ParseRateError;

impl Rate {
    /// So many a second.
    pub const fn per_second(quota: NonZeroU32) -> Self {
        Self { quota, window: Window::Second }
    }

    /// So many a minute.
    pub const fn per_minute(quota: NonZeroU32) -> Self {
        Self { quota, window: Window::Minute }
    }

    /// How many in a window.
    pub const fn quota(self) -> u32 {
        self.quota.get()
    }

    /// How long the window is.
    pub const fn window(self) -> Duration {
        match self.window {
            Window::Second => Duration::from_secs(1),
            Window::Minute => Duration::from_mins(1),
            Window::Hour => Duration::from_hours(1),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.window {
            Window::Second => 's',
            Window::Minute => 'm',
            Window::Hour => 'h',
        };
        write!(f, "{}/{unit}", self.quota)
    }
}

impl FromStr for Rate {
    type Err = ParseRateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (quota, unit) = text.split_once('/').ok_or(ParseRateError)?;
        let window = match unit.trim() {
            "s" => Window::Second,
            "m" => Window::Minute,
            "h" => Window::Hour,
            _ => return Err(ParseRateError),
        };
        let rate = Self { quota: quota.trim().parse().map_err(|_| ParseRateError)?, window };
        let per_second = u64::from(rate.quota()) / rate.window().as_secs();
        if per_second > PER_SECOND_MAX { Err(ParseRateError) } else { Ok(rate) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_read_as_they_are_written() {
        for text in ["1/s", "600/m", "5000/h", "1000000/s"] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!(rate.to_string(), text);
        }
        let rate: Rate = " 600 / m".parse().unwrap();
        assert_eq!((rate.quota(), rate.window()), (600, Duration::from_mins(1)));
        for bad in ["", "600", "600/", "/m", "0/m", "-1/s", "1.5/s", "1/d", "1000001/s", "99999999999/h", "1/s/s"] {
            assert_eq!(bad.parse::<Rate>(), Err(ParseRateError), "{bad}");
        }
    }
}
