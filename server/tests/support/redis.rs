//! A redis-server of the test's own, to compare with.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

/// A redis-server on a free port; stopped when dropped.
pub(crate) struct Redis {
    child: Child,
    pub(crate) addr: SocketAddr,
}

impl Redis {
    /// Starts one, or says why not and returns nothing.
    pub(crate) fn start(arguments: &[&str]) -> Option<Self> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let addr = free.local_addr().expect("it has one");
        drop(free);
        let mut command = Command::new("redis-server");
        command.args(["--port", &addr.port().to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--databases", "1", "--appendonly", "no"]).args(arguments);
        command.stdout(Stdio::piped()).stdin(Stdio::null()).current_dir(std::env::temp_dir());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                assert!(
                    std::env::var("INTEROP").as_deref() != Ok("required"),
                    "redis-server cannot be started: {error}; install Debian's redis-server"
                );
                let _ = writeln!(
                    std::io::stderr(),
                    "SKIPPED, redis-server cannot be started ({error}): \
                          install Debian's redis-server to compare with it"
                );
                return None;
            }
        };
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        while !line.contains("Ready to accept connections") {
            line.clear();
            let read = output.read_line(&mut line).expect("it is text");
            assert!(read > 0, "redis-server ended: {:?}", child.wait());
        }
        // Whatever else it says must not fill the pipe.
        std::thread::spawn(move || {
            let mut rest = Vec::new();
            let _ = output.read_to_end(&mut rest);
        });
        Some(Self { child, addr })
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
