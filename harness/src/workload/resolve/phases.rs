//! Checks the phases of a file and makes the model of them.

use toml::Spanned;

use super::commands::resolve_command;
use super::{Problem, Scale, arrival, bad_unit, file, in_range, objectives, wrong};
use crate::workload::model::{Arrival, Command, Keyspace, LOAD, Length, Phase, Think, ThinkDist};
use crate::workload::units;

/// An operation has 6 bits for its command.
const COMMANDS_MAX: usize = 64;

pub(super) fn phases(
    raw: &[Spanned<file::Phase>],
    keyspaces: &[Keyspace],
    scale: Scale,
) -> Result<Vec<Phase>, Problem> {
    let mut phases: Vec<Phase> = Vec::new();
    for phase in raw {
        let phase = phase.get_ref();
        let name = &phase.name;
        if name.get_ref() == LOAD || name.get_ref().is_empty() {
            return Err(wrong(
                name,
                "not a name for a phase",
                "\"load\" is the prefill; take another",
            ));
        }
        if phases.iter().any(|other| other.name == *name.get_ref()) {
            return Err(wrong(name, "a second phase of this name", "give each its own"));
        }
        phases.push(resolve(phase, raw, keyspaces, scale)?);
    }
    Ok(phases)
}

fn resolve(
    phase: &file::Phase,
    all: &[Spanned<file::Phase>],
    keyspaces: &[Keyspace],
    scale: Scale,
) -> Result<Phase, Problem> {
    let model = phase.like.as_ref().map(|like| model_of(like, phase, all)).transpose()?;
    // Length, arrival (and the pauses that belong to it) and mix come from the phase itself, else
    // from the one it is like.
    let inherited = if phase.arrival.is_some() { None } else { model };
    let think = phase.think.as_ref().or_else(|| inherited?.think.as_ref());
    let arrival = match phase.arrival.as_ref().or_else(|| model?.arrival.as_ref()) {
        Some(raw) => arrival::resolve(raw, scale)?,
        None => Arrival::Closed,
    };
    let commands = phase.commands.as_ref().or_else(|| model?.commands.as_ref());
    let measured =
        if phase.ops.is_some() || phase.duration.is_some() { Some(phase) } else { model };
    let length = match arrival {
        Arrival::Ramp(ramp) => arrival::ramp_length(phase, ramp)?,
        _ => length(&phase.name, measured, scale)?,
    };
    let Some(commands) = commands else {
        let remedy = "add commands = [..], or like = \"another phase\"";
        return Err(wrong(&phase.name, "a phase without commands", remedy));
    };
    let report = phase.report.unwrap_or(true);
    let slo = objectives(phase.slo.as_ref())?;
    if !report && !slo.is_empty() {
        let remedy = "remove its slo, or report = false";
        return Err(wrong(&phase.name, "a phase with objectives that is not reported", remedy));
    }
    Ok(Phase {
        name: phase.name.get_ref().clone(),
        length,
        arrival,
        think: think.map(|think| resolve_think(think, arrival)).transpose()?,
        commands: mix(commands, keyspaces, scale)?,
        report,
        slo,
    })
}

fn model_of<'a>(
    like: &Spanned<String>,
    phase: &file::Phase,
    all: &'a [Spanned<file::Phase>],
) -> Result<&'a file::Phase, Problem> {
    let other =
        all.iter().map(Spanned::get_ref).find(|other| other.name.get_ref() == like.get_ref());
    match other {
        Some(other) if other.like.is_none() && other.name != phase.name => Ok(other),
        Some(_) => Err(wrong(like, "a phase that is itself like another", "name the original")),
        None => Err(wrong(like, "there is no phase of this name", "name another phase")),
    }
}

fn length(
    name: &Spanned<String>,
    phase: Option<&file::Phase>,
    scale: Scale,
) -> Result<Length, Problem> {
    match phase.map(|phase| (&phase.ops, &phase.duration)) {
        Some((Some(ops), None)) => {
            let ops = in_range(ops, 1, 1 << 40, "operations")?;
            Ok(Length::Ops(scale.count(ops)))
        }
        Some((None, Some(duration))) => {
            let ns = units::parse_duration_ns(duration.get_ref())
                .map_err(|complaint| bad_unit(duration, complaint))?;
            if ns == 0 {
                return Err(wrong(duration, "a duration of zero", "write e.g. \"10s\""));
            }
            Ok(Length::DurationNs(scale.time_ns(ns)))
        }
        Some((Some(ops), Some(_))) => {
            Err(wrong(ops, "both ops and duration", "keep the one that ends the phase"))
        }
        _ => {
            Err(wrong(name, "a phase without an end", "add ops = 1_000_000 or duration = \"10s\""))
        }
    }
}

fn resolve_think(raw: &Spanned<file::Think>, arrival: Arrival) -> Result<Think, Problem> {
    if arrival != Arrival::Closed {
        let what = "pauses in a phase whose operations do not wait for answers";
        return Err(wrong(raw, what, "remove think, or write arrival = \"closed\""));
    }
    let think = raw.get_ref();
    let dist = match think.dist.get_ref().as_str() {
        "fixed" => ThinkDist::Fixed,
        "exponential" => ThinkDist::Exponential,
        other => {
            let what = format!("`{other}` is not a distribution of pauses");
            return Err(wrong(&think.dist, what, "write \"fixed\" or \"exponential\""));
        }
    };
    let mean_ns = units::parse_duration_ns(think.mean.get_ref())
        .map_err(|complaint| bad_unit(&think.mean, complaint))?;
    if mean_ns == 0 {
        return Err(wrong(&think.mean, "a pause of zero", "write e.g. \"1ms\", or remove think"));
    }
    Ok(Think { dist, mean_ns })
}

fn mix(
    raw: &Spanned<Vec<Spanned<file::Command>>>,
    keyspaces: &[Keyspace],
    scale: Scale,
) -> Result<Vec<Command>, Problem> {
    let list = raw.get_ref();
    if list.is_empty() || list.len() > COMMANDS_MAX {
        return Err(wrong(raw, "no commands, or more than 64", "write 1 to 64"));
    }
    let commands = list
        .iter()
        .map(|command| resolve_command(command.get_ref(), keyspaces, scale))
        .collect::<Result<Vec<_>, _>>()?;
    if commands.iter().all(|command| command.weight == 0) {
        let remedy = "give at least one command a weight above 0";
        return Err(wrong(raw, "weights that add up to zero", remedy));
    }
    Ok(commands)
}
