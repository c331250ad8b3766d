//! From a file's text and the command line's overrides to the cases to run.

use super::error::Problem;
use super::file::File;
use super::model::Case;
use super::resolve;

/// A workload file's text, and the name to call it by in messages.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path as the user gave it.
    pub label: String,
    /// All of its text.
    pub text: String,
}

/// What the command line changes about a file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `KEY=VALUE` pairs, the key a dotted path, the value as TOML writes it.
    pub set: Vec<String>,
    /// Run a hundredth of it, to see that it works.
    pub quick: bool,
}

impl Source {
    /// The question that the file answers: its first line, which must be a comment.
    #[must_use]
    pub fn question(&self) -> &str {
        let first = self.text.lines().next().unwrap_or_default();
        first.strip_prefix('#').map_or("", str::trim)
    }

    /// A message about the key at `path`, with its line where the file has the key.
    #[must_use]
    pub fn complain(&self, path: &[&str], what: String, remedy: String) -> String {
        let span = super::error::span_at(&self.text, path);
        Problem { span, what, remedy }.render(&self.label, &self.text)
    }
}

/// Reads a workload file: one case, or one for each point of its sweep.
///
/// # Errors
/// `file:line: key: what is wrong; what would be right`. A mistake that only came in through
/// `--set` names that option instead of a line.
pub fn load(source: &Source, overrides: &Overrides) -> Result<Vec<Case>, String> {
    let scale = resolve::Scale { quick: overrides.quick };
    let cases = parse(&source.text, scale)
        .map_err(|problem| problem.render(&source.label, &source.text))?;
    if overrides.set.is_empty() {
        return Ok(cases);
    }
    // Applied one by one, so that the first that makes the file invalid is the one to blame.
    let mut table: toml::Table =
        source.text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let mut cases = cases;
    for assignment in &overrides.set {
        let blame = |complaint: &str| format!("--set {assignment}: {complaint}");
        assign(&mut table, assignment).map_err(|complaint| blame(&complaint))?;
        let text = toml::to_string(&table).map_err(|error| blame(&error.to_string()))?;
        cases = parse(&text, scale).map_err(|problem| blame(&problem.to_string()))?;
    }
    Ok(cases)
}

fn parse(text: &str, scale: resolve::Scale) -> Result<Vec<Case>, Problem> {
    let file: File = toml::from_str(text).map_err(|error| Problem::from_toml(&error))?;
    resolve::cases(&file, scale)
}

/// Sets one dotted path; elements of `phase` go by their name or their position.
fn assign(table: &mut toml::Table, assignment: &str) -> Result<(), String> {
    let (path, value) =
        assignment.split_once('=').ok_or("not KEY=VALUE; write e.g. --set run.repeat=3")?;
    let value = parse_value(value.trim());
    let mut keys: Vec<&str> = path.trim().split('.').collect();
    let last = keys.pop().filter(|key| !key.is_empty()).ok_or("the key is empty; name one")?;
    let mut root = toml::Value::Table(std::mem::take(table));
    let outcome = descend(&mut root, &keys).and_then(|place| match place {
        toml::Value::Table(inner) => {
            inner.insert(last.to_owned(), value);
            Ok(())
        }
        _ => Err(format!("`{}` is not a table; name a key inside one", keys.join("."))),
    });
    if let toml::Value::Table(root) = root {
        *table = root;
    }
    outcome
}

fn descend<'a>(root: &'a mut toml::Value, keys: &[&str]) -> Result<&'a mut toml::Value, String> {
    let mut place = root;
    for key in keys {
        let next = match place {
            toml::Value::Table(table) => Some(
                table
                    .entry((*key).to_owned())
                    .or_insert_with(|| toml::Value::Table(toml::Table::new())),
            ),
            toml::Value::Array(items) => element(items, key),
            _ => None,
        };
        place = next.ok_or_else(|| format!("there is no `{key}`; see `harness check FILE`"))?;
    }
    Ok(place)
}

fn element<'a>(items: &'a mut [toml::Value], key: &str) -> Option<&'a mut toml::Value> {
    let position = key.parse().ok().or_else(|| {
        items.iter().position(|item| item.get("name").and_then(toml::Value::as_str) == Some(key))
    })?;
    items.get_mut(position)
}

/// TOML where it is TOML, else a plain word: `--set phase.mixed.duration=5s` needs no quotes.
fn parse_value(text: &str) -> toml::Value {
    let parsed: Option<toml::Table> = format!("value = {text}").parse().ok();
    parsed
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::model::Length;

    const TEXT: &str = r#"# What is it?
schema = 1
name = "tiny"
seed = 7
[keyspace.a]
keys = 1000
key = { kind = "u64" }
value = { kind = "u64" }
[[phase]]
name = "mixed"
ops = 500
commands = [{ verb = "get", keyspace = "a", weight = 1, keys = { dist = "uniform" } }]
"#;

    fn load_with(set: &[&str]) -> Result<Vec<Case>, String> {
        let source = Source { label: "tiny.toml".into(), text: TEXT.into() };
        assert_eq!(source.question(), "What is it?");
        let set = set.iter().map(|text| (*text).to_owned()).collect();
        load(&source, &Overrides { set, quick: false })
    }

    #[test]
    fn set_changes_values_by_path_name_and_position() {
        let cases = load_with(&["run.threads=[1, 4]", "phase.mixed.ops=9", "keyspace.a.keys=20"])
            .expect("valid");
        assert_eq!(cases.len(), 2);
        assert_eq!(cases[1].label.as_deref(), Some("threads=4"));
        assert_eq!(cases[1].workload.phases[0].length, Length::Ops(9));
        assert_eq!(cases[1].workload.keyspaces[0].keys, 20);
        assert_eq!(load_with(&["phase.0.ops=9"]).expect("valid").len(), 1);
    }

    #[test]
    fn set_is_checked_as_if_it_stood_in_the_file_and_is_blamed_by_name() {
        for (set, complaint) in [
            ("run.threads=0", "--set run.threads=0: 0 threads; write 1 or more"),
            ("run.treads=2", "--set run.treads=2: unknown key"),
            ("run", "--set run: not KEY=VALUE"),
            ("phase.other.ops=2", "--set phase.other.ops=2: there is no `other`"),
            ("seed.x=2", "--set seed.x=2: `seed` is not a table"),
        ] {
            let error = load_with(&["run.repeat=2", set]).expect_err(set);
            assert!(error.starts_with(complaint), "{error}");
        }
    }

    #[test]
    fn quick_runs_a_hundredth() {
        let source = Source { label: "tiny.toml".into(), text: TEXT.replace("500", "500_000") };
        let cases = load(&source, &Overrides { set: vec![], quick: true }).expect("valid");
        assert_eq!(cases[0].workload.phases[0].length, Length::Ops(5_000));
        assert_eq!(cases[0].workload.keyspaces[0].keys, 1_000);
        assert_eq!(cases[0].workload.run.repeat, 1);
    }
}
