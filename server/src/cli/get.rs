//! `server get`: a small client for HTTP.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::GetArgs;

/// How long a server may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn run(args: &GetArgs) -> Result<(), String> {
    let failed = |error: io::Error| {
        format!("{}: {error}: is a server listening there for HTTP?", args.server)
    };
    let answer = ask(args).map_err(failed)?;
    let (status, body) = read(&answer)
        .ok_or_else(|| format!("{}: what answered there does not speak HTTP", args.server))?;
    match status {
        200 => io::stdout().write_all(body).map_err(|error| format!("output: {error}")),
        404 => Err(format!("`{}`: there is no such key", args.key)),
        401 => Err(format!("{}: the password is needed: say `--password`", args.server)),
        _ => Err(format!("{}: {status}: {}", args.server, String::from_utf8_lossy(body).trim())),
    }
}

/// Everything that the server answers.
fn ask(args: &GetArgs) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(&args.server)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let key = utf8_percent_encode(&args.key, NON_ALPHANUMERIC);
    let server = &args.server;
    let password = args.password.as_deref().unwrap_or_default();
    if password.contains(['\r', '\n']) {
        let complaint = "a password has no line breaks";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, complaint));
    }
    let request = format!(
        "GET /?key={key} HTTP/1.0\r\nhost: {server}\r\nauthorization: Bearer {password}\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// The status and the body of an answer; nothing if it is cut off or no HTTP.
fn read(answer: &[u8]) -> Option<(u16, &[u8])> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let body = &answer[end + 4..];
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    (length.is_none_or(|length| length == body.len())).then_some((status, body))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn an_answer_is_read_whole_or_not_at_all() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na\r\n";
        assert_eq!(read(answer), Some((200, &b"a\r\n"[..])));
        assert_eq!(read(&answer[..answer.len() - 1]), None);
        assert_eq!(read(b"-ERR unknown command\r\n"), None);
        assert_eq!(read(b"-ERR\r\n\r\n"), None);
    }
}
