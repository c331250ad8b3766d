"""What redis-py is used for with strings, numbers, expiry and keys, as functions that assert.

    redis_py.py HOST PORT PROTOCOL

runs all of them against a server and names each that fails. The same must pass against redis-server,
which proves the suite right.
"""

import sys
import threading
import time
import traceback
import uuid

import redis
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError
from redis.retry import Retry

FAR = 2_000_000_000  # a moment in 2033, in seconds


def refuses(words, call, *args, **kwargs):
    """That the server answers with an error that contains `words`."""
    try:
        answer = call(*args, **kwargs)
    except ResponseError as error:
        assert words in str(error), f"{error!r} does not say {words!r}"
    else:
        raise AssertionError(f"{answer!r} instead of an error with {words!r}")


# Strings.


def set_and_get(r):
    assert r.get("none") is None
    assert r.set("a", "1") is True
    assert r.get("a") == b"1"
    everything = bytes(range(256)) * 40
    assert r.set(everything, everything)
    assert r.get(everything) == everything
    assert r.set("empty", "") and r.get("empty") == b""
    assert r.exists("empty") == 1
    assert r.set("text", "h\u00e9\u4e16\U0001f600") and r.get("text").decode() == "h\u00e9\u4e16\U0001f600"
    large = b"x" * 5_000_000
    assert r.set("large", large) and r.get("large") == large and r.strlen("large") == 5_000_000


def set_under_a_condition(r):
    assert r.set("a", "1", xx=True) is None and r.get("a") is None
    assert r.set("a", "1", nx=True) is True
    assert r.set("a", "2", nx=True) is None and r.get("a") == b"1"
    assert r.set("a", "3", xx=True) is True and r.get("a") == b"3"
    assert r.setnx("a", "4") is False and r.setnx("b", "4") is True
    assert r.mget("a", "b") == [b"3", b"4"]


def set_and_get_what_was_there(r):
    assert r.set("a", "1", get=True) is None
    assert r.set("a", "2", get=True) == b"1"
    assert r.set("a", "3", xx=True, get=True) == b"2"
    assert r.set("a", "4", nx=True, get=True) == b"3" and r.get("a") == b"3"
    assert r.set("b", "1", nx=True, get=True) is None and r.get("b") == b"1"
    assert r.set("c", "1", xx=True, get=True) is None and r.get("c") is None
    assert r.getset("a", "5") == b"3" and r.getset("d", "1") is None
    assert r.getdel("a") == b"5" and r.getdel("a") is None and r.exists("a") == 0


def set_with_a_time(r):
    assert r.set("a", "1", ex=100) and 99 <= r.ttl("a") <= 100
    assert r.set("a", "1", px=100_000) and 99_000 < r.pttl("a") <= 100_000
    assert r.set("a", "1", exat=FAR) and r.expiretime("a") == FAR
    assert r.set("a", "1", pxat=FAR * 1000 + 123) and r.pexpiretime("a") == FAR * 1000 + 123
    assert r.set("a", "2", keepttl=True) and r.expiretime("a") == FAR
    assert r.set("a", "3") and r.ttl("a") == -1
    assert r.setex("a", 100, "1") and 99 <= r.ttl("a") <= 100
    assert r.psetex("a", 100_000, "1") and r.get("a") == b"1"
    for bad in (0, -1):
        refuses("invalid expire time in 'set' command", r.set, "a", "9", ex=bad)
        refuses("invalid expire time in 'setex' command", r.setex, "a", bad, "9")
        refuses("invalid expire time in 'psetex' command", r.psetex, "a", bad, "9")
    refuses("not an integer", r.execute_command, "SET", "a", "9", "EX", "soon")
    refuses("invalid expire time", r.execute_command, "SET", "a", "9", "EX", str(2**63 - 1))
    for options in (
        ("EX", 1, "PX", 1),
        ("EX", 1, "KEEPTTL"),
        ("NX", "XX"),
        ("EX",),
        ("NX", "EX"),
        ("PERSIST",),
        ("NONSENSE",),
    ):
        refuses("syntax error", r.execute_command, "SET", "a", "9", *options)
    assert r.get("a") == b"1"
    assert r.set("a", "gone", exat=1) and r.exists("a") == 0


