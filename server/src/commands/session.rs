//! Commands about the connection itself.

use super::table::Command;
use super::{Call, Error, Outcome, REDIS_VERSION, SYNTAX, integer, wrong_arity};
use crate::state::Shared;
use crate::wire::parse_integer;

/// What is known of one connection.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// The client's number, since the server's start.
    pub(crate) id: u64,
    /// Where it comes from.
    pub(crate) peer: String,
    /// Whether it said the password, or need not.
    trusted: bool,
    /// Whether it is to be closed once it has been replied to.
    closing: bool,
    name: Vec<u8>,
    library: Vec<u8>,
    library_version: Vec<u8>,
}

impl Session {
    /// A connection that nothing was said on.
    pub(crate) fn new(id: u64, peer: String, shared: &Shared) -> Self {
        Self {
            id,
            peer,
            trusted: shared.password.is_none(),
            closing: false,
            name: Vec::new(),
            library: Vec::new(),
            library_version: Vec::new(),
        }
    }

    /// Whether the password was said, or need not be.
    #[inline]
    pub(crate) fn is_trusted(&self) -> bool {
        self.trusted
    }

    /// Whether the client wants to be closed.
    #[inline]
    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Closes it once it has been replied to.
    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    /// Whether it may have `command` carried out.
    #[inline]
    pub(super) fn may(&self, command: &Command) -> bool {
        self.trusted || command.is_for_all()
    }
}

pub(super) fn ping(call: &mut Call<'_>) -> Outcome {
    match call.args.len() {
        1 => call.reply.simple("PONG"),
        2 => call.reply.bulk(&call.args[1]),
        _ => return Err(wrong_arity("ping")),
    }
    Ok(())
}

pub(super) fn echo(call: &mut Call<'_>) -> Outcome {
    call.reply.bulk(&call.args[1]);
    Ok(())
}

pub(super) fn quit(call: &mut Call<'_>) -> Outcome {
    call.session.close();
    call.reply.ok();
    Ok(())
}

/// There is one database, number 0.
pub(super) fn select(call: &mut Call<'_>) -> Outcome {
    let too_large = "ERR value is out of range, value must between -2147483648 and 2147483647";
    let number = i32::try_from(integer(call.args, 1)?).map_err(|_| too_large)?;
    if number != 0 {
        return Err("ERR DB index is out of range".into());
    }
    call.reply.ok();
    Ok(())
}

/// Whether `user` with `password` is let in. Without a password to say, any is right.
fn admits(shared: &Shared, user: &[u8], password: &[u8]) -> bool {
    user == b"default" && (shared.password.is_none() || shared.is_password(password))
}

const WRONG_PASSWORD: Error =
    Error::new("WRONGPASS invalid username-password pair or user is disabled.");

pub(super) fn auth(call: &mut Call<'_>) -> Outcome {
    let (user, password) = match call.args.len() {
        2 if call.shared.password.is_none() => {
            let complaint = "ERR AUTH <password> called without any password configured for the \
                             default user. Are you sure your configuration is correct?";
            return Err(complaint.into());
        }
        2 => (&b"default"[..], &call.args[1]),
        3 => (&call.args[1], &call.args[2]),
        _ => return Err(SYNTAX),
    };
    if !admits(call.shared, user, password) {
        return Err(WRONG_PASSWORD);
    }
    call.session.trusted = true;
    call.reply.ok();
    Ok(())
}

/// The longest text that is kept of what a client says of itself: it is held for as long as the
/// client stays, whatever else that does.
const LONGEST: usize = 1024;

/// `text` as it may be kept: short, printable and without spaces. A complaint names it as `what`.
fn kept(what: &str, text: &[u8]) -> Result<Vec<u8>, Error> {
    if !text.iter().all(u8::is_ascii_graphic) {
        let why = " cannot contain spaces, newlines or special characters.";
        return Err(Error::about("ERR ", what.as_bytes(), why));
    }
    if text.len() > LONGEST {
        let why = format!(" cannot be longer than {LONGEST} bytes.");
        return Err(Error::about("ERR ", what.as_bytes(), &why));
    }
    Ok(text.to_vec())
}

/// What complaints call a client's name.
const NAMES: &str = "Client names";

