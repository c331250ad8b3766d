//! What programs and the system print, as numbers; and what is made of several of them.

/// What redis-benchmark tells of one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Run {
    /// Requests in a second.
    pub(crate) rate: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// Reads the CSV of redis-benchmark: a line of names, and one of figures.
pub(crate) fn run(csv: &str) -> Option<Run> {
    let mut lines = csv.lines().filter(|line| line.starts_with('"'));
    let cells = |line: &str| -> Vec<String> {
        line.split(',').map(|cell| cell.trim().trim_matches('"').to_owned()).collect()
    };
    let (names, figures) = (cells(lines.next()?), cells(lines.next()?));
    let figure = |name: &str| -> Option<f64> {
        let place = names.iter().position(|known| known == name)?;
        figures.get(place)?.parse().ok().filter(|figure: &f64| figure.is_finite())
    };
    let rate = figure("rps").filter(|rate| *rate > 0.0)?;
    Some(Run { rate, p50_ms: figure("p50_latency_ms")?, p99_ms: figure("p99_latency_ms")? })
}

/// Reads what wrk prints with `--latency`; `None` if any answer was not one of the 200s, too.
pub(crate) fn http_run(text: &str) -> Option<Run> {
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return None;
    }
    let after = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name));
    let ms = |name: &str| duration_ms(after(name)?.trim());
    let rate = after("Requests/sec:")?.trim().parse().ok().filter(|rate| *rate > 0.0)?;
    Some(Run { rate, p50_ms: ms("50%")?, p99_ms: ms("99%")? })
}

/// `230.00us`, `1.20ms` or `1.01s`.
fn duration_ms(text: &str) -> Option<f64> {
    let unit = text.find(|char: char| char.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit);
    let factor = match unit {
        "us" => 0.001,
        "ms" => 1.0,
        "s" => 1_000.0,
        "m" => 60_000.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

/// The processor's time of a process from `/proc/PID/stat`, in seconds.
pub(crate) fn cpu_s(stat: &str) -> Option<f64> {
    user_and_system_s(stat, 11)
}

/// The same of its children that have ended.
pub(crate) fn children_cpu_s(stat: &str) -> Option<f64> {
    user_and_system_s(stat, 13)
}

/// The sum of two fields, so many after the program's name.
fn user_and_system_s(stat: &str, skipped: usize) -> Option<f64> {
    /// Linux tells times to programs in hundredths of a second, whatever it counts in itself.
    const TICKS: f64 = 100.0;
    // The second field is the program's name in brackets, with whatever is in it.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().skip(skipped);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

/// The resident memory of a process from `/proc/PID/status`, in bytes.
pub(crate) fn resident_bytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok().map(|kib| kib * 1_024.0)
}

/// The middle of some figures, and their ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// The spread of `figures`, of which there must be some.
pub(crate) fn spread(figures: impl IntoIterator<Item = f64>) -> Option<Spread> {
    let mut sorted: Vec<f64> = figures.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let (min, max) = (*sorted.first()?, *sorted.last()?);
    let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    Some(Spread { median: f64::midpoint(low, high), min, max })
}
