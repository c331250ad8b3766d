//! What one key may do, one call after the other, with deadlines.
//!
//! A call reads the clock at some moment between its beginning and its end; for a new deadline that
//! moment may lie before the one at which the call takes effect (`put_with_ttl` works it out
//! before it locks). So what is known after a call is not one state but a few: those that differ in
//! the deadline. An answer is right if one of them gives it, and leaves those that do.

use super::super::operation::Decision;
use super::STEP_MS;
use crate::Ttl;
use std::collections::BTreeSet;
use todc_utils::Specification;

/// The default TTL of the stores whose histories are judged, in moves of the clock.
const DEFAULT_TTL_STEPS: u64 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Put(u32, Ttl),
    Get,
    Contains,
    Delete,
    Expire(Ttl),
    Persist,
    Update(u32),
    Compute(Decision),
    /// `get_or_put_with`, whose loader returns this.
    Load(u32),
    /// The loader that returns this begins.
    LoadBegins(u32),
    /// Of all keys, and so of this one.
    Purge,
    /// A move of the clock by [`STEP_MS`].
    Advance,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Nothing,
    Value(Option<u32>),
    Flag(bool),
    Computed { shown: Option<u32>, returned: Option<u32> },
}

/// A call with its answer, and the times between which it read the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) call: Call,
    pub(super) answer: Answer,
    pub(super) began_ms: u64,
    pub(super) ended_ms: u64,
}

/// A value and its deadline.
type Pair = (u32, Option<u64>);

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Known {
    now_ms: u64,
    /// What the key may hold; never empty.
    pairs: BTreeSet<Option<Pair>>,
    /// Which loaders have begun, by what they return, and whether the key was written since.
    loads: BTreeSet<(u32, bool)>,
}

/// A key of a store with deadlines.
pub(super) struct Expiring;

impl Specification for Expiring {
    type State = Known;
    type Operation = Event;

    fn init() -> Known {
        Known { now_ms: 0, pairs: BTreeSet::from([None]), loads: BTreeSet::new() }
    }

    fn apply(event: &Event, known: &Known) -> (bool, Known) {
        if event.call == Call::Advance {
            return (true, Known { now_ms: known.now_ms + STEP_MS, ..known.clone() });
        }
        let mut loads = known.loads.clone();
        if let Call::LoadBegins(value) = event.call {
            loads.insert((value, false));
            return (true, Known { loads, ..known.clone() });
        }
        if overtakes(event.call) {
            loads = loads.into_iter().map(|(value, _)| (value, true)).collect();
        }
        let mut pairs = BTreeSet::new();
        for &pair in &known.pairs {
            // From its deadline on, a value is as good as gone.
            let is_live = |&(_, deadline): &Pair| deadline.is_none_or(|at| known.now_ms < at);
            let live = pair.filter(is_live);
            if let (Call::Load(value), None) = (event.call, live) {
                pairs.extend(loaded(event, value, &loads));
            } else if answer(event.call, live) == event.answer {
                pairs.extend(left(event, live));
            }
        }
        if pairs.is_empty() {
            return (false, known.clone());
        }
        (true, Known { now_ms: known.now_ms, pairs, loads })
    }
}

/// Whether what is being loaded must not be stored once this call was made.
fn overtakes(call: Call) -> bool {
    match call {
        Call::Put(..) | Call::Delete | Call::Purge => true,
        Call::Compute(decision) => decision != Decision::Keep,
        _ => false,
    }
}

/// What an absent key may hold after its load has returned what its own loader made: that, unless
/// the key was written meanwhile. It may always stay absent: who is about to write says so before.
fn loaded(event: &Event, value: u32, loads: &BTreeSet<(u32, bool)>) -> Vec<Option<Pair>> {
    let is_own = event.answer == Answer::Value(Some(value));
    match loads.iter().find(|(begun, _)| *begun == value) {
        Some((_, overtaken)) if is_own => {
            let stored = deadlines(event, Ttl::Default, None).filter(|_| !overtaken);
            stored.map(|at| Some((value, at))).chain([None]).collect()
        }
        _ => Vec::new(),
    }
}

