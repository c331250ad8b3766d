//! All that happened to one key, and what a look-up may have found of it.

use std::collections::HashMap;

use crate::replay::record::Suspect;

/// Deadlines are exact to a millisecond.
pub(super) const EXACTNESS_NS: u64 = 1_000_000;

/// An operation that changed a key, or may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Write {
    /// It began at this moment or later.
    pub(super) from: u64,
    /// It ended at this moment or earlier.
    pub(super) until: u64,
    /// What a value that it wrote carries.
    pub(super) version: u32,
    pub(super) effect: Effect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The key has a value, until a moment within the bracket if there is one.
    Put(Option<(u64, u64)>),
    Deleted,
    /// If the key had a value, it now ends within the bracket.
    Expire((u64, u64)),
    /// If the key had no value, it now has one, until a moment within the bracket if there is one.
    /// Whether it had one is not known.
    Fill(Option<(u64, u64)>),
}

impl Effect {
    /// Whether it takes place whatever the key was before, and so hides that.
    const fn is_certain(self) -> bool {
        matches!(self, Self::Put(_) | Self::Deleted)
    }

    /// Whether a get may find what it wrote.
    const fn may_write(self) -> bool {
        matches!(self, Self::Put(_) | Self::Fill(_))
    }
}

/// All that happened to one key.
#[derive(Debug, Default)]
pub(super) struct History {
    /// In order of `from`.
    pub(super) writes: Vec<Write>,
    /// The longest time between `from` and `until`.
    longest: u64,
    /// Whether any of them hides what was before it.
    certain: bool,
    /// Of a long history that nothing hides: when each version may have been written first. A
    /// popular key that is read through has millions of fills, too many to search for each get.
    earliest: HashMap<u32, u64>,
}

/// Histories longer than this are searched by version.
const LONG: usize = 64;

/// What explains a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Explanation {
    /// A delete, or that the key was never put before.
    Absent,
    /// A deadline that may have passed.
    Expired,
    /// Nothing does.
    None,
}

impl History {
    /// Puts what was collected into order.
    pub(super) fn settle(&mut self, version_mask: u32) {
        self.writes.sort_unstable_by_key(|write| write.from);
        self.longest = self.writes.iter().map(|write| write.until - write.from).max().unwrap_or(0);
        self.certain = self.writes.iter().any(|write| write.effect.is_certain());
        if !self.certain && self.writes.len() > LONG {
            for write in self.writes.iter().filter(|write| write.effect.may_write()) {
                self.earliest.entry(write.version & version_mask).or_insert(write.from);
            }
        }
    }

    /// The writes that can decide what a get within the bracket `seen` finds, and whether one of
    /// them was surely over when it began: the last such hides all that was over before itself.
    fn visible(&self, (from, until): (u64, u64)) -> (impl Iterator<Item = &Write>, bool) {
        let begun = &self.writes[..self.writes.partition_point(|write| write.from <= until)];
        let over = |write: &&Write| write.until <= from && write.effect.is_certain();
        let last = if self.certain { begun.iter().rev().find(over).copied() } else { None };
        let hidden_until = last.map_or(0, |last| last.from);
        let reach = hidden_until.saturating_sub(self.longest);
        let visible = begun
            .iter()
            .rev()
            .take_while(move |write| write.from >= reach)
            .filter(move |write| write.until > hidden_until || Some(**write) == last);
        (visible, last.is_some())
    }

    /// What explains that a get within the bracket `seen` found nothing.
    ///
    /// A deadline explains it unless a later write surely came in time to move it: from the oldest
    /// write that counts to the newest, `alive_until` is how long the key surely had a value.
    pub(super) fn explain_miss(&self, seen: (u64, u64)) -> Explanation {
        let (visible, is_bounded) = self.visible(seen);
        if !is_bounded {
            return Explanation::Absent;
        }
        let mut visible: Vec<&Write> = visible.collect();
        visible.reverse();
        let (mut alive_until, mut over_until) = (u64::MAX, 0);
        for write in visible {
            // Beside another write or the get, its effect may have come before or after.
            let is_last = write.from >= over_until && write.until <= seen.0;
            over_until = over_until.max(write.until);
            let earliest = |deadline: Option<(u64, u64)>| {
                deadline.map_or(u64::MAX, |(earliest, _)| earliest.saturating_sub(EXACTNESS_NS))
            };
            alive_until = match write.effect {
                Effect::Deleted => return Explanation::Absent,
                Effect::Put(deadline) if is_last => earliest(deadline),
                Effect::Expire(deadline) if is_last && write.until < alive_until => {
                    earliest(Some(deadline))
                }
                Effect::Put(deadline) | Effect::Fill(deadline) => {
                    alive_until.min(earliest(deadline))
                }
                Effect::Expire(deadline) => alive_until.min(earliest(Some(deadline))),
            };
        }
        if alive_until <= seen.1 { Explanation::Expired } else { Explanation::None }
    }

