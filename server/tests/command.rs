//! The command `server` as it is run: files of pairs, the small client, how it starts and stops.

#[path = "support/process.rs"]
mod process;
mod support;

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use process::{Serving, errors, path_in, run, server};
use support::Client;

#[test]
fn a_generated_file_is_loaded_and_answered_from() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, two) = (path_in(folder.path(), "one.data"), path_in(folder.path(), "two.data"));
    for file in [&one, &two] {
        let output = run(&["generate", "--lines", "10000", "--seed", "7", file]);
        assert!(output.status.success(), "{}", errors(&output));
    }
    let text = fs::read_to_string(&one).expect("it is there");
    assert_eq!(text, fs::read_to_string(&two).expect("it is there"));
    assert_eq!(text.lines().count(), 10_000);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2, "nothing else is left");

    let serving = Serving::start(&["--load", &one]);
    assert!(serving.before.contains("pairs=10000 malformed=0"), "{}", serving.before);
    let mut client = Client::connect(serving.resp);
    assert_eq!(client.say("DBSIZE"), ":10000\r\n");
    for line in [text.lines().next(), text.lines().last()] {
        let (key, value) = line.and_then(|line| line.split_once(' ')).expect("a pair");
        assert_eq!(client.say(&format!("GET {key}")), format!("${}\r\n{value}\r\n", value.len()));
        let output = run(&["get", &serving.http, key]);
        assert!(output.status.success(), "{}", errors(&output));
        assert_eq!(output.stdout, value.as_bytes());
    }
    let output = run(&["get", &serving.http, "none"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(errors(&output).contains("`none`"), "{}", errors(&output));
}

#[test]
fn a_line_that_is_no_pair_is_named_and_refused_or_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = path_in(folder.path(), "bad.data");
    fs::write(&file, "a 1\r\n\nb\t2\nnoseparator\n c\nd \nd 4").expect("it can be written");
    let output = run(&["--resp", "127.0.0.1:0", "--http", "off", "--load", &file]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains(&format!("{file}:4: there is no separator")), "{output:?}");
    assert!(errors(&output).contains("--load-separator"), "{output:?}");

    let serving = Serving::start(&["--load", &file, "--load-errors", "count"]);
    assert!(serving.before.contains("pairs=4 malformed=2"), "{}", serving.before);
    assert!(serving.before.contains(&format!("{file}:5: there is no key")), "{}", serving.before);
    let mut client = Client::connect(serving.resp);
    assert_eq!(client.say("MGET a b d"), "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n4\r\n");
    assert_eq!(client.say("DBSIZE"), ":3\r\n");

    fs::write(&file, "a b::1\n").expect("it can be written");
    let serving = Serving::start(&["--load", &file, "--load-separator", "::"]);
    assert_eq!(Client::connect(serving.resp).ask(&["GET", "a b"]), b"$1\r\n1\r\n");

    // A pair that is too large has nothing to do with separators.
    fs::write(&file, format!("a {}\n", "x".repeat(1_000))).expect("it can be written");
    let output = run(&["--http", "off", "--max-memory", "1000B", "--load", &file]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("a larger `--max-memory`"), "{output:?}");
    assert!(!errors(&output).contains("separator"), "{output:?}");

    let missing = path_in(folder.path(), "missing.data");
    let output = run(&["--resp", "127.0.0.1:0", "--http", "off", "--load", &missing]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains(&missing), "{output:?}");
    assert!(errors(&output).contains("`--load` needs a file"), "{output:?}");
}

#[test]
fn a_signal_stops_it_once_replies_are_sent() {
    for signal in ["TERM", "INT"] {
        let mut serving = Serving::start(&[]);
        let mut client = Client::connect(serving.resp);
        assert_eq!(client.say("SET a 1"), "+OK\r\n");
        let id = serving.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status().expect("kill is there");
        assert!(sent.success());
        assert_eq!(client.rest(), b"");
        let status = serving.child.wait().expect("it ends");
        assert_eq!(status.code(), Some(0), "{signal}");
        let mut log = String::new();
        serving.log.read_to_string(&mut log).expect("text");
        assert!(log.contains("stopped"), "{log}");
    }
}

#[test]
fn wrong_usage_says_what_would_be_right() {
    let open = ["--resp", "0.0.0.0:0", "--http", "off"];
    let open_http = ["--resp", "127.0.0.1:0", "--http", "0.0.0.0:0"];
    let cases: [(&[&str], &str); 9] = [
        (&open, "--requirepass"),
        (&open_http, "--requirepass"),
        (&["--resp", "localhost"], "invalid socket address"),
        (&["--max-memory", "7"], "512MiB"),
        (&["--default-ttl", "0s"], "90s"),
        (&["--default-ttl", "20000d"], "`--default-ttl`: no value can stay for longer"),
        (&["--max-memory", "0B"], "`--max-memory`: with a bound of zero"),
        (&["--max-entries", "0"], "`--max-entries`: with a bound of zero"),
        (&["--max-entries", "5", "--max-memory", "1MiB"], "cannot be used with"),
    ];
    for (arguments, remedy) in cases {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", errors(&output));
        assert!(errors(&output).contains(remedy), "{arguments:?}: {}", errors(&output));
    }
    // A password from the environment will do.
    let mut command = server(&open);
    command.env("SERVER_REQUIREPASS", "secret").stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    std::thread::sleep(Duration::from_millis(200));
    assert!(child.try_wait().expect("it can be asked").is_none(), "it runs");
    let _ = child.kill();
    let _ = child.wait();
}

#[test]
fn bounds_and_the_default_ttl_are_kept() {
    let serving = Serving::start(&["--max-entries", "100", "--default-ttl", "1000s"]);
    let mut client = Client::connect(serving.resp);
    for number in 0..1_000 {
        assert_eq!(client.say(&format!("SET k{number} v")), "+OK\r\n");
    }
    assert_eq!(client.say("DBSIZE"), ":100\r\n");
    assert_eq!(client.say("SET k v"), "+OK\r\n");
    assert!(matches!(client.say("TTL k").as_str(), ":1000\r\n" | ":999\r\n"));
    assert_eq!(client.say("SET k v EX 5"), "+OK\r\n");
    assert!(matches!(client.say("TTL k").as_str(), ":5\r\n" | ":4\r\n"));

    let serving = Serving::start(&["--max-memory", "64KiB"]);
    let mut client = Client::connect(serving.resp);
    for number in 0..1_000 {
        assert_eq!(client.ask(&["SET", &format!("k{number}"), &"x".repeat(1_000)]), b"+OK\r\n");
    }
    let held: usize = client.say("DBSIZE")[1..].trim_end().parse().expect("a number");
    assert!((40..60).contains(&held), "{held} pairs of 1.1 kB in 64 KiB");
    let heavy = client.ask(&["SET", "k", &"x".repeat(70_000)]);
    assert_eq!(heavy, b"-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    assert_eq!(client.say("PING"), "+PONG\r\n");
}
