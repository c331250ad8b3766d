//! More than one machine, on one: three servers behind twemproxy as docs/recipes/nutcracker.yml has
//! it, and the same client code on a Redis Cluster of three. What docs/more-than-one-machine.md says
//! of nodes that are lost and come back is what happens here.

#[path = "support/programs.rs"]
mod programs;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use programs::{Started, are_here, free_port, is_fetched, program, repository, run, text, until};
use redis::cluster::ClusterClient;
use redis::{Client, Commands, Connection, ErrorKind, IntoConnectionInfo, RedisResult, Value, cmd};

/// As many as make it certain that each of three servers has a good part of them.
const KEYS: usize = 600;

fn key(number: usize) -> String {
    format!("key:{number}")
}

/// What a client does that may talk to one server, to a proxy or to a cluster.
fn use_as_client(con: &mut impl Commands) -> RedisResult<()> {
    for number in 0..KEYS {
        con.set_ex::<_, _, ()>(key(number), number, 1_000)?;
    }
    for number in 0..KEYS {
        assert_eq!(con.get::<_, usize>(key(number))?, number);
        assert!((900..=1_000).contains(&con.ttl::<_, i64>(key(number))?));
    }
    // Keys with the same part in braces are together, so that one command may name several.
    con.mset::<_, _, ()>(&[("{user:1}:name", "Ada"), ("{user:1}:city", "London")])?;
    let both: Vec<String> = con.mget(&["{user:1}:name", "{user:1}:city"])?;
    assert_eq!(both, ["Ada", "London"]);
    assert_eq!(con.incr::<_, _, i64>("{user:1}:visits", 1)?, 1);
    let all = ["{user:1}:name", "{user:1}:city", "{user:1}:visits", "{user:1}:none"];
    assert_eq!(con.del::<_, usize>(&all)?, 3);
    Ok(())
}

/// A connection that says nothing that a proxy does not know.
fn connect(port: u16) -> Connection {
    let info = format!("redis://127.0.0.1:{port}").into_connection_info().expect("an address");
    let quiet = info.redis_settings().clone().set_skip_set_lib_name();
    let client = Client::open(info.set_redis_settings(quiet)).expect("an address");
    let con = client.get_connection().expect("somebody listens");
    con.set_read_timeout(Some(Duration::from_secs(20))).expect("it can be set");
    con
}

/// Three servers of ours and the proxy of the recipe in front of them.
struct Recipe {
    servers: Vec<Option<Started>>,
    ports: Vec<u16>,
    proxy: Started,
    /// The port of the pool that gives a lost server's keys to the others.
    cache: u16,
}

impl Recipe {
    fn start() -> Self {
        let server = || (0..5).find_map(|_| Started::ours_at(free_port())).expect("it starts");
        let servers: Vec<_> = (0..3).map(|_| server()).collect();
        let ports: Vec<u16> = servers.iter().map(|server| server.port).collect();
        let shown = fs::read_to_string(repository("docs/recipes/nutcracker.yml")).expect("there");
        let cache = Cell::new(0);
        let nutcracker = program("nutcracker").expect("it is there");
        let proxy = Started::new(&nutcracker, |strict, folder| {
            cache.set(free_port());
            let pools = [("22121", 1, strict), ("22122", 1, cache.get())];
            let behind = ["6381", "6382", "6383"].into_iter().zip(&ports);
            // A server that is kept waiting by other tests is not lost.
            let mut pools_here = shown.replace("timeout: 1000", "timeout: 30000");
            for (port, times, free) in pools.into_iter().chain(behind.map(|(a, b)| (a, 2, *b))) {
                let shown = format!("127.0.0.1:{port}");
                assert_eq!(pools_here.matches(&shown).count(), times, "{shown} in the recipe");
                pools_here = pools_here.replace(&shown, &format!("127.0.0.1:{free}"));
            }
            fs::write(folder.join("pools.yml"), pools_here).expect("it can be written");
            let statistics = free_port().to_string();
            let arguments = ["-c", "pools.yml", "-p", "pid", "-o", "log", "-a", "127.0.0.1", "-s"];
            arguments.into_iter().chain([&*statistics]).map(str::to_owned).collect()
        });
        Self { servers: servers.into_iter().map(Some).collect(), ports, proxy, cache: cache.get() }
    }

    /// The keys that a server has.
    fn keys_of(&self, server: usize) -> BTreeSet<String> {
        connect(self.ports[server]).keys("key:*").expect("it answers")
    }

    /// Kills a server; returns the keys that it had.
    fn lose(&mut self, server: usize) -> BTreeSet<String> {
        let lost = self.keys_of(server);
        assert!(lost.len() > KEYS / 10, "it had only {} keys", lost.len());
        self.servers[server] = None;
        lost
    }

    /// Starts a server that was lost anew, at the same place.
    fn bring_back(&mut self, server: usize) {
        until("the port is free again", || {
            self.servers[server] = Started::ours_at(self.ports[server]);
            self.servers[server].is_some()
        });
    }
}

