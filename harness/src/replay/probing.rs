//! Looks for the highest rate at which a phase meets its objectives.
//!
//! One process loads the target once, runs the phases before, and then tries one rate after the
//! other on it: loading ten million pairs for each would take longer than trying. So that each
//! probe finds the same keys, what the one before has deleted, let expire or added is put right
//! in between. Each search is a fresh process, as each repeat of a run is.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::keys::Keys;
use super::oracle::{self, Played};
use super::record::Record;
use super::search::{Range, Search};
use super::session::{self, Progress, Stage};
use super::value::Value;
use crate::environment::timer;
use crate::report::capacity::{Probe, SearchRecord, Settings};
use crate::report::histogram::percentile;
use crate::report::verdict::Outcome;
use crate::report::{Counts, Limit, PhaseRecord, Quantiles, Verdict, merge, verdict};
use crate::target::Target;
use crate::workload::Workload;
use crate::workload::model::{Arrival, Length, Verb};
use crate::workload::restore;
use crate::workload::slo::{Objective, Statistic};
use crate::workload::stream::{self, Script};

/// No rate above this is tried where nothing else ends the search.
const RATE_MAX: f64 = 1e9;

/// What is to be looked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The position of the phase.
    pub phase: usize,
    /// Its objectives that are about times.
    pub objectives: Vec<Objective>,
    /// Where to look, and how exactly.
    pub settings: Settings,
}

/// A search under way.
struct Probing<'a, S, T> {
    stage: Stage<'a, S>,
    target: T,
    plan: &'a Plan,
    progress: &'a mut dyn Progress,
    /// Phases played so far, by the position of their scripts.
    played: Vec<(usize, Vec<Record>)>,
}

/// Runs one search against a new `T`.
pub(super) fn run<T: Target<S::Key, V>, S: Keys, V: Value>(
    workload: &Workload,
    plan: &Plan,
    address: Option<&str>,
    progress: &mut dyn Progress,
    make_keys: fn(&Workload) -> S,
) -> Result<SearchRecord, String> {
    let timer_floor_ns = timer::floor_ns();
    let origin = Instant::now();
    progress.report("operations", 0.0);
    let workload = &probed(workload, plan)?;
    let mut scripts = stream::scripts(workload);
    // Phases after it are there for what they insert, not to be played.
    scripts.truncate(scripts.len() - (workload.phases.len() - plan.phase - 1));
    let ops_digest = stream::digest(workload, &scripts);
    let probe = scripts.len() - 1;
    let restore = restore::script(workload, &scripts);
    let is_restored = restore.is_some();
    scripts.extend(restore);
    progress.report("keys", 0.0);
    let keys = make_keys(workload);
    let (target, stage) = session::open::<T, S, V>(workload, &keys, origin, address)?;
    let mut probing = Probing { stage, target, plan, progress, played: Vec::new() };
    for (number, script) in scripts[..probe].iter().enumerate() {
        probing.play::<V>(number, script)?;
    }
    let prepare_seconds = origin.elapsed().as_secs_f64();
    let (search, mut probes) = probing.search::<V>(&scripts, probe)?;
    let Probing { stage, mut target, mut played, .. } = probing;
    target.finish()?;
    // The process ends soon: to free tens of millions of entries one by one would only take time.
    std::mem::forget(target);
    let mut all: Vec<Played<'_>> = played
        .iter_mut()
        .map(|(number, records)| Played { script: &scripts[*number], records })
        .collect();
    oracle::judge(&mut all, stage.times(), workload.key_count(), V::VERSION_MASK);
    let mut counts = Counts::default();
    let mut of_probes = probes.iter_mut();
    for (number, records) in &played {
        let own = session::counts(records);
        counts.add(&own);
        if *number == probe
            && let Some(probe) = of_probes.next()
        {
            probe.counts = own;
        }
    }
    let found = search.found();
    // The last word on the rate that did not hold.
    let mut failed = probes.iter().rev().filter(|probe| !probe.holds);
    let failed = failed.find(|probe| Some(probe.asked_per_second) == found.fails);
    Ok(SearchRecord {
        ops_digest,
        timer_floor_ns,
        prepare_seconds,
        is_restored,
        holds_per_second: found.holds,
        fails_per_second: found.fails,
        limit: failed.and_then(|probe| probe.limit),
        is_settled: found.is_settled,
        counts,
        probes,
    })
}

/// The workload up to the phase in question, which ends by the clock. How many operations it needs
/// is not known yet: its stream is long enough for the highest rate, or starts over as often as it
/// must.
fn probed(workload: &Workload, plan: &Plan) -> Result<Workload, String> {
    // What is put back takes a command for each key space and one more.
    if workload.keyspaces.len() > 63 {
        return Err("more than 63 key spaces; search with fewer".to_owned());
    }
    let mut workload = workload.clone();
    // What a later phase inserts is asked about in none before, so it must not be forgotten.
    let mut later = workload.phases.split_off(workload.phases.len().min(plan.phase + 1));
    later.retain(|phase| phase.commands.iter().any(|command| command.verb == Verb::Insert));
    for phase in &mut later {
        phase.length = Length::Ops(1);
    }
    let phase = workload.phases.last_mut().ok_or("a workload without phases")?;
    let length = Duration::from_secs_f64(plan.settings.probe_seconds);
    let length_ns = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
    phase.length = Length::DurationNs(length_ns);
    // Arrivals do not wait for anybody's pauses.
    phase.think = None;
    let highest = plan.settings.to_per_second.map(|per_second| Arrival::Poisson { per_second });
    let of = |arrival| stream::stream_len(arrival, length_ns, workload.run.threads as u64);
    let needed = highest.filter(|highest| of(*highest) < of(Arrival::Closed));
    phase.arrival = needed.unwrap_or(Arrival::Closed);
    workload.phases.extend(later);
    Ok(workload)
}

