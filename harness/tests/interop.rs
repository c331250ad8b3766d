//! Real servers instead of one made for the purpose: `redis-server` alone, three of them as a
//! cluster, and three behind twemproxy; and this project's own server, alone and behind it. `just
//! test-interop` needs them; elsewhere they are skipped where they are missing.

#![cfg(all(unix, feature = "redis"))]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use harness::report::{Report, Warning, load};

/// Half of the puts give a TTL that runs out while this runs, in whole milliseconds and between.
const WORKLOAD: &str = r#"# Are the answers of a real server right?
schema = 1
name = "interop"
seed = 11
[run]
threads = 2
repeat = 2
requires = ["ttl"]
[keyspace.users]
keys = 400
key = { kind = "uuid" }
value = { sizes = [[35, 70], [300, 30]], fill = "verify" }
ttl = { share = 0.5, dist = "uniform", min = "1ms", max = "400ms" }
# What an earlier run has left is not put over by all of this.
prefill = { fraction = 0.5, order = "shuffled", report = true }
[[phase]]
name = "mixed"
ops = 24_000
commands = [
  { verb = "get", keyspace = "users", weight = 70, keys = { dist = "zipf", s = 0.7 } },
  { verb = "put", keyspace = "users", weight = 15, keys = { dist = "uniform" } },
  { verb = "delete", keyspace = "users", weight = 5, keys = { dist = "uniform" } },
  { verb = "expire", keyspace = "users", weight = 10, keys = { dist = "uniform" }, ttl = { dist = "uniform", min = "1ms", max = "50ms" } },
]
"#;

/// Attempts to see what must become so, a tenth of a second apart.
const ATTEMPTS: usize = 300;

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..ATTEMPTS {
        if is_so() {
            return;
        }
        sleep(Duration::from_millis(100));
    }
    panic!("waited too long: {what}");
}

/// Where a program is; folders of the system count although not every user has them in `PATH`, and
/// where this project's programs are built.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let built = PathBuf::from(env!("CARGO_BIN_EXE_harness")).parent().map(PathBuf::from);
    let folders = built.into_iter().chain(std::env::split_paths(&path));
    let folders = folders.chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
}