/// What the call must answer to one whose key has `live`.
fn answer(call: Call, live: Option<Pair>) -> Answer {
    let value = live.map(|(value, _)| value);
    match call {
        Call::Put(..) | Call::Get | Call::Delete | Call::Update(_) | Call::Load(_) => {
            Answer::Value(value)
        }
        Call::Contains | Call::Expire(_) => Answer::Flag(live.is_some()),
        Call::Persist => Answer::Flag(live.is_some_and(|(_, deadline)| deadline.is_some())),
        Call::Compute(Decision::Keep) => Answer::Computed { shown: value, returned: None },
        Call::Compute(_) => Answer::Computed { shown: value, returned: value },
        Call::Purge | Call::Advance | Call::LoadBegins(_) => Answer::Nothing,
    }
}

/// What the key may hold after the call.
fn left(event: &Event, live: Option<Pair>) -> Vec<Option<Pair>> {
    let with = |value, ttl| deadlines(event, ttl, live).map(move |at| Some((value, at))).collect();
    match event.call {
        Call::Get
        | Call::Contains
        | Call::Compute(Decision::Keep)
        | Call::Load(_)
        | Call::LoadBegins(_)
        | Call::Advance => vec![live],
        Call::Delete | Call::Purge | Call::Compute(Decision::Delete) => vec![None],
        Call::Put(value, ttl) | Call::Compute(Decision::PutWithTtl(value, ttl)) => with(value, ttl),
        Call::Compute(Decision::Put(value)) => with(value, Ttl::Default),
        Call::Update(value) => vec![live.map(|(_, deadline)| (value, deadline))],
        Call::Persist => vec![live.map(|(value, _)| (value, None))],
        Call::Expire(ttl) => match live {
            None => vec![None],
            Some((value, _)) => with(value, ttl),
        },
    }
}