def getex(r):
    assert r.getex("none", ex=10) is None
    r.set("a", "1")
    assert r.getex("a") == b"1" and r.ttl("a") == -1
    assert r.getex("a", ex=100) == b"1" and 99 <= r.ttl("a") <= 100
    assert r.getex("a") == b"1" and 99 <= r.ttl("a") <= 100
    assert r.getex("a", px=50_000) == b"1" and r.ttl("a") <= 50
    assert r.getex("a", exat=FAR) == b"1" and r.expiretime("a") == FAR
    assert r.getex("a", pxat=FAR * 1000 + 7) == b"1" and r.pexpiretime("a") == FAR * 1000 + 7
    assert r.getex("a", persist=True) == b"1" and r.ttl("a") == -1
    refuses("invalid expire time in 'getex' command", r.execute_command, "GETEX", "a", "EX", 0)
    refuses("syntax error", r.execute_command, "GETEX", "a", "EX", 1, "PERSIST")
    refuses("syntax error", r.execute_command, "GETEX", "a", "KEEPTTL")
    assert r.getex("a", exat=1) == b"1" and r.exists("a") == 0


def many_at_once(r):
    assert r.mset({f"k{i}": i for i in range(1000)}) is True
    assert r.mget([f"k{i}" for i in range(1000)]) == [str(i).encode() for i in range(1000)]
    assert r.mget("k1", "none", "k1") == [b"1", None, b"1"]
    r.set("a", "1", ex=100)
    assert r.mset({"a": "2"}) and r.ttl("a") == -1
    refuses("wrong number of arguments for 'mset'", r.execute_command, "MSET", "a", "1", "b")
    refuses("wrong number of arguments for 'mget'", r.execute_command, "MGET")


def parts(r):
    assert r.append("a", "Hello") == 5 and r.append("a", " World") == 11
    assert r.strlen("a") == 11 and r.strlen("none") == 0
    assert r.getrange("a", 0, 4) == b"Hello" and r.getrange("a", -5, -1) == b"World"
    assert r.getrange("a", 0, -1) == b"Hello World" and r.getrange("a", 20, 30) == b""
    assert r.getrange("none", 0, -1) == b"" and r.getrange("a", 5, 3) == b""
    assert r.setrange("a", 6, "Redis") == 11 and r.get("a") == b"Hello Redis"
    assert r.setrange("b", 3, "x") == 4 and r.get("b") == b"\0\0\0x"
    assert r.setrange("c", 3, "") == 0 and r.exists("c") == 0
    refuses("offset is out of range", r.setrange, "a", -1, "x")
    refuses("exceeds maximum allowed size", r.setrange, "a", 2**62, "x")
    r.expire("a", 100)
    r.append("a", "!")
    assert r.setrange("a", 0, "J") == 12 and r.ttl("a") in (99, 100)


# Numbers.


def increments(r):
    assert r.incr("n") == 1 and r.incr("n", 41) == 42 and r.decr("n") == 41
    assert r.decrby("n", 50) == -9 and r.incrby("n", 0) == -9 and r.get("n") == b"-9"
    r.set("n", "10", ex=100)
    assert r.incr("n") == 11 and r.ttl("n") in (99, 100)
    r.set("n", str(2**63 - 1))
    refuses("would overflow", r.incr, "n")
    assert r.get("n") == str(2**63 - 1).encode() and r.decr("n") == 2**63 - 2
    r.set("n", str(-(2**63)))
    refuses("would overflow", r.decr, "n")
    refuses("decrement would overflow", r.execute_command, "DECRBY", "n", -(2**63))
    assert r.incr("n", 2**63 - 1) == -1
    for bad in ("abc", "", " 1", "1 ", "1.0", "01", "+1", "-0", str(2**63), "0x10"):
        r.set("n", bad)
        refuses("not an integer or out of range", r.incr, "n")
        assert r.get("n") == bad.encode()
    refuses("not an integer", r.execute_command, "INCRBY", "m", "1.5")
    assert r.exists("m") == 0


def increments_of_fractions(r):
    assert r.incrbyfloat("f", "10.5") == 10.5 and r.get("f") == b"10.5"
    assert r.incrbyfloat("f", "0.1") == 10.6 and r.incrbyfloat("f", "-5") == 5.6
    assert r.incrbyfloat("f", "4.4") == 10 and r.get("f") == b"10"
    r.set("f", "5.0e3")
    assert r.incrbyfloat("f", "2.0e2") == 5200 and r.get("f") == b"5200"
    r.set("f", "3", ex=100)
    assert r.incrbyfloat("f", "1.25") == 4.25 and r.ttl("f") in (99, 100)
    for bad in ("abc", "", " 1", "1 ", "nan"):
        r.set("f", bad)
        refuses("not a valid float", r.incrbyfloat, "f", 1)
        refuses("not a valid float", r.execute_command, "INCRBYFLOAT", "g", bad)
    refuses("NaN or Infinity", r.execute_command, "INCRBYFLOAT", "g", "inf")
    assert r.exists("g") == 0