    /// Whether a get within the bracket `seen` may have returned a value of this version.
    pub(super) fn may_have_returned_version(
        &self,
        seen: (u64, u64),
        version: u32,
        version_mask: u32,
    ) -> bool {
        if self.earliest.is_empty() {
            let possible = |write: &Write| write.version & version_mask == version;
            return self.may_have_returned(seen, possible);
        }
        self.earliest.get(&version).is_some_and(|&from| from <= seen.1)
    }

    /// Whether a get within the bracket `seen` may have returned what a put wrote that is
    /// `possible`: not if each of those was surely overwritten or deleted before it began.
    fn may_have_returned(&self, seen: (u64, u64), possible: impl Fn(&Write) -> bool) -> bool {
        let (mut visible, _) = self.visible(seen);
        visible.any(|write| write.effect.may_write() && possible(write))
    }

    /// Whether the value was returned after the latest deadline it can have had; `None` if no put
    /// is known that may have made it.
    pub(super) fn is_stale(&self, suspect: &Suspect) -> Option<bool> {
        let carried_ns = u64::from(suspect.deadline_ms) * 1_000_000;
        let may_have_made = |write: &&Write| match write.effect {
            Effect::Put(Some((earliest, latest))) | Effect::Fill(Some((earliest, latest))) => {
                earliest <= carried_ns + 1_000_000 && carried_ns <= latest
            }
            _ => false,
        };
        let is_late = |deadline: u64| suspect.seen_ns >= deadline.saturating_add(EXACTNESS_NS);
        let mut stale = None;
        for put in self.writes.iter().filter(may_have_made) {
            if let Effect::Put(Some((_, own))) | Effect::Fill(Some((_, own))) = put.effect {
                stale = Some(is_late(own) && !self.was_extended(put, suspect, is_late));
            }
            if stale == Some(false) {
                break;
            }
        }
        stale
    }