#[test]
fn a_proxy_spreads_keys_over_three_servers() -> RedisResult<()> {
    if !are_here(&["nutcracker"]) {
        return Ok(());
    }
    let recipe = Recipe::start();
    for port in [recipe.proxy.port, recipe.cache] {
        use_as_client(&mut connect(port))?;
    }
    let parts: Vec<_> = (0..3).map(|server| recipe.keys_of(server)).collect();
    assert!(parts.iter().all(|part| part.len() > KEYS / 10), "unevenly spread: {parts:?}");
    let all: BTreeSet<_> = parts.iter().flatten().cloned().collect();
    assert_eq!(all, (0..KEYS).map(key).collect(), "a key is missing");
    assert_eq!(parts.iter().map(BTreeSet::len).sum::<usize>(), KEYS, "a key is in two places");
    // One request for keys of all three is split.
    let pairs: Vec<_> = (0..KEYS).map(|number| (key(number), number + 1)).collect();
    let mut con = connect(recipe.proxy.port);
    con.mset::<_, _, ()>(&pairs)?;
    let keys: Vec<_> = (0..KEYS).map(key).collect();
    let values: Vec<usize> = con.mget(&keys)?;
    assert_eq!(values, (1..=KEYS).collect::<Vec<_>>());
    assert_eq!(con.del::<_, usize>(&keys)?, KEYS);
    for number in 0..KEYS {
        con.set::<_, _, ()>(key(number), number)?;
    }
    // Many requests at once are answered in their order, whoever answers.
    let mut many = redis::pipe();
    for number in 0..KEYS {
        many.get(key(number));
    }
    let answers: Vec<usize> = many.query(&mut connect(recipe.proxy.port))?;
    assert_eq!(answers, (0..KEYS).collect::<Vec<_>>());
    use_from_python("proxy", recipe.proxy.port);
    Ok(())
}

/// The commands with a key that the proxy does not know, as the documentation lists them.
const UNKNOWN_TO_THE_PROXY: [&str; 3] = ["expiretime", "pexpiretime", "substr"];

#[test]
fn a_proxy_passes_on_every_command_with_a_key_but_those_that_are_documented() -> RedisResult<()> {
    if !are_here(&["nutcracker"]) {
        return Ok(());
    }
    let recipe = Recipe::start();
    let commands: Vec<Vec<Value>> = cmd("COMMAND").query(&mut connect(recipe.ports[0]))?;
    let mut passed = 0;
    for command in commands {
        let [Value::BulkString(name), Value::Int(arity), _, Value::Int(first_key), ..] =
            &command[..]
        else {
            panic!("COMMAND replies {command:?}");
        };
        let name = String::from_utf8_lossy(name).into_owned();
        let mut request = cmd(&name);
        for _ in 1..arity.abs() {
            request.arg("k");
        }
        // A complaint of the server's is an answer, too.
        let came_through = match request.query::<Value>(&mut connect(recipe.proxy.port)) {
            Ok(_) => true,
            Err(error) => matches!(error.kind(), ErrorKind::Server(_)),
        };
        let expected = *first_key > 0 && !UNKNOWN_TO_THE_PROXY.contains(&name.as_str());
        // What it answers itself.
        if !["auth", "command", "ping", "quit"].contains(&name.as_str()) {
            assert_eq!(came_through, expected, "{name}");
            passed += usize::from(came_through);
        }
    }
    assert!(passed > 25, "only {passed}");
    Ok(())
}

#[test]
fn keys_of_a_lost_server_are_errors_until_it_is_back_and_others_go_on() -> RedisResult<()> {
    if !are_here(&["nutcracker"]) {
        return Ok(());
    }
    let mut recipe = Recipe::start();
    let mut con = connect(recipe.proxy.port);
    for number in 0..KEYS {
        con.set::<_, _, ()>(key(number), number)?;
    }
    let lost = recipe.lose(1);
    for round in 0..2 {
        for number in 0..KEYS {
            let answer = con.get::<_, usize>(key(number));
            match answer {
                Ok(value) => assert!(value == number && !lost.contains(&key(number)), "{number}"),
                Err(error) => assert!(lost.contains(&key(number)), "{round}, {number}: {error}"),
            }
        }
    }
    recipe.bring_back(1);
    let first = lost.first().expect("it had some").clone();
    until("the proxy has found the server again", || con.get::<_, Option<usize>>(&first).is_ok());
    for number in 0..KEYS {
        // It kept nothing; the others kept all.
        let expected = (!lost.contains(&key(number))).then_some(number);
        assert_eq!(con.get::<_, Option<usize>>(key(number))?, expected);
        con.set::<_, _, ()>(key(number), number)?;
        assert_eq!(con.get::<_, usize>(key(number))?, number);
    }
    assert_eq!(recipe.keys_of(1), lost, "the same keys go to the same server");
    Ok(())
}