def increments_of_many_clients_add_up(r):
    def add():
        for _ in range(250):
            r.incr("sum")

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert r.get("sum") == b"2000"


# Expiry.


def expire_and_persist(r):
    assert r.expire("none", 10) is False and r.persist("none") is False
    assert (r.ttl("none"), r.pttl("none")) == (-2, -2)
    assert (r.expiretime("none"), r.pexpiretime("none")) == (-2, -2)
    r.set("a", "1")
    assert (r.ttl("a"), r.pttl("a"), r.expiretime("a"), r.pexpiretime("a")) == (-1, -1, -1, -1)
    assert r.persist("a") is False
    assert r.expire("a", 100) is True and 99 <= r.ttl("a") <= 100
    assert r.pexpire("a", 50_000) is True and 49_000 < r.pttl("a") <= 50_000
    assert r.expireat("a", FAR) is True and r.expiretime("a") == FAR
    assert r.pexpireat("a", FAR * 1000 + 5) is True and r.pexpiretime("a") == FAR * 1000 + 5
    assert r.persist("a") is True and r.ttl("a") == -1 and r.get("a") == b"1"
    for past in (0, -1, -(10**9)):
        r.set("a", "1")
        assert r.expire("a", past) is True and r.exists("a") == 0
    r.set("a", "1")
    assert r.expireat("a", 1) is True and r.exists("a") == 0
    refuses("not an integer", r.execute_command, "EXPIRE", "a", "soon")
    refuses("invalid expire time in 'expire'", r.execute_command, "EXPIRE", "a", 2**63 - 1)
    refuses("invalid expire time in 'pexpire'", r.execute_command, "PEXPIRE", "a", 2**63 - 1)


def expire_under_a_condition(r):
    r.set("a", "1")
    assert r.expire("a", 100, xx=True) == 0 and r.expire("a", 100, gt=True) == 0
    assert r.expire("a", 100, nx=True) == 1 and r.expire("a", 200, nx=True) == 0
    assert r.expire("a", 50, gt=True) == 0 and r.expire("a", 200, lt=True) == 0
    assert r.expire("a", 200, gt=True) == 1 and r.expire("a", 150, lt=True) == 1
    assert r.expire("a", 120, xx=True) == 1 and 119 <= r.ttl("a") <= 120
    assert r.expireat("a", FAR, gt=True) == 1 and r.pexpireat("a", FAR * 1000, lt=True) == 0
    r.persist("a")
    assert r.expire("a", 100, lt=True) == 1
    refuses("NX and XX, GT or LT", r.expire, "a", 1, nx=True, xx=True)
    refuses("GT and LT", r.expire, "a", 1, gt=True, lt=True)
    refuses("Unsupported option", r.execute_command, "EXPIRE", "a", 1, "SOON")


def values_expire(r):
    r.set("a", "1", px=60)
    r.set("b", "1", px=60)
    r.set("stays", "1", px=100_000)
    r.mset({"c": "1"})
    r.pexpire("c", 60)
    time.sleep(0.2)
    assert r.mget("a", "b", "c", "stays") == [None, None, None, b"1"]
    assert r.exists("a", "b", "c") == 0 and r.ttl("a") == -2 and r.type("a") == b"none"
    assert r.keys("*") == [b"stays"] and r.delete("a") == 0
    assert r.expire("a", 100) is False, "an expired value came back"
    assert r.setnx("a", "2") is True and r.ttl("a") == -1
    assert r.incr("b") == 1 and r.append("c", "x") == 1 and r.ttl("c") == -1


# Keys.


def delete_and_exist(r):
    r.mset({"a": 1, "b": 2, "c": 3})
    assert r.exists("a", "b", "none", "a") == 3 and r.dbsize() == 3
    assert r.delete("a", "none", "a") == 1 and r.unlink("b", "none") == 1
    assert r.touch("a", "c", "c") == 2
    assert r.type("c") == b"string" and r.type("a") == b"none"
    assert r.dbsize() == 1 and r.flushdb() is True and r.dbsize() == 0
    r.set("a", 1)
    assert r.flushall() is True and r.dbsize() == 0 and r.randomkey() is None
    refuses("wrong number of arguments for 'del'", r.execute_command, "DEL")