pub(super) fn hello(call: &mut Call<'_>) -> Outcome {
    let mut version = None;
    if let Some(text) = call.args.get(1) {
        let complaint = "ERR Protocol version is not an integer or out of range";
        version = Some(parse_integer(text).ok_or(complaint)?);
        if !matches!(version, Some(2 | 3)) {
            return Err("NOPROTO unsupported protocol version".into());
        }
    }
    let options = call.args.from(2);
    let mut at = 0;
    while at < options.len() {
        if options.is(at, "auth") && options.len() - at > 2 {
            if !admits(call.shared, &options[at + 1], &options[at + 2]) {
                return Err(WRONG_PASSWORD);
            }
            call.session.trusted = true;
            at += 3;
        } else if options.is(at, "setname") && options.len() - at > 1 {
            call.session.name = kept(NAMES, &options[at + 1])?;
            at += 2;
        } else {
            return Err(Error::about("ERR Syntax error in HELLO option '", &options[at], "'"));
        }
    }
    if !call.session.trusted {
        let complaint = "NOAUTH HELLO must be called with the client already authenticated, \
                         otherwise the HELLO <proto> AUTH <user> <pass> option can be used to \
                         authenticate the client and select the RESP protocol version at the same \
                         time";
        return Err(complaint.into());
    }
    let version = version.unwrap_or(if call.reply.is_resp3() { 3 } else { 2 });
    call.reply.set_resp3(version == 3);
    greet(call, version);
    Ok(())
}

fn greet(call: &mut Call<'_>, version: i64) {
    let id = i64::try_from(call.session.id).unwrap_or(i64::MAX);
    let reply = &mut *call.reply;
    reply.map(7);
    for (name, text) in [("server", "redis"), ("version", REDIS_VERSION)] {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
    for (name, number) in [("proto", version), ("id", id)] {
        reply.bulk(name.as_bytes());
        reply.integer(number);
    }
    for (name, text) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
    reply.bulk(b"modules");
    reply.array(0);
}

/// CLIENT: what clients say of themselves when they connect.
pub(super) fn client(call: &mut Call<'_>) -> Outcome {
    let words = call.args.len();
    let name = call.args[1].to_ascii_lowercase();
    let known = [
        ("id", 2),
        ("getname", 2),
        ("info", 2),
        ("setname", 3),
        ("no-evict", 3),
        ("no-touch", 3),
        ("setinfo", 4),
    ];
    let Some((name, arity)) = known.iter().find(|known| known.0.as_bytes() == name) else {
        return Err(unknown_subcommand(call, "CLIENT"));
    };
    if words != *arity {
        return Err(wrong_arity(&format!("client|{name}")));
    }
    match *name {
        "id" => call.reply.integer(i64::try_from(call.session.id).unwrap_or(i64::MAX)),
        "getname" if call.session.name.is_empty() => call.reply.null(),
        "getname" => call.reply.bulk(&call.session.name),
        "info" => call.reply.text(&line(call.session, call.reply.is_resp3())),
        "setname" => {
            call.session.name = kept(NAMES, &call.args[2])?;
            call.reply.ok();
        }
        "setinfo" => return set_info(call),
        _ if call.args.is(2, "on") || call.args.is(2, "off") => call.reply.ok(),
        _ => return Err(SYNTAX),
    }
    Ok(())
}

fn set_info(call: &mut Call<'_>) -> Outcome {
    let text = &call.args[3];
    if call.args.is(2, "lib-name") {
        call.session.library = kept("lib-name", text)?;
    } else if call.args.is(2, "lib-ver") {
        call.session.library_version = kept("lib-ver", text)?;
    } else {
        return Err(Error::about("ERR Unrecognized option '", &call.args[2], "'"));
    }
    call.reply.ok();
    Ok(())
}

/// The connection in a line.
fn line(session: &Session, resp3: bool) -> String {
    format!(
        "id={} addr={} name={} db=0 resp={} lib-name={} lib-ver={}\n",
        session.id,
        session.peer,
        String::from_utf8_lossy(&session.name),
        if resp3 { 3 } else { 2 },
        String::from_utf8_lossy(&session.library),
        String::from_utf8_lossy(&session.library_version),
    )
}

/// The complaint about a second word that `container` does not know.
pub(super) fn unknown_subcommand(call: &Call<'_>, container: &str) -> Error {
    let word = &call.args[1];
    let shown = &word[..word.len().min(128)];
    Error::about("ERR unknown subcommand '", shown, &format!("'. Try {container} HELP."))
}
