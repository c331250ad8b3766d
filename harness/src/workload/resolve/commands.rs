//! Checks the commands of a phase and makes the model of them.

use toml::Spanned;

use super::keyspaces::ttl;
use super::{Problem, Scale, file, in_range, share, wrong};
use crate::workload::model::{Batch, Command, KeyDist, Keyspace, Ttl, Verb};

/// An operation has 16 bits for the number of its keys; longer requests than this are no longer
/// what one would time as one.
const BATCH_MAX: i64 = 1_000;

pub(super) fn resolve_command(
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
    if let Some(place) = &raw.miss
        && verb.writes()
    {
        return Err(wrong(place, "a put of a key that must stay absent", "remove miss"));
    }
    let batch = batch(raw, verb)?;
    Ok(Command {
        verb,
        keyspace,
        weight: u32::try_from(in_range(&raw.weight, 0, 1_000_000, "as a weight")?).unwrap_or(0),
        keys: keys(raw, verb)?,
        miss,
        ttl: given_ttl(raw, verb, &keyspaces[keyspace], scale)?,
        batch,
    })
}

/// The TTL that an operation gives, if any: its own, or for a write that of its key space.
fn given_ttl(
    raw: &file::Command,
    verb: Verb,
    space: &Keyspace,
    scale: Scale,
) -> Result<Option<Ttl>, Problem> {
    let own = raw.ttl.as_ref().map(|raw| ttl(raw, false, scale)).transpose()?;
    let touch = raw.touch.as_ref().map(|raw| ttl(raw, false, scale)).transpose()?;
    if let Some(place) = &raw.touch
        && verb != Verb::Get
    {
        let what = format!("a {} touches nothing", verb.name());
        return Err(wrong(place, what, "remove touch, or use get"));
    }
    if let (Some(place), Verb::Get | Verb::GetMany | Verb::Delete) = (&raw.ttl, verb) {
        let what = format!("a {} gives no TTL", verb.name());
        let remedy = if verb == Verb::Get {
            "remove ttl, use put or expire, or write touch for a new TTL of what is found"
        } else {
            "remove ttl, or use put or expire"
        };
        return Err(wrong(place, what, remedy));
    }
    if verb == Verb::Expire && own.as_ref().is_none_or(|ttl| ttl.share < 1.0) {
        let remedy = "add ttl = { dist = \"fixed\", after = \"10s\" }, without a share";
        return Err(wrong(&raw.verb, "an expire that does not always give a TTL", remedy));
    }
    let inherited = if verb.writes() { space.ttl.clone() } else { None };
    Ok(own.or(touch).or(inherited))
}

fn batch(raw: &file::Command, verb: Verb) -> Result<Option<Batch>, Problem> {
    let run = raw.keys.as_ref().and_then(|keys| keys.get_ref().run.as_ref());
    let (Some(batch), Verb::GetMany) = (&raw.batch, verb) else {
        return match (&raw.batch, run) {
            _ if verb == Verb::GetMany => {
                Err(wrong(&raw.verb, "a get_many of how many keys?", "add batch = 16"))
            }
            (Some(batch), _) => {
                let what = format!("a {} takes one key", verb.name());
                Err(wrong(batch, what, "remove batch, or use get_many"))
            }
            (None, Some(run)) => {
                let what = format!("a {} takes one key", verb.name());
                Err(wrong(run, what, "remove run, or use get_many with batch"))
            }
            (None, None) => Ok(None),
        };
    };
    let count = |number: &Spanned<i64>| {
        let count = in_range(number, 1, BATCH_MAX, "keys in a batch")?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    };
    let (min, max) = match batch.get_ref() {
        file::Batch::Fixed(number) => {
            let number = count(&Spanned::new(batch.span(), *number))?;
            (number, number)
        }
        file::Batch::Between(ends) => {
            if ends.min.get_ref() > ends.max.get_ref() {
                return Err(wrong(&ends.min, "min is above max", "swap them"));
            }
            (count(&ends.min)?, count(&ends.max)?)
        }
    };
    Ok(Some(Batch { min, max, run: run.is_some_and(|run| *run.get_ref()) }))
}

fn keys(raw: &file::Command, verb: Verb) -> Result<KeyDist, Problem> {
    match (&raw.keys, verb) {
        (None, Verb::Insert) => Ok(KeyDist::Next),
        (Some(keys), Verb::Insert) => {
            let what = "an insert takes the next key that is not yet there";
            Err(wrong(keys, what, "remove keys, or use put"))
        }
        (Some(keys), _) => key_dist(keys.get_ref()),
        (None, _) => {
            Err(wrong(&raw.verb, "`keys` is missing", "add keys = { dist = \"uniform\" }"))
        }
    }
}

fn key_dist(raw: &file::KeyChoice) -> Result<KeyDist, Problem> {
    match (raw.dist.get_ref().as_str(), &raw.s, &raw.fraction, &raw.share) {
        ("zipf", Some(s), None, None) => Ok(KeyDist::Zipf { s: exponent(s)? }),
        ("latest", Some(s), None, None) => Ok(KeyDist::Latest { s: exponent(s)? }),
        ("uniform", None, None, None) => Ok(KeyDist::Uniform),
        ("sequential", None, None, None) => Ok(KeyDist::Sequential),
        ("blocks", None, None, None) => Ok(KeyDist::Blocks),
        ("hotspot", None, Some(fraction), Some(of_ops)) => Ok(KeyDist::Hotspot {
            fraction: share(Some(fraction), 0.0)?,
            share: share(Some(of_ops), 0.0)?,
        }),
        _ => {
            let remedy = "write dist = \"zipf\" or \"latest\" with s, \"hotspot\" with fraction \
                          and share, \"uniform\", \"sequential\" or \"blocks\"";
            Err(wrong(&raw.dist, "not a distribution with its own keys", remedy))
        }
    }
}

fn exponent(s: &Spanned<f64>) -> Result<f64, Problem> {
    if (0.01..=5.0).contains(s.get_ref()) {
        Ok(*s.get_ref())
    } else {
        Err(wrong(s, format!("an exponent of {}", s.get_ref()), "write 0.01 to 5.0"))
    }
}