def patterns(r):
    names = ["hello", "hallo", "hxllo", "hllo", "heeello", "h*llo", "world"]
    r.mset({name: 1 for name in names})

    def matching(pattern):
        return sorted(key.decode() for key in r.keys(pattern))

    assert matching("*") == sorted(names)
    assert matching("h?llo") == ["h*llo", "hallo", "hello", "hxllo"]
    assert matching("h*llo") == sorted(set(names) - {"world"})
    assert matching("h[ae]llo") == ["hallo", "hello"]
    assert matching("h[^e]llo") == ["h*llo", "hallo", "hxllo"]
    assert matching("h[a-b]llo") == ["hallo"]
    assert matching(r"h\*llo") == ["h*llo"] and matching("nothing*") == []
    assert r.randomkey().decode() in names


def scans(r):
    names = {f"scan:{i}".encode() for i in range(2500)}
    r.mset({name: 1 for name in names})
    r.set("other", 1)
    assert sorted(r.scan_iter(count=100)) == sorted(names | {b"other"})
    assert set(r.scan_iter(match="scan:1*", count=500)) == {n for n in names if n.startswith(b"scan:1")}
    assert set(r.scan_iter(_type="string")) == names | {b"other"}
    assert list(r.scan_iter(_type="list")) == []
    cursor, found = r.scan(0, count=10_000)
    assert cursor == 0 and len(found) == 2501
    refuses("invalid cursor", r.execute_command, "SCAN", "x")
    refuses("syntax error", r.execute_command, "SCAN", 0, "COUNT", 0)


# The connection.


def pipelines(r):
    with r.pipeline(transaction=False) as pipe:
        for i in range(500):
            pipe.set(f"k{i}", i).incr("n").get(f"k{i}")
        answers = pipe.execute()
    assert len(answers) == 1500
    assert answers[1::3] == list(range(1, 501))
    assert answers[2::3] == [str(i).encode() for i in range(500)]
    # An error of one command is the answer to that command, and to no other.
    with r.pipeline(transaction=False) as pipe:
        pipe.set("a", "abc").incr("a").get("a")
        answers = pipe.execute(raise_on_error=False)
    assert answers[0] is True and isinstance(answers[1], ResponseError) and answers[2] == b"abc"


def greetings(r):
    assert r.ping() is True and r.echo("hi") == b"hi"
    assert r.client_setname("suite") and r.client_getname() in (b"suite", "suite")
    assert isinstance(r.client_id(), int)
    assert r.config_get("maxmemory")["maxmemory"] == "0"
    assert r.info("server")["redis_mode"] == "standalone"
    assert r.info("keyspace") == {} and r.set("a", 1) and r.info("keyspace")["db0"]["keys"] == 1
    seconds, micros = r.time()
    assert abs(seconds - time.time()) < 60 and 0 <= micros < 1_000_000
    refuses("unknown command", r.execute_command, "NOSUCHCOMMAND", "x")
    refuses("out of range", r.execute_command, "SELECT", 100_000)


def a_lost_connection_is_made_anew(r):
    r.set("a", "1")
    pool = redis.ConnectionPool(
        **{**r.connection_pool.connection_kwargs, "retry": Retry(NoBackoff(), 2)},
        connection_class=r.connection_pool.connection_class,
    )
    other = redis.Redis(connection_pool=pool)
    assert other.get("a") == b"1"
    # The server hangs up; the client notices at its next command.
    try:
        other.execute_command("QUIT")
    except redis.ConnectionError:
        pass
    assert other.get("a") == b"1"
    pool.disconnect()
    assert other.get("a") == b"1"


def a_lock(r):
    """The recipe of redis-py's own lock, without its script."""
    token = uuid.uuid4().hex
    assert r.set("lock", token, nx=True, px=10_000) is True
    assert r.set("lock", "another", nx=True, px=10_000) is None
    assert r.get("lock").decode() == token and r.delete("lock") == 1
    assert r.set("lock", "another", nx=True, px=10_000) is True


SUITE = [
    set_and_get,
    set_under_a_condition,
    set_and_get_what_was_there,
    set_with_a_time,
    getex,
    many_at_once,
    parts,
    increments,
    increments_of_fractions,
    increments_of_many_clients_add_up,
    expire_and_persist,
    expire_under_a_condition,
    values_expire,
    delete_and_exist,
    patterns,
    scans,
    pipelines,
    greetings,
    a_lost_connection_is_made_anew,
    a_lock,
]


def main(host, port, protocol):
    r = redis.Redis(host=host, port=int(port), protocol=int(protocol), socket_timeout=20)
    failed = 0
    for test in SUITE:
        r.flushall()
        try:
            test(r)
        except Exception:
            failed += 1
            print(f"failed: {test.__name__}\n{traceback.format_exc()}")
    print(f"{len(SUITE) - failed} passed, {failed} failed, redis-py {redis.__version__}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
