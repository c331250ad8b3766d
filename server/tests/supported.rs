//! What docs/server.md says is not supported, held to the truth: by asking for it, by what redis-server
//! says that it knows, and by the tests of Redis itself, which must pass but for that.

#[path = "support/programs.rs"]
mod programs;
#[path = "support/redis.rs"]
mod redis;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use programs::{are_here, free_port, is_fetched, program, repository, run_in, text};
use redis::Redis;
use support::{Client, start};

/// The commands on the page's list.
fn unsupported() -> BTreeSet<String> {
    let page = fs::read_to_string(repository("docs/server.md")).expect("it is there");
    let list = page.split("<!-- unsupported -->").nth(1);
    let list = list.and_then(|rest| rest.split("<!-- /unsupported -->").next());
    let list = list.expect("the page has the list between its marks");
    let names: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
    let set: BTreeSet<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    assert_eq!(set.len(), names.len(), "the page lists a command twice");
    assert!(set.len() > 150, "the page lists only {} commands", set.len());
    set
}

/// The strings of a reply, whatever it consists of.
fn strings(reply: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(reply);
    let mut lines = text.split("\r\n");
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if line.starts_with('$') {
            found.extend(lines.next().map(str::to_owned));
        }
    }
    found
}

/// The commands that a server says it knows, without those that are part of another.
fn known(client: &mut Client) -> BTreeSet<String> {
    let names = strings(&client.ask(&["COMMAND", "LIST"]));
    names.into_iter().filter(|name| !name.contains('|')).collect()
}

#[test]
fn what_is_said_not_to_be_there_is_not_and_the_rest_is() {
    let running = start();
    let mut client = Client::connect(running.resp);
    let (unsupported, known) = (unsupported(), known(&mut client));
    for name in &unsupported {
        let reply = client.say(name);
        let unknown = format!("-ERR unknown command '{name}', with args beginning with: \r\n");
        assert_eq!(reply, unknown, "the page says that `{name}` is not supported");
    }
    for name in &known {
        assert!(!unsupported.contains(name), "`{name}` is on the page's list, but is there");
        // Alone, or with too few words; never unknown.
        if !["flushall", "flushdb", "quit"].contains(&name.as_str()) {
            let reply = client.say(name);
            assert!(!reply.starts_with("-ERR unknown"), "`{name}`: {reply}");
        }
    }
}

#[test]
fn every_command_of_redis_is_there_as_it_says_or_on_the_list() {
    let Some(redis) = Redis::start(&[]) else { return };
    let running = start();
    let (mut ours, mut theirs) = (Client::connect(running.resp), Client::connect(redis.addr));
    let (unsupported, ours_known, known) = (unsupported(), known(&mut ours), known(&mut theirs));
    let both: BTreeSet<String> = unsupported.union(&ours_known).cloned().collect();
    let missing: Vec<_> = known.difference(&both).collect();
    assert!(missing.is_empty(), "neither there nor on the page's list: {missing:?}");
    let invented: Vec<_> = both.difference(&known).collect();
    assert!(invented.is_empty(), "not known to Redis: {invented:?}");
    // How many words each takes, and where keys are: proxies and clusters go by that.
    for name in &ours_known {
        let shape = |client: &mut Client| {
            let reply = client.ask(&["COMMAND", "INFO", name]);
            let text = String::from_utf8_lossy(&reply).into_owned();
            let numbers = text.split("\r\n").filter_map(|line| line.strip_prefix(':'));
            numbers.take(4).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(shape(&mut ours), shape(&mut theirs), "COMMAND INFO {name}");
    }
}

/// Files of Redis's tests.
const UNITS: [&str; 5] =
    ["unit/type/string", "unit/type/incr", "unit/expire", "unit/keyspace", "unit/scan"];

/// Tests that fail for another reason than a command on the page's list, and the reason, which
/// the page gives.
const EXCUSED: [(&str, &str); 3] = [
    ("PEXPIREAT with big integer works", "ERR invalid expire time in 'pexpireat' command"),
    ("COPY basic usage for skiplist sorted set", "CONFIG SET - 'zset-max-ziplist-entries'"),
    ("COPY basic usage for hashtable hash", "CONFIG SET - 'hash-max-ziplist-entries'"),
];

/// Whether `complaint` is that a command is unknown that is on the page's list.
fn is_unsupported(complaint: &str, unsupported: &BTreeSet<String>) -> bool {
    complaint.split("ERR unknown command '").skip(1).any(|rest| {
        let name = rest.split('\'').next().unwrap_or_default();
        unsupported.contains(&name.to_ascii_lowercase())
    })
}

/// What the tests said as they ran: how many passed, and the complaint of each that did not.
fn outcome(said: &str) -> (usize, BTreeMap<String, String>) {
    // Colours go; what follows is a summary.
    let mut plain = String::new();
    for (number, part) in said.split('\u{1b}').enumerate() {
        let after = part.split_once('m').map_or("", |(_, after)| after);
        plain.push_str(if number == 0 { part } else { after });
    }
    let ran = plain.split("The End").next().unwrap_or_default();
    let passed = ran.lines().filter(|line| line.starts_with("[ok]: ")).count();
    let mut failed = BTreeMap::new();
    for report in ran.split("\n[err]: ").skip(1) {
        let report = report.split("\n[").next().unwrap_or_default();
        let name = report.split(" in tests/").next().unwrap_or_default();
        failed.insert(name.to_owned(), report.to_owned());
    }
    (passed, failed)
}

#[test]
fn the_tests_of_redis_pass_but_for_what_the_list_has() {
    let suite = repository("target/redis-suite");
    let remedy = "run server/tests/fetch.sh, which needs curl";
    if !are_here(&["tclsh"])
        || !is_fetched(suite.join("tests/test_helper.tcl").is_file(), "the tests of Redis", remedy)
    {
        return;
    }
    let running = start();
    let (port, base) = (running.resp.port().to_string(), free_port().to_string());
    let mut arguments = vec!["tests/test_helper.tcl", "--host", "127.0.0.1", "--port", &port];
    arguments.extend(["--singledb", "--durable", "--baseport", &base]);
    // What looks into the server, or starts another.
    arguments.extend(["--tags", "-needs:debug -needs:repl"]);
    arguments.extend(UNITS.iter().flat_map(|unit| ["--single", *unit]));
    let tclsh = program("tclsh").expect("it is there");
    let said = text(&run_in(&suite, &tclsh, &arguments, b""));
    assert!(said.contains("The End") && !said.contains("[exception]"), "{said}");
    let (passed, mut failed) = outcome(&said);
    let unsupported = unsupported();
    failed.retain(|_, complaint| !is_unsupported(complaint, &unsupported));
    for (name, reason) in EXCUSED {
        let complaint = failed.remove(name);
        let complaint = complaint.unwrap_or_else(|| panic!("`{name}` needs no excuse any more"));
        assert!(complaint.contains(reason), "`{name}` has another reason: {complaint}");
    }
    let failed: Vec<_> = failed.into_values().collect();
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
    assert!(passed > 150, "only {passed} tests of Redis passed:\n{said}");
}
