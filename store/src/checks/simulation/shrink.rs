//! Finds a short list of steps that still fails.

use super::super::operation::{Operation, Step};
use std::time::{Duration, Instant};

/// Takes away steps, then joins moves of the clock and takes away panics and passing time, for as long as `fails` says that what is left
/// fails still, and at most for `time`.
pub(super) fn shrink(
    steps: &[Step],
    time: Duration,
    mut fails: impl FnMut(&[Step]) -> bool,
) -> Vec<Step> {
    let began = Instant::now();
    let mut steps = steps.to_vec();
    let mut size = steps.len().div_ceil(2);
    while size > 0 && began.elapsed() < time {
        let mut at = 0;
        let mut shorter = false;
        while at < steps.len() && began.elapsed() < time {
            let mut fewer = steps.clone();
            fewer.drain(at..steps.len().min(at + size));
            if fails(&fewer) {
                steps = fewer;
                shorter = true;
            } else {
                at += size;
            }
        }
        // At single steps, go round until no step can be taken away any more.
        size = if size > 1 { size / 2 } else { usize::from(shorter) };
    }
    join_advances(&mut steps, &mut fails);
    for at in 0..steps.len() {
        for simpler in simpler(&steps[at]) {
            let former = std::mem::replace(&mut steps[at], simpler);
            if !fails(&steps) {
                steps[at] = former;
            }
        }
    }
    steps
}

/// Makes one advance of two that follow each other, wherever that still fails.
fn join_advances(steps: &mut Vec<Step>, fails: &mut impl FnMut(&[Step]) -> bool) {
    let mut at = 1;
    while at < steps.len() {
        if let (Operation::Advance(first), Operation::Advance(second)) =
            (&steps[at - 1].operation, &steps[at].operation)
        {
            let joined = Operation::Advance(first.saturating_add(*second));
            let mut fewer = steps.clone();
            fewer.remove(at);
            fewer[at - 1].operation = joined;
            if fails(&fewer) {
                *steps = fewer;
                continue;
            }
        }
        at += 1;
    }
}

fn simpler(step: &Step) -> [Step; 2] {
    [
        Step { fault: None, ..step.clone() },
        Step { fault: None, elapses: Duration::ZERO, ..step.clone() },
    ]
}

#[test]
fn shrinking_leaves_the_steps_that_the_failure_needs() {
    let put = |key| Step {
        operation: Operation::Put { key, value: 0 },
        fault: None,
        elapses: Duration::from_millis(1),
    };
    let steps: Vec<Step> = (0..500).map(put).collect();
    let needs = |steps: &[Step]| {
        [17, 400].iter().all(|&key| steps.iter().any(|s| s.operation.key() == Some(key)))
    };
    let shrunk = shrink(&steps, Duration::from_secs(5), needs);
    assert_eq!(shrunk.len(), 2);
    assert!(shrunk.iter().all(|step| step.elapses.is_zero()));
}
