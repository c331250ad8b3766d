//! Checks how the operations of a phase arrive and makes the model of it.

use toml::Spanned;

use super::{Problem, Scale, bad_unit, file, in_range, wrong};
use crate::workload::model::{Arrival, Length};
use crate::workload::ramp::{Ramp, Spacing};
use crate::workload::units;

/// Each step keeps histograms of its own.
const STEPS_MAX: i64 = 100;

const A_RATE: &str = "add rate = \"500k/s\"";
const A_RAMP: &str = "ramp = { from = \"100k/s\", to = \"1M/s\", steps = 10, each = \"3s\" }";

pub(super) fn resolve(raw: &Spanned<file::Arrival>, scale: Scale) -> Result<Arrival, Problem> {
    match raw.get_ref() {
        file::Arrival::Word(word) if word == "closed" => Ok(Arrival::Closed),
        file::Arrival::Process(process) if process.process.get_ref() == "poisson" => {
            match (&process.rate, &process.ramp) {
                (Some(per_second), None) => Ok(Arrival::Poisson { per_second: rate(per_second)? }),
                (None, Some(raw)) => Ok(Arrival::Ramp(ramp(raw, scale)?)),
                (Some(_), Some(ramp)) => {
                    Err(wrong(ramp, "both a rate and a ramp", "keep one of them"))
                }
                (None, None) => {
                    let remedy = format!("{A_RATE}, or {A_RAMP}");
                    Err(wrong(raw, "arrivals without a rate", remedy))
                }
            }
        }
        _ => {
            let remedy = "write \"closed\" or { process = \"poisson\", rate = \"500k/s\" }";
            Err(wrong(raw, "not an arrival process", remedy))
        }
    }
}

fn ramp(raw: &Spanned<file::Ramp>, scale: Scale) -> Result<Ramp, Problem> {
    let file::Ramp { from, to, steps, each, spacing } = raw.get_ref();
    let (from_per_second, to_per_second) = (rate(from)?, rate(to)?);
    #[expect(clippy::float_cmp, reason = "the same text gives the same number")]
    if from_per_second == to_per_second {
        let remedy = "write rate instead, or another to";
        return Err(wrong(to, "a ramp that ends where it begins", remedy));
    }
    let steps = in_range(steps, 2, STEPS_MAX, "steps")?;
    let each_ns =
        units::parse_duration_ns(each.get_ref()).map_err(|complaint| bad_unit(each, complaint))?;
    if each_ns == 0 {
        return Err(wrong(each, "steps of no length", "write e.g. \"3s\""));
    }
    let spacing = match spacing {
        None => Spacing::Linear,
        Some(name) => {
            let known = Spacing::ALL.into_iter().find(|known| known.name() == name.get_ref());
            known.ok_or_else(|| {
                let what = format!("`{}` is not a spacing", name.get_ref());
                wrong(name, what, "write \"linear\" or \"geometric\"")
            })?
        }
    };
    Ok(Ramp {
        from_per_second,
        to_per_second,
        steps: u32::try_from(steps).unwrap_or(u32::MAX),
        each_ns: scale.time_ns(each_ns),
        spacing,
    })
}

/// A ramp says itself how long it lasts.
pub(super) fn ramp_length(phase: &file::Phase, ramp: Ramp) -> Result<Length, Problem> {
    let what = "the phase's ramp says how long it lasts";
    match (&phase.ops, &phase.duration) {
        (Some(ops), _) => Err(wrong(ops, what, "remove ops, or the ramp")),
        (None, Some(duration)) => Err(wrong(duration, what, "remove duration, or the ramp")),
        (None, None) => Ok(Length::DurationNs(ramp.total_ns())),
    }
}

fn rate(text: &Spanned<String>) -> Result<f64, Problem> {
    units::parse_rate(text.get_ref()).map_err(|complaint| bad_unit(text, complaint))
}
