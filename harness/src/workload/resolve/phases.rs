//! Checks the phases of a file and makes the model of them.

use toml::Spanned;

use super::keyspaces::ttl;
use super::{Problem, Scale, arrival, bad_unit, file, in_range, objectives, share, wrong};
use crate::workload::model::{Arrival, Command, KeyDist, Keyspace, LOAD, Length, Phase, Verb};
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
    // Length, arrival and mix come from the phase itself, else from the one it is like.
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

fn resolve_command(
    raw: &file::Command,
    keyspaces: &[Keyspace],
    scale: Scale,
) -> Result<Command, Problem> {
    let verb = Verb::ALL.into_iter().find(|verb| verb.name() == raw.verb.get_ref());
    let verb = verb.ok_or_else(|| {
        let names = Verb::ALL.map(Verb::name).join(", ");
        wrong(
            &raw.verb,
            format!("`{}` is not a verb", raw.verb.get_ref()),
            format!("known here: {names}"),
        )
    })?;
    let name = raw.keyspace.get_ref();
    let keyspace = keyspaces.iter().position(|space| space.name == *name).ok_or_else(|| {
        let names: Vec<_> = keyspaces.iter().map(|space| space.name.as_str()).collect();
        let remedy = format!("known here: {}", names.join(", "));
        wrong(&raw.keyspace, format!("there is no keyspace.{name}"), remedy)
    })?;
    let miss = share(raw.miss.as_ref(), 0.0)?;
    if let (Some(place), Verb::Put | Verb::GetOrPut) = (&raw.miss, verb) {
        return Err(wrong(place, "a put of a key that must stay absent", "remove miss"));
    }
    let own_ttl = raw.ttl.as_ref().map(|raw| ttl(raw, false, scale)).transpose()?;
    if let (Some(place), Verb::Get | Verb::Delete) = (&raw.ttl, verb) {
        let what = format!("a {} gives no TTL", verb.name());
        return Err(wrong(place, what, "remove ttl, or use put or expire"));
    }
    let given = match verb {
        Verb::Put | Verb::GetOrPut => own_ttl.or_else(|| keyspaces[keyspace].ttl.clone()),
        Verb::Expire => own_ttl,
        Verb::Get | Verb::Delete => None,
    };
    if verb == Verb::Expire && given.as_ref().is_none_or(|ttl| ttl.share < 1.0) {
        let remedy = "add ttl = { dist = \"fixed\", after = \"10s\" }, without a share";
        return Err(wrong(&raw.verb, "an expire that does not always give a TTL", remedy));
    }
    Ok(Command {
        verb,
        keyspace,
        weight: u32::try_from(in_range(&raw.weight, 0, 1_000_000, "as a weight")?).unwrap_or(0),
        keys: key_dist(raw.keys.get_ref())?,
        miss,
        ttl: given,
    })
}

fn key_dist(raw: &file::KeyChoice) -> Result<KeyDist, Problem> {
    match (raw.dist.get_ref().as_str(), &raw.s, &raw.fraction, &raw.share) {
        ("zipf", Some(s), None, None) => {
            if (0.01..=5.0).contains(s.get_ref()) {
                Ok(KeyDist::Zipf { s: *s.get_ref() })
            } else {
                Err(wrong(s, format!("an exponent of {}", s.get_ref()), "write 0.01 to 5.0"))
            }
        }
        ("uniform", None, None, None) => Ok(KeyDist::Uniform),
        ("sequential", None, None, None) => Ok(KeyDist::Sequential),
        ("blocks", None, None, None) => Ok(KeyDist::Blocks),
        ("hotspot", None, Some(fraction), Some(of_ops)) => Ok(KeyDist::Hotspot {
            fraction: share(Some(fraction), 0.0)?,
            share: share(Some(of_ops), 0.0)?,
        }),
        _ => {
            let remedy = "write dist = \"zipf\" with s, \"hotspot\" with fraction and share, \
                          \"uniform\", \"sequential\" or \"blocks\"";
            Err(wrong(&raw.dist, "not a distribution with its own keys", remedy))
        }
    }
}