/// Whether all of these programs are here. Says so if not; with `INTEROP=required` that is a
/// failure.
#[expect(clippy::print_stderr, reason = "what a test says of itself")]
fn are_here(names: &[&str]) -> bool {
    let missing: Vec<&str> = names.iter().copied().filter(|name| program(name).is_none()).collect();
    if missing.is_empty() {
        return true;
    }
    let remedy = "Debian has them in redis-server, redis-tools and nutcracker; `server` is built by \
                  `cargo build -p server`";
    let complaint = format!("{} not installed; {remedy}", missing.join(", "));
    assert!(std::env::var("INTEROP").as_deref() != Ok("required"), "{complaint}");
    eprintln!("skipped: {complaint}");
    false
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A program that listens on a port of its own in a folder of its own, and is gone with this.
struct Started {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Started {
    /// Starts `name` until a port is found that nobody else took meanwhile.
    fn new(name: &str, arguments: impl Fn(u16, &std::path::Path) -> Vec<String>) -> Self {
        for _ in 0..5 {
            let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
            let program = program(name).unwrap();
            // So that it does not outlive a test that is killed, either.
            let mut command = match self::program("setpriv") {
                Some(setpriv) => {
                    let mut command = Command::new(setpriv);
                    command.args(["--pdeathsig", "KILL"]).arg(program);
                    command
                }
                None => Command::new(program),
            };
            command.args(arguments(port, folder.path())).current_dir(folder.path());
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut started = Self { process: command.spawn().unwrap(), port, _folder: folder };
            let mut ended = false;
            until("a server listens, or has given up", || {
                ended = started.process.try_wait().unwrap().is_some();
                ended || TcpStream::connect(("127.0.0.1", port)).is_ok()
            });
            if !ended {
                return started;
            }
        }
        panic!("{name} does not start");
    }

    fn redis(more: &[String]) -> Self {
        Self::new("redis-server", |port, folder| {
            let folder = folder.display().to_string();
            let port = port.to_string();
            let own = ["--bind", "127.0.0.1", "--port", &port, "--dir", &folder, "--save", ""];
            let own = own.into_iter().chain(["--appendonly", "no"]).map(str::to_owned);
            own.chain(more.iter().cloned()).collect()
        })
    }

    /// This project's own server.
    fn ours() -> Self {
        Self::new("server", |port, _| {
            ["--resp", &format!("127.0.0.1:{port}"), "--http", "off"].map(str::to_owned).into()
        })
    }

    /// Three servers behind twemproxy, which spreads keys over them.
    fn proxy(servers: &[Self]) -> Self {
        Self::new("nutcracker", |port, folder| {
            let servers = servers.iter().map(|one| format!("   - 127.0.0.1:{}:1\n", one.port));
            let pool = format!(
                "pool:\n  listen: 127.0.0.1:{port}\n  hash: fnv1a_64\n  distribution: ketama\n  \
                 redis: true\n  auto_eject_hosts: false\n  servers:\n{}",
                servers.collect::<String>()
            );
            fs::write(folder.join("pool.yml"), pool).unwrap();
            let statistics = free_port().to_string();
            let arguments = ["-c", "pool.yml", "-p", "pid", "-o", "log", "-a", "127.0.0.1"];
            arguments.into_iter().chain(["-s", &statistics]).map(str::to_owned).collect()
        })
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What the server answers to a request made by hand.
    fn ask(&self, request: &[&str]) -> String {
        let mut command = Command::new(program("redis-cli").unwrap());
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]).args(request);
        String::from_utf8(command.output().unwrap().stdout).unwrap().trim().to_owned()
    }

    fn len(&self) -> u64 {
        self.ask(&["DBSIZE"]).parse().unwrap()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn three() -> Vec<Started> {
    (0..3).map(|_| Started::redis(&[])).collect()
}

/// Three servers that share the slots among them, and have agreed on it.
fn cluster() -> Vec<Started> {
    let buses: Vec<String> = (0..3).map(|_| free_port().to_string()).collect();
    let start = |bus: &String| {
        let more = ["--cluster-enabled", "yes", "--cluster-port", bus];
        Started::redis(&more.map(str::to_owned))
    };
    let nodes: Vec<Started> = buses.iter().map(start).collect();
    let slots = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
    for ((node, bus), (from, to)) in nodes.iter().zip(&buses).zip(slots) {
        assert_eq!(node.ask(&["CLUSTER", "ADDSLOTSRANGE", from, to]), "OK");
        let port = node.port.to_string();
        assert_eq!(nodes[0].ask(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]), "OK");
    }
    until("the nodes of a cluster agree", || {
        nodes.iter().all(|node| {
            let told = node.ask(&["CLUSTER", "INFO"]);
            told.contains("cluster_state:ok") && told.contains("cluster_known_nodes:3")
        })
    });
    nodes
}

/// `harness bench` of the workload in a folder of its own, under the label `mine`.
fn bench(folder: &tempfile::TempDir, url: &str, set: &[&str]) -> Command {
    fs::write(folder.path().join("w.toml"), WORKLOAD).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.args(["bench", "w.toml", "--out", "r", "--target", &format!("mine={url}")]);
    for assignment in set {
        command.args(["--set", assignment]);
    }
    command.current_dir(folder.path()).stdin(Stdio::null());
    command
}

fn text(output: &Output) -> String {
    String::from_utf8([&*output.stdout, &*output.stderr].concat()).unwrap()
}

/// Runs the workload to its end; what was reported and what was said.
fn report(url: &str) -> (Report, String) {
    let folder = tempfile::tempdir().unwrap();
    let output = bench(&folder, url, &[]).output().unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let reports = folder.path().join("r/interop/mine");
    let path = fs::read_dir(&reports).unwrap().next().unwrap().unwrap().path();
    assert!(!fs::read_to_string(&path).unwrap().contains("127.0.0.1"), "a report names no host");
    (load::read(&path).unwrap(), text)
}

/// Answers of every kind were given, and all of them right.
fn all_is_right(report: &Report) {
    let mixed = report.merged.iter().find(|phase| phase.name == "mixed").unwrap();
    let counts = &mixed.counts;
    assert_eq!((counts.wrong, counts.stale, counts.early), (0, 0, 0), "{counts:?}");
    assert!(counts.hit > 100 && counts.expired > 100, "{counts:?}");
    assert!(counts.unjudged == 0 && counts.miss > counts.expired, "{counts:?}");
}

/// Kills `victim` while the workload is running against `url`: one error that names the address,
/// and no report.
fn dies_in_the_middle(url: &str, mut victim: Started) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = bench(&folder, url, &["phase.mixed.ops=1_000_000"]);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("keys have been put", || victim.len() > 20);
    victim.process.kill().unwrap();
    let output = run.wait_with_output().unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(text.matches("error: ").count(), 1, "{text}");
    assert!(text.contains(&format!("{url}: a request failed: ")), "{text}");
    assert!(!folder.path().join("r/interop").exists(), "part of a run was reported");
}

#[test]
fn a_server_answers_rightly_and_tells_what_it_holds() {
    if !are_here(&["redis-server", "redis-cli"]) {
        return;
    }
    let server = Started::redis(&[]);
    // The second run flushes what the first has left.
    for _ in 0..2 {
        let (report, text) = report(&server.url());
        all_is_right(&report);
        assert!(!report.warnings.contains(&Warning::Untold), "{text}");
        for phase in report.repeats.iter().flat_map(|repeat| &repeat.phases) {
            let memory = phase.memory;
            assert!(memory.entries.is_some_and(|entries| entries > 0 && entries <= 400));
            assert!(memory.rss_after_bytes > memory.baseline_bytes, "{memory:?}");
        }
    }
    // What is not ours stays.
    let theirs = Started::redis(&[]);
    assert_eq!(theirs.ask(&["SET", "theirs", "precious"]), "OK");
    let folder = tempfile::tempdir().unwrap();
    let output = bench(&folder, &theirs.url(), &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("it holds 1 keys that no run has put there"));
    assert_eq!(theirs.ask(&["GET", "theirs"]), "precious");
}

#[test]
fn a_server_without_room_evicts_if_told_so_and_complains_if_not() {
    if !are_here(&["redis-server", "redis-cli"]) {
        return;
    }
    let bounded = |policy: &str| {
        let more = ["--maxmemory", "1500kb", "--maxmemory-policy", policy];
        Started::redis(&more.map(str::to_owned))
    };
    let folder = tempfile::tempdir().unwrap();
    let many = ["keyspace.users.keys=20000", "run.repeat=1"];
    let server = bounded("allkeys-lru");
    let output = bench(&folder, &server.url(), &many).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "evicted is not early: {}", text(&output));
    assert!(!server.ask(&["INFO", "stats"]).contains("evicted_keys:0"), "nothing was evicted");
    let server = bounded("noeviction");
    let output = bench(&folder, &server.url(), &many).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("OOM"), "{}", text(&output));
}