#[test]
fn keys_of_a_lost_server_go_to_the_others_of_a_cache_and_back() -> RedisResult<()> {
    if !are_here(&["nutcracker"]) {
        return Ok(());
    }
    let mut recipe = Recipe::start();
    let mut con = connect(recipe.cache);
    for number in 0..KEYS {
        con.set::<_, _, ()>(key(number), "first")?;
    }
    let lost = recipe.lose(1);
    // From time to time the proxy tries it again, and a request fails.
    let ask = |con: &mut Connection, key: &str| -> Option<String> {
        let mut answer = None;
        until("the proxy asks another server", || {
            answer = con.get(key).ok();
            answer.is_some()
        });
        answer.flatten()
    };
    let put = |con: &mut Connection, key: &str, value: &str| {
        until("the proxy asks another server", || con.set::<_, _, ()>(key, value).is_ok());
    };
    for key in (0..KEYS).map(key) {
        let expected = (!lost.contains(&key)).then(|| "first".to_owned());
        assert_eq!(ask(&mut con, &key), expected, "{key}");
        put(&mut con, &key, "second");
    }
    let elsewhere: BTreeSet<_> = [0, 2].into_iter().flat_map(|at| recipe.keys_of(at)).collect();
    assert!(elsewhere.is_superset(&lost), "they went to the others");

    recipe.bring_back(1);
    let probe = lost.first().expect("it had some").clone();
    until("the keys have gone back", || ask(&mut con, &probe).is_none());
    for key in (0..KEYS).map(key) {
        let expected = (!lost.contains(&key)).then(|| "second".to_owned());
        assert_eq!(ask(&mut con, &key), expected, "{key}");
        put(&mut con, &key, "third");
    }
    assert_eq!(recipe.keys_of(1), lost);
    // Lost once more, what was written elsewhere the first time shows up again: hence the TTLs.
    recipe.lose(1);
    for key in (0..KEYS).map(key) {
        let expected = if lost.contains(&key) { "second" } else { "third" };
        assert_eq!(ask(&mut con, &key).as_deref(), Some(expected), "{key}");
    }
    Ok(())
}

/// Has redis-py use what `kind` says at `port`.
fn use_from_python(kind: &str, port: u16) {
    let python = repository("target/clients/bin/python");
    let remedy = "run server/tests/fetch.sh, which needs Debian's python3-venv";
    if !is_fetched(python.is_file(), "redis-py", remedy) {
        return;
    }
    let script = repository("server/tests/clients/several_machines.py");
    let script = script.to_str().expect("text");
    let output = run(&python, &[script, kind, "127.0.0.1", &port.to_string()], b"");
    assert!(output.status.success() && text(&output).contains("done"), "{}", text(&output));
}

/// Three redis-servers that share the slots among them.
fn cluster() -> Vec<Started> {
    let redis_server = program("redis-server").expect("it is there");
    let buses: Vec<u16> = (0..3).map(|_| free_port()).collect();
    let node = |bus: &u16| {
        Started::new(&redis_server, |port, folder| {
            let (port, bus) = (port.to_string(), bus.to_string());
            let own = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--dir"];
            let own = own.into_iter().map(str::to_owned).chain([folder.display().to_string()]);
            let cluster = ["--cluster-enabled", "yes", "--cluster-port", &bus];
            own.chain(cluster.map(str::to_owned)).collect()
        })
    };
    let nodes: Vec<Started> = buses.iter().map(node).collect();
    let addresses = nodes.iter().zip(&buses).map(|(node, bus)| {
        // As in the recipe, but for buses that do not stand 10000 above their ports.
        format!("127.0.0.1:{}@{bus}", node.port)
    });
    let addresses: Vec<String> = addresses.collect();
    let mut arguments = vec!["--cluster", "create"];
    arguments.extend(addresses.iter().map(String::as_str));
    arguments.push("--cluster-yes");
    let output = run(&program("redis-cli").expect("it is there"), &arguments, b"");
    assert!(output.status.success(), "{}", text(&output));
    until("the nodes agree", || {
        nodes.iter().all(|node| {
            let told: RedisResult<String> =
                cmd("CLUSTER").arg("INFO").query(&mut connect(node.port));
            told.is_ok_and(|told| told.contains("cluster_state:ok"))
        })
    });
    nodes
}

#[test]
fn the_same_client_code_uses_a_cluster() -> RedisResult<()> {
    if !are_here(&["redis-server", "redis-cli"]) {
        return Ok(());
    }
    let nodes = cluster();
    let client = ClusterClient::new(vec![format!("redis://127.0.0.1:{}", nodes[0].port)])?;
    use_as_client(&mut client.get_connection()?)?;
    for node in &nodes {
        let held: usize = cmd("DBSIZE").query(&mut connect(node.port))?;
        assert!(held > KEYS / 10, "a node has only {held} keys");
    }
    use_from_python("cluster", nodes[0].port);
    Ok(())
}
