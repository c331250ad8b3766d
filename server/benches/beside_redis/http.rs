//! GET over HTTP, by wrk, at our server alone.

use std::io::Write;

use super::Arguments;
use super::figures;
use super::load::{CONNECTIONS, Sample};
use super::programs::Programs;
use super::servers::Server;
use super::times::Times;

/// Runs, unless fewer rounds are wanted.
const RUNS: u16 = 3;

/// Measures look-ups of keys that are there, chosen at random.
///
/// # Errors
/// If wrk fails, or an answer was not a value.
pub(crate) fn measure(
    programs: &Programs,
    server: &Server,
    arguments: &Arguments,
) -> Result<Vec<Sample>, String> {
    let script = format!(
        "request = function()\n  \
         return wrk.format(nil, string.format(\"/key:%012d\", math.random(0, {})))\nend\n",
        arguments.keys - 1
    );
    let mut file = tempfile::Builder::new().suffix(".lua").tempfile().map_err(unwritable)?;
    file.write_all(script.as_bytes()).map_err(unwritable)?;
    let seconds = if arguments.quick { "1s" } else { "5s" };
    let words = ["--threads", "1", "--connections", &CONNECTIONS.to_string(), "--duration"];
    let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    words.extend([seconds, "--latency", "--script"].map(str::to_owned));
    words.extend([file.path().display().to_string(), format!("http://{}", server.http)]);
    let run = |number| {
        eprintln!("HTTP, run {}", number + 1);
        let (before, hits_before) = (Times::read(server)?, hits(server)?);
        let text = programs.output("wrk", &words)?;
        let (spent, hits) = (before.spent(server)?, hits(server)? - hits_before);
        let run = figures::http_run(&text)
            .ok_or_else(|| format!("wrk told no figures, or of failures: {}", text.trim()))?;
        Ok(Sample { run, cpu_us: spent.server_s * 1e6 / f64::from(hits.max(1)), spent })
    };
    (0..arguments.rounds.min(RUNS)).map(run).collect()
}

/// How many look-ups found something, since the server's start.
fn hits(server: &Server) -> Result<u32, String> {
    let info = server.client()?.ask(&[b"INFO", b"stats"])?;
    let field = info.lines().find_map(|line| line.strip_prefix("keyspace_hits:"));
    let hits = field.and_then(|hits| hits.trim().parse::<u32>().ok());
    hits.ok_or_else(|| "the server does not count hits".to_owned())
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unwritable(error: std::io::Error) -> String {
    format!("the script for wrk cannot be written: {error}")
}