#[test]
fn a_server_that_is_killed_ends_the_run_with_one_error_and_no_report() {
    if !are_here(&["redis-server", "redis-cli"]) {
        return;
    }
    let server = Started::redis(&[]);
    dies_in_the_middle(&server.url(), server);
}

#[test]
fn a_cluster_answers_rightly_and_a_dead_node_ends_the_run() {
    if !are_here(&["redis-server", "redis-cli"]) {
        return;
    }
    let mut nodes = cluster();
    let url = nodes[0].url().replace("redis://", "redis+cluster://");
    let (report, text) = report(&url);
    all_is_right(&report);
    assert!(!report.warnings.contains(&Warning::Untold), "{text}");
    let memory = report.repeats[1].phases[0].memory;
    assert_eq!(memory.entries.map(|entries| entries > 100), Some(true), "{memory:?}");
    assert!(memory.rss_after_bytes > memory.baseline_bytes, "{memory:?}");
    assert!(nodes.iter().all(|node| node.len() > 10), "all nodes have a part of the keys");
    dies_in_the_middle(&url, nodes.pop().unwrap());
}

#[test]
fn servers_behind_a_proxy_answer_rightly_and_the_report_says_what_nobody_tells() {
    if !are_here(&["redis-server", "redis-cli", "nutcracker"]) {
        return;
    }
    let mut servers = three();
    assert_eq!(servers[0].ask(&["SET", "theirs", "precious"]), "OK");
    let proxy = Started::proxy(&servers);
    // Nobody can flush what the first run has left; the second is right all the same.
    for _ in 0..2 {
        let (report, text) = report(&proxy.url());
        all_is_right(&report);
        assert!(report.warnings.contains(&Warning::Untold), "{text}");
        assert!(text.contains("does not tell what it holds"), "{text}");
        for phase in report.repeats.iter().flat_map(|repeat| &repeat.phases) {
            let memory = phase.memory;
            assert_eq!((memory.entries, memory.rss_after_bytes), (None, None), "{memory:?}");
        }
    }
    assert!(servers.iter().all(|server| server.len() > 10), "all have a part of the keys");
    assert_eq!(servers[0].ask(&["GET", "theirs"]), "precious");
    for server in &servers {
        server.ask(&["FLUSHALL"]);
    }
    dies_in_the_middle(&proxy.url(), servers.pop().unwrap());
}

#[test]
fn our_own_server_answers_rightly_alone_and_behind_a_proxy() {
    if !are_here(&["server", "redis-cli", "nutcracker"]) {
        return;
    }
    let server = Started::ours();
    let (alone, said) = report(&server.url());
    all_is_right(&alone);
    assert!(!alone.warnings.contains(&Warning::Untold), "{said}");
    for phase in alone.repeats.iter().flat_map(|repeat| &repeat.phases) {
        let memory = phase.memory;
        assert!(memory.entries.is_some_and(|entries| entries > 0 && entries <= 400));
        assert!(memory.rss_after_bytes > Some(1 << 20), "{memory:?}");
    }
    let servers: Vec<Started> = (0..3).map(|_| Started::ours()).collect();
    let proxy = Started::proxy(&servers);
    let (behind, said) = report(&proxy.url());
    all_is_right(&behind);
    assert!(behind.warnings.contains(&Warning::Untold), "{said}");
    assert!(servers.iter().all(|server| server.len() > 10), "all have a part of the keys");
}