/// The deadlines that `ttl` can mean, depending on when in its course the call read the clock.
fn deadlines(event: &Event, ttl: Ttl, live: Option<Pair>) -> Box<dyn Iterator<Item = Option<u64>>> {
    let ttl_ms = match (ttl, live) {
        (Ttl::Never, _) => return Box::new(std::iter::once(None)),
        (Ttl::Keep, Some((_, deadline))) => return Box::new(std::iter::once(deadline)),
        (Ttl::After(ttl), _) => u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX),
        (Ttl::Keep, None) | (Ttl::Default, _) => DEFAULT_TTL_STEPS * STEP_MS,
    };
    let step = usize::try_from(STEP_MS).unwrap_or(1);
    Box::new((event.began_ms..=event.ended_ms).step_by(step).map(move |at| Some(at + ttl_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use todc_utils::linearizability::WGLChecker;
    use todc_utils::linearizability::history::{Action, History};

    const TTL: Ttl = Ttl::After(Duration::from_millis(10));

    fn event(call: Call, answer: Answer, (began_ms, ended_ms): (u64, u64)) -> Event {
        Event { call, answer, began_ms, ended_ms }
    }

    fn put(value: u32, ttl: Ttl, at_ms: u64) -> Event {
        event(Call::Put(value, ttl), Answer::Value(None), (at_ms, at_ms))
    }

    fn get(value: Option<u32>, at_ms: u64) -> Event {
        event(Call::Get, Answer::Value(value), (at_ms, at_ms))
    }

    fn advance(at_ms: u64) -> Event {
        event(Call::Advance, Answer::Nothing, (at_ms, at_ms + STEP_MS))
    }

    /// Whether these events are right, each ending before the next begins.
    fn accepts(events: &[Event]) -> bool {
        let pair = |&event: &Event| [(0, Action::Call(event)), (0, Action::Response(event))];
        let actions = events.iter().flat_map(pair).collect();
        WGLChecker::<Expiring>::is_linearizable(History::from_actions(actions))
    }

    #[test]
    fn a_value_is_seen_until_its_deadline_and_not_from_then_on() {
        let start = [put(1, TTL, 0), get(Some(1), 0), advance(0), get(Some(1), 5), advance(5)];
        assert!(accepts(&start));
        let with = |last| [start.as_slice(), &[last]].concat();
        assert!(accepts(&with(get(None, 10))));
        assert!(!accepts(&with(get(Some(1), 10))), "a stale read was accepted");
        assert!(!accepts(&[put(1, TTL, 0), advance(0), get(None, 5)]), "early expiry was accepted");
    }

    #[test]
    fn a_lost_write_and_a_value_out_of_thin_air_are_rejected() {
        assert!(!accepts(&[put(1, Ttl::Never, 0), get(None, 0)]));
        assert!(!accepts(&[put(1, Ttl::Never, 0), get(Some(2), 0)]));
        let second = event(Call::Put(2, Ttl::Never), Answer::Value(Some(1)), (0, 0));
        assert!(accepts(&[put(1, Ttl::Never, 0), second, get(Some(2), 0)]));
        assert!(!accepts(&[put(1, Ttl::Never, 0), second, get(Some(1), 0)]));
        assert!(!accepts(&[put(1, Ttl::Never, 0), put(2, Ttl::Never, 0)]), "a put saw no value");
    }

    #[test]
    fn a_lost_update_is_rejected() {
        let update = |from, to| event(Call::Update(to), Answer::Value(Some(from)), (0, 0));
        assert!(accepts(&[put(1, Ttl::Never, 0), update(1, 2), update(2, 3)]));
        // Both updates saw 1, at the same time: one of them was lost.
        let actions = vec![
            (0, Action::Call(put(1, Ttl::Never, 0))),
            (0, Action::Response(put(1, Ttl::Never, 0))),
            (0, Action::Call(update(1, 2))),
            (1, Action::Call(update(1, 3))),
            (0, Action::Response(update(1, 2))),
            (1, Action::Response(update(1, 3))),
        ];
        assert!(!WGLChecker::<Expiring>::is_linearizable(History::from_actions(actions)));
    }

    #[test]
    fn nothing_revives_an_expired_value() {
        let dead = [put(1, TTL, 0), advance(0), advance(5)];
        let with = |call, answer| accepts(&[&dead[..], &[event(call, answer, (10, 10))]].concat());
        for (call, right) in [(Call::Expire(TTL), false), (Call::Persist, false)] {
            assert!(with(call, Answer::Flag(right)));
            assert!(!with(call, Answer::Flag(!right)));
        }
        let kept = [&dead[..], &[put(2, Ttl::Keep, 10), advance(10), get(Some(2), 15)]].concat();
        assert!(accepts(&kept), "a new value has the default TTL");
    }

    #[test]
    fn a_load_is_stored_unless_the_key_was_written_meanwhile() {
        let load = |value, answer| event(Call::Load(value), Answer::Value(Some(answer)), (0, 0));
        let begins = event(Call::LoadBegins(1), Answer::Nothing, (0, 0));
        let delete = event(Call::Delete, Answer::Value(None), (0, 0));
        assert!(accepts(&[begins, load(1, 1), get(Some(1), 0), load(2, 1)]));
        assert!(accepts(&[begins, put(3, TTL, 0), load(1, 3), get(Some(3), 0)]));
        assert!(!accepts(&[begins, load(1, 2)]), "a value from nowhere");
        assert!(!accepts(&[load(1, 1)]), "nobody loaded it");
        assert!(accepts(&[begins, delete, load(1, 1), get(None, 0)]));
        assert!(!accepts(&[begins, delete, load(1, 1), get(Some(1), 0)]), "a stale load");
    }

    #[test]
    fn a_compute_decides_on_what_it_was_shown() {
        let compute = |decision, shown, returned| {
            event(Call::Compute(decision), Answer::Computed { shown, returned }, (0, 0))
        };
        let replace = compute(Decision::PutWithTtl(2, Ttl::Keep), Some(1), Some(1));
        assert!(accepts(&[put(1, TTL, 0), replace, get(Some(2), 0)]));
        assert!(!accepts(&[put(1, TTL, 0), compute(Decision::Put(2), Some(1), None)]));
        assert!(!accepts(&[put(1, TTL, 0), compute(Decision::Delete, None, None)]));
        let kept = [put(1, TTL, 0), replace, advance(0), advance(5), get(Some(2), 10)];
        assert!(!accepts(&kept), "a kept deadline did not come");
    }

    #[test]
    fn a_deadline_counts_from_any_moment_of_its_call_but_from_one() {
        let long = event(Call::Put(1, TTL), Answer::Value(None), (0, 5));
        let begun = [(0, Action::Call(long)), (1, Action::Call(advance(0)))];
        let done = [(1, Action::Response(advance(0))), (0, Action::Response(long))];
        let judge = |later: &[Event]| {
            let pair = |&event: &Event| [(0, Action::Call(event)), (0, Action::Response(event))];
            let later = later.iter().flat_map(pair);
            let actions = begun.iter().chain(&done).cloned().chain(later).collect();
            WGLChecker::<Expiring>::is_linearizable(History::from_actions(actions))
        };
        assert!(judge(&[advance(5), get(None, 10)]), "counted from 0");
        assert!(judge(&[advance(5), get(Some(1), 10), advance(10), get(None, 15)]), "from 5");
        assert!(!judge(&[advance(5), get(None, 10), get(Some(1), 10)]), "from both");
    }
}
