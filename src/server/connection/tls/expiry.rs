//! Says that a certificate in use is about to expire, and that it has: a file that nobody renews ends the service for everybody.

use std::time::{Duration, Instant, SystemTime};

use time::OffsetDateTime;

/// How long before the expiry of a certificate the warnings begin.
const NOTICE: Duration = Duration::from_hours(7 * 24);

/// How often they are repeated.
const REPEAT_SOON: Duration = Duration::from_hours(24);
const REPEAT_EXPIRED: Duration = Duration::from_mins(5);

/// How far the certificates are from their expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// One expires within seven days.
    Soon,
    /// One has expired.
    Expired,
}

impl Stage {
    pub(super) fn of(expires: SystemTime, now: SystemTime) -> Option<Self> {
        if expires <= now {
            Some(Self::Expired)
        } else if expires <= now + NOTICE {
            Some(Self::Soon)
        } else {
            None
        }
    }
}

/// What was last said.
#[derive(Debug, Default)]
pub(super) struct ExpiryNotice(Option<(Stage, Instant)>);

impl ExpiryNotice {
    /// Whether it is time to say that the certificates are at `stage`: it is worse than what was last said, or that is long ago.
    pub(super) fn is_due(&mut self, stage: Option<Stage>, now: Instant) -> bool {
        let repeat = if stage == Some(Stage::Expired) { REPEAT_EXPIRED } else { REPEAT_SOON };
        let is_said = self.0.is_some_and(|(said, at)| Some(said) == stage && now.duration_since(at) < repeat);
        let is_due = stage.is_some() && !is_said;
        if is_due || stage.is_none() {
            self.0 = stage.map(|stage| (stage, now));
        }
        is_due
    }
}

/// A time in UTC, to the second.
pub(super) fn text(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    let (hour, minute, second) = time.to_hms();
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", time.date())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_begin_seven_days_before_and_change_at_the_expiry() {
        let now = SystemTime::now();
        let day = Duration::from_hours(24);
        assert_eq!(Stage::of(now + 8 * day, now), None);
        assert_eq!(Stage::of(now + 7 * day, now), Some(Stage::Soon));
        assert_eq!(Stage::of(now + Duration::from_secs(1), now), Some(Stage::Soon));
        assert_eq!(Stage::of(now, now), Some(Stage::Expired));
    }

    #[test]
    fn each_stage_is_said_at_once_and_again_at_intervals() {
        let (mut notice, start) = (ExpiryNotice::default(), Instant::now());
        let mut is_due = |stage, seconds| notice.is_due(stage, start + Duration::from_secs(seconds));
        let (soon, expired) = (Some(Stage::Soon), Some(Stage::Expired));
        assert!(!is_due(None, 0));
        assert!(is_due(soon, 5) && !is_due(soon, 10) && !is_due(soon, 86_404) && is_due(soon, 86_405));
        assert!(is_due(expired, 86_410) && !is_due(expired, 86_415) && is_due(expired, 86_710));
        // A renewed certificate begins anew.
        assert!(!is_due(None, 86_715) && is_due(soon, 86_720));
    }

    #[test]
    fn times_are_written_to_the_second() {
        assert_eq!(text(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_007)), "2027-01-15T08:00:07Z");
    }
}