impl<S: Keys, T> Probing<'_, S, T> {
    /// Plays a script once more, and keeps what the oracle will ask for.
    fn play<V: Value>(&mut self, number: usize, script: &Script) -> Result<PhaseRecord, String>
    where
        T: Target<S::Key, V>,
    {
        let fresh = session::new_records(script);
        let place = self.played.len() as u64;
        let (mut records, outcome) =
            self.stage.play(place, script, fresh, &mut self.target, self.progress)?;
        let record = session::phase_record(script, &records, outcome);
        records.iter_mut().for_each(Record::compact);
        self.played.push((number, records));
        Ok(record)
    }

    /// Tries rates until the search is over.
    fn search<V: Value>(
        &mut self,
        scripts: &[Script],
        probe: usize,
    ) -> Result<(Search, Vec<Probe>), String>
    where
        T: Target<S::Key, V>,
    {
        let Settings { from_per_second, to_per_second, precision, .. } = self.plan.settings;
        let (from, to) = (from_per_second, to_per_second.unwrap_or(RATE_MAX));
        let mut search = Search::new(Range { from, to, precision });
        let mut probes = Vec::new();
        let mut script = scripts[probe].clone();
        while let Some(rate) = search.next() {
            if let Some(restore) = scripts.get(probe + 1) {
                self.play::<V>(probe + 1, restore)?;
            }
            script.phase.arrival = Arrival::Poisson { per_second: rate };
            let record = self.play::<V>(probe, &script)?;
            let probe = judge(&record, rate, self.plan)?;
            search.tell(rate, probe.holds);
            probes.push(probe);
        }
        Ok((search, probes))
    }
}

/// Whether the rate was reached and the objectives met, and if not, through whose fault.
fn judge(record: &PhaseRecord, asked_per_second: f64, plan: &Plan) -> Result<Probe, String> {
    let merged = merge::of_one(record)?;
    let verdicts = verdict::judge(&merged, &plan.objectives)?;
    let (lateness, own_lateness) =
        (merged.lateness.unwrap_or_default(), merged.own_lateness.unwrap_or_default());
    let due = record.ops + record.counts.unissued;
    let window = plan.settings.probe_seconds;
    let achieved_per_second = as_f64(record.ops) / record.seconds.max(window);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not more than due"
    )]
    let answered = (achieved_per_second * window).ceil() as u64;
    let of_rate = Limit::of_rate(due, answered, &lateness, &own_lateness);
    let unmeasured = verdicts.iter().find(|verdict| verdict.outcome == Outcome::NotMeasured);
    if let (None, Some(Verdict { objective, .. })) = (of_rate, unmeasured) {
        let (subject, text) = (&objective.subject, &objective.text);
        return Err(format!(
            "{due} operations are too few to tell `{text}` of {subject}; raise --seconds or --from"
        ));
    }
    let missed = verdicts.iter().find(|verdict| verdict.outcome == Outcome::Missed);
    let limit = match (of_rate, missed) {
        (Some(limit), _) => Some(limit),
        (None, Some(missed)) => Some(blame(record, missed)?),
        (None, None) => None,
    };
    Ok(Probe {
        asked_per_second,
        offered_per_second: as_f64(due) / window,
        achieved_per_second,
        seconds: record.seconds,
        verbs: merged.verbs.into_iter().map(|(name, verb)| (name, verb.quantiles)).collect(),
        lateness,
        own_lateness,
        verdicts,
        holds: limit.is_none(),
        limit,
        counts: record.counts,
    })
}

/// Whether the generator's own lateness explains a time that is too long: the same quantile of
/// both is compared.
fn blame(record: &PhaseRecord, missed: &Verdict) -> Result<Limit, String> {
    let Some(own) = &record.own_lateness else { return Ok(Limit::Target) };
    let own = own.decode()?;
    let own_ns = match missed.objective.statistic {
        Statistic::Percentile(p) => percentile(&own, p).unwrap_or_default(),
        _ => Quantiles::of(&own).max_ns.unwrap_or_default(),
    };
    Ok(Limit::of(missed.measured.unwrap_or_default(), as_f64(own_ns)))
}

#[expect(clippy::cast_precision_loss, reason = "counts and times are far below 2^53")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Overrides, Source, load};

    #[test]
    fn what_is_made_for_a_phase_that_pauses_is_enough_for_one_that_does_not() {
        let text = "schema = 1\nname = \"t\"\nseed = 5\n[run]\nthreads = 2\n[keyspace.a]\n\
                    keys = 100\nkey = { kind = \"u64\" }\nvalue = { kind = \"u64\" }\n\
                    [[phase]]\nname = \"p\"\nops = 300\n\
                    think = { dist = \"fixed\", mean = \"50ms\" }\n\
                    commands = [{ verb = \"get\", keyspace = \"a\", weight = 1, \
                    keys = { dist = \"uniform\" } }]\n";
        let source = Source { label: "t.toml".into(), text: text.into() };
        let workload = load(&source, &Overrides::default()).expect("valid").remove(0).workload;
        let settings = Settings {
            from_per_second: 1_000.0,
            to_per_second: Some(100_000.0),
            precision: 0.1,
            probe_seconds: 0.5,
        };
        let plan = Plan { phase: 0, objectives: Vec::new(), settings };
        let scripts = stream::scripts(&probed(&workload, &plan).expect("few key spaces"));
        for stream in &scripts[0].streams {
            // Each thread has half of 100 000 a second for half a second.
            assert!(stream.ops.len() > 25_000, "{}", stream.ops.len());
        }
    }
}
