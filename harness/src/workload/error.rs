//! What is wrong with a workload file, where, and what would be right.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One mistake, bound to a place in the file's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The bytes of the text that are to blame; `None` blames the file as a whole.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub remedy: String,
}

impl Problem {
    /// A mistake at `span`.
    pub fn new(span: Range<usize>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { span: Some(span), what: what.into(), remedy: remedy.into() }
    }

    /// Puts the parser's own message into our form.
    pub(super) fn from_toml(error: &toml::de::Error) -> Self {
        let message = error.message().lines().collect::<Vec<_>>().join(" ");
        let (what, remedy) = match message.split_once(", expected ") {
            Some((what, expected)) if what.starts_with("unknown field") => (
                "unknown key".to_owned(),
                format!("known here: {}", expected.replace("one of ", "")),
            ),
            Some((what, expected)) => (what.to_owned(), format!("expected {}", in_words(expected))),
            None => match message.strip_prefix("missing field ") {
                Some(field) => (format!("{field} is missing"), format!("add {field}")),
                None => (message, "see the shipped workloads for the form".to_owned()),
            },
        };
        Self { span: error.span(), what, remedy }
    }

    /// `file:line: key: what is wrong; what would be right`.
    #[must_use]
    pub fn render(&self, label: &str, text: &str) -> String {
        let Some(span) = &self.span else {
            return format!("{label}: {}; {}", self.what, self.remedy);
        };
        let line = 1 + text.bytes().take(span.start).filter(|byte| *byte == b'\n').count();
        let key = key_path(text, span).map_or_else(String::new, |path| format!("{path}: "));
        format!("{label}:{line}: {key}{}; {}", self.what, self.remedy)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

/// Rust's type names in the words of a person who edits TOML.
fn in_words(expected: &str) -> &str {
    match expected {
        "i64" | "u64" | "u32" | "usize" => "a whole number",
        "f64" => "a number",
        "a boolean" | "bool" => "`true` or `false`",
        "a sequence" => "a list",
        "a map" => "a table",
        other => other,
    }
}

/// The dotted path of the key that `span` belongs to, such as `phase.mixed.commands.0.weight`.
///
/// A parent's span need not enclose its children's (`[run]` covers its header only), so all are
/// searched, and the deepest that encloses `span` wins.
fn key_path(text: &str, span: &Range<usize>) -> Option<String> {
    let root = DeTable::parse(text).ok()?;
    let mut best = Vec::new();
    search_table(root.get_ref(), span, &mut Vec::new(), &mut best);
    (!best.is_empty()).then(|| best.join("."))
}

fn search_table(
    table: &DeTable<'_>,
    span: &Range<usize>,
    path: &mut Vec<String>,
    best: &mut Vec<String>,
) {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        if encloses(&key.span(), span) {
            path.clone_into(best);
        }
        search_value(value, span, path, best);
        path.pop();
    }
}

fn search_value(
    value: &Spanned<DeValue<'_>>,
    span: &Range<usize>,
    path: &mut Vec<String>,
    best: &mut Vec<String>,
) {
    if encloses(&value.span(), span) && path.len() > best.len() {
        path.clone_into(best);
    }
    match value.get_ref() {
        DeValue::Table(table) => search_table(table, span, path, best),
        DeValue::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                path.push(element_name(item.get_ref(), position));
                search_value(item, span, path, best);
                path.pop();
            }
        }
        _ => {}
    }
}

/// A phase is spoken of by its name, anything else in a list by its position.
fn element_name(item: &DeValue<'_>, position: usize) -> String {
    let name = item.as_table().and_then(|table| {
        table.iter().find(|(key, _)| key.get_ref() == "name")?.1.get_ref().as_str()
    });
    name.map_or_else(|| position.to_string(), str::to_owned)
}

fn encloses(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// Where the value at a dotted path stands; `None` where the file leaves it out.
pub(super) fn span_at(text: &str, path: &[&str]) -> Option<Range<usize>> {
    let root = DeTable::parse(text).ok()?;
    let (last, parents) = path.split_last()?;
    let mut table = root.get_ref();
    for key in parents {
        table = find(table, key)?.get_ref().as_table()?;
    }
    find(table, last).map(Spanned::span)
}

fn find<'a, 'i>(table: &'a DeTable<'i>, name: &str) -> Option<&'a Spanned<DeValue<'i>>> {
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "seed = 1\n[run]\nthreads = 0\n[[phase]]\nname = \"mixed\"\ncommands = [\n  { verb = \"get\", weight = 0 },\n]\n";

    #[test]
    fn a_place_is_named_by_line_and_dotted_key() {
        let at = |needle: &str| {
            let start = TEXT.find(needle).expect("there");
            let end = start + needle.len();
            Problem::new(start..end, "is wrong", "write another").render("a.toml", TEXT)
        };
        assert_eq!(at("0"), "a.toml:3: run.threads: is wrong; write another");
        assert_eq!(
            at("0 }").replace("0 }", ""),
            "a.toml:7: phase.mixed.commands.0: is wrong; write another"
        );
        let weight = TEXT.rfind('0').expect("there");
        let problem = Problem::new(weight..weight + 1, "is wrong", "write another");
        assert_eq!(
            problem.render("a.toml", TEXT),
            "a.toml:7: phase.mixed.commands.0.weight: is wrong; write another"
        );
    }
}