    /// Whether an expire that may have come after the put may have moved the deadline so that it is
    /// not late. One that had not begun when the value was seen finds a value that is dead already;
    /// so does the touch that follows the get itself.
    fn was_extended(&self, put: &Write, suspect: &Suspect, is_late: impl Fn(u64) -> bool) -> bool {
        let seen_ns = suspect.seen_ns;
        let begun = &self.writes[..self.writes.partition_point(|write| write.from <= seen_ns)];
        let reach = put.from.saturating_sub(self.longest);
        let is_own = |write: &Write| write.version == suspect.reader && write.until >= seen_ns;
        // The newest first: where deadlines slide, it is the one that explains.
        let later = begun.iter().rev().take_while(|write| write.from >= reach);
        let mut expires = later.filter(|write| write.until >= put.from && !is_own(write));
        expires.any(|write| matches!(write.effect, Effect::Expire((_, latest)) if !is_late(latest)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Times;
    use super::*;

    const MS: u64 = 1_000_000;

    fn write(from: u64, until: u64, effect: Effect) -> Write {
        Write { from: from * MS, until: until * MS, version: 7, effect }
    }

    fn put(from: u64, until: u64) -> Write {
        write(from, until, Effect::Put(None))
    }

    fn put_ttl(from: u64, until: u64, ttl: u64) -> Write {
        write(from, until, Effect::Put(Some(((from + ttl) * MS, (until + ttl) * MS))))
    }

    fn history(writes: &[Write]) -> History {
        let mut history = History { writes: writes.to_vec(), ..History::default() };
        history.settle(u32::MAX);
        history
    }

    fn explain_at(writes: &[Write], from: u64, until: u64) -> Explanation {
        history(writes).explain_miss((from * MS, until * MS))
    }

    #[test]
    fn the_deadline_of_a_server_lies_where_its_clock_may_have_it() {
        let minute = 60_000 * MS;
        let of = |one_clock| {
            let times = Times { load_start_ns: 0, one_clock };
            let deadline = times.widened((minute, minute + MS), minute);
            let put = Write { from: 0, until: MS, version: 7, effect: Effect::Put(Some(deadline)) };
            let mut history = History { writes: vec![put], ..History::default() };
            history.settle(u32::MAX);
            let missed = |at: u64| history.explain_miss((at, at + MS));
            let stale = |seen_ns: u64| {
                history.is_stale(&Suspect { key: 1, deadline_ms: 60_000, reader: 9, seen_ns })
            };
            let ms = |ms: u64| minute + ms * MS;
            (
                [missed(ms(0) - 29 * MS), missed(ms(0) - 34 * MS)],
                [stale(ms(2)), stale(ms(32)), stale(ms(33))],
            )
        };
        let (early, late) = (Explanation::None, Some(true));
        assert_eq!(of(true), ([early, early], [late, late, late]));
        assert_eq!(of(false), ([Explanation::Expired, early], [Some(false), Some(false), late]));
    }

    #[test]
    fn a_miss_of_a_key_that_must_be_there_is_early() {
        assert_eq!(explain_at(&[put(0, 1)], 5, 6), Explanation::None);
        let deleted_then_put = [write(0, 1, Effect::Deleted), put(2, 3)];
        assert_eq!(explain_at(&deleted_then_put, 5, 6), Explanation::None);
        assert_eq!(explain_at(&[put_ttl(0, 1, 100)], 50, 60), Explanation::None);
        let expired_then_put = [put_ttl(0, 1, 3), put(10, 11)];
        assert_eq!(explain_at(&expired_then_put, 20, 21), Explanation::None);
    }

    #[test]
    fn a_miss_that_anything_may_explain_is_not_early() {
        assert_eq!(explain_at(&[], 5, 6), Explanation::Absent);
        assert_eq!(explain_at(&[put(5, 7)], 6, 8), Explanation::Absent, "put may come later");
        let deleted = [put(0, 1), write(3, 4, Effect::Deleted)];
        assert_eq!(explain_at(&deleted, 5, 6), Explanation::Absent);
        let beside = [put(0, 1), write(5, 9, Effect::Deleted)];
        assert_eq!(explain_at(&beside, 6, 7), Explanation::Absent, "delete may come first");
        let unordered = [write(2, 5, Effect::Deleted), put(3, 4)];
        assert_eq!(explain_at(&unordered, 8, 9), Explanation::Absent, "either may be last");
        assert_eq!(explain_at(&[put_ttl(0, 1, 50)], 48, 50), Explanation::Expired);
        let shortened = [put(0, 1), write(2, 3, Effect::Expire((12 * MS, 13 * MS)))];
        assert_eq!(explain_at(&shortened, 20, 21), Explanation::Expired);
    }

    #[test]
    fn a_deadline_that_was_surely_moved_explains_nothing() {
        let expire = |from, until, ttl| {
            write(from, until, Effect::Expire(((from + ttl) * MS, (until + ttl) * MS)))
        };
        let slid = [put_ttl(0, 1, 15), expire(10, 11, 15), expire(20, 21, 15)];
        assert_eq!(explain_at(&slid, 30, 31), Explanation::None);
        assert_eq!(explain_at(&slid, 34, 36), Explanation::Expired);
        assert_eq!(
            explain_at(&[put_ttl(0, 1, 15), expire(14, 15, 15)], 20, 21),
            Explanation::Expired,
            "it may have come too late"
        );
        let beside = [put_ttl(0, 5, 15), expire(3, 6, 90)];
        assert_eq!(explain_at(&beside, 30, 31), Explanation::Expired, "the put may be last");
        let with_get = [put_ttl(0, 1, 15), expire(5, 30, 90)];
        assert_eq!(explain_at(&with_get, 20, 21), Explanation::Expired, "the get may be first");
        let after_gap = [put_ttl(0, 1, 3), expire(10, 11, 90)];
        assert_eq!(explain_at(&after_gap, 20, 21), Explanation::Expired, "it revives nothing");
        let shortened = [put_ttl(0, 1, 90), expire(2, 3, 5)];
        assert_eq!(explain_at(&shortened, 20, 21), Explanation::Expired);
    }

    #[test]
    fn an_expire_that_begins_after_the_value_was_seen_does_not_excuse_it() {
        let late = write(200, 201, Effect::Expire((300 * MS, 301 * MS)));
        let writes = [put_ttl(10, 14, 100), late];
        assert_eq!(history(&writes).is_stale(&suspect(110, 150)), Some(true));
        assert_eq!(history(&writes).is_stale(&suspect(110, 200)), Some(false));
        let own = Suspect { reader: late.version, ..suspect(110, 200) };
        assert_eq!(history(&writes).is_stale(&own), Some(true), "nor does its own touch");
    }

    #[test]
    fn a_long_history_of_fills_is_judged_as_a_short_one() {
        let fill = |at: u64, version| Write { version, ..write(at, at + 1, Effect::Fill(None)) };
        let long: Vec<Write> =
            (0..=LONG as u64).zip(0..).map(|(at, version)| fill(at, version)).collect();
        let (long, short) = (history(&long), history(&long[..LONG]));
        assert!(short.earliest.is_empty() && !long.earliest.is_empty());
        for (version, from) in [(0, 5), (7, 5), (7, 9), (30, 5), (99, 90)] {
            let judge = |history: &History| {
                history.may_have_returned_version((from * MS, (from + 1) * MS), version, u32::MAX)
            };
            assert_eq!(judge(&long), judge(&short), "version {version} seen at {from}");
        }
    }

    #[test]
    fn a_fill_may_have_written_or_not() {
        let fill = |from, until, deadline| write(from, until, Effect::Fill(deadline));
        assert_eq!(explain_at(&[fill(0, 1, None)], 5, 6), Explanation::Absent, "never surely put");
        assert_eq!(explain_at(&[put(0, 1), fill(2, 3, None)], 5, 6), Explanation::None);
        let refilled = [put_ttl(0, 1, 3), fill(10, 11, Some((20 * MS, 21 * MS)))];
        assert_eq!(explain_at(&refilled, 30, 31), Explanation::Expired);
        let own = |writes: &[Write]| {
            history(writes).may_have_returned((5 * MS, 6 * MS), |write| write.version == 7)
        };
        let newer = |effect| Write { version: 8, ..write(2, 3, effect) };
        assert!(own(&[put(0, 1), newer(Effect::Fill(None))]), "a fill may have found it there");
        assert!(own(&[fill(0, 1, None)]), "and may have written what is returned");
        assert!(!own(&[fill(0, 1, None), newer(Effect::Put(None))]), "surely overwritten");
        let late = history(&[fill(10, 14, Some((110 * MS, 114 * MS)))]);
        assert_eq!(late.is_stale(&suspect(110, 115)), Some(true));
        assert_eq!(late.is_stale(&suspect(110, 113)), Some(false));
    }

    fn suspect(deadline_ms: u32, seen: u64) -> Suspect {
        Suspect { key: 1, deadline_ms, reader: 9, seen_ns: seen * MS }
    }

    #[test]
    fn a_value_is_stale_only_after_the_latest_deadline_it_can_have_had() {
        let writes = [put_ttl(10, 14, 100)];
        assert_eq!(history(&writes).is_stale(&suspect(110, 113)), Some(false));
        assert_eq!(history(&writes).is_stale(&suspect(110, 115)), Some(true));
        assert_eq!(history(&writes).is_stale(&suspect(500, 600)), None, "no put made this value");
        let extended = [writes[0], write(50, 51, Effect::Expire((550 * MS, 551 * MS)))];
        assert_eq!(history(&extended).is_stale(&suspect(110, 300)), Some(false));
        assert_eq!(history(&extended).is_stale(&suspect(110, 552)), Some(true));
    }

    #[test]
    fn a_value_that_was_surely_overwritten_or_deleted_may_not_be_returned() {
        let may = |writes: &[Write], from: u64, until: u64| {
            history(writes).may_have_returned((from * MS, until * MS), |write| write.version == 7)
        };
        let newer = |from, until| Write { version: 8, ..put(from, until) };
        assert!(may(&[put(0, 1)], 5, 6));
        assert!(may(&[put(0, 1), newer(5, 7)], 6, 8), "the newer put may come later");
        assert!(!may(&[put(0, 1), newer(2, 3)], 5, 6), "surely overwritten");
        assert!(!may(&[put(0, 1), write(2, 3, Effect::Deleted)], 5, 6), "surely deleted");
        assert!(may(&[put(0, 3), write(2, 4, Effect::Deleted)], 5, 6), "either may be last");
        assert!(!may(&[newer(0, 1)], 5, 6), "never written");
    }
}
