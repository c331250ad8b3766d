"""The same code on several servers, behind twemproxy or as a Redis Cluster.

    several_machines.py proxy|cluster HOST PORT
"""

import sys

import redis
from redis.cluster import RedisCluster


def connect(kind, host, port):
    if kind == "cluster":
        return RedisCluster(host=host, port=port)
    # twemproxy hangs up on what it does not know: the newer protocol, and a client's name of itself.
    return redis.Redis(host=host, port=port, protocol=2, driver_info=None)


def use(r):
    for i in range(200):
        assert r.set(f"py:{i}", i, ex=100)
    for i in range(200):
        assert r.get(f"py:{i}") == str(i).encode()
        assert 0 < r.ttl(f"py:{i}") <= 100
    # One command for several keys: those with the same part in braces are together.
    assert r.mset({"{user:1}:name": "Ada", "{user:1}:city": "London"})
    assert r.mget("{user:1}:name", "{user:1}:city") == [b"Ada", b"London"]
    assert r.incr("{user:1}:visits") == 1
    assert r.delete("{user:1}:name", "{user:1}:city", "{user:1}:visits") == 3
    with r.pipeline(transaction=False) as pipe:
        for i in range(200):
            pipe.get(f"py:{i}")
        assert pipe.execute() == [str(i).encode() for i in range(200)]


if __name__ == "__main__":
    use(connect(sys.argv[1], sys.argv[2], int(sys.argv[3])))
    print("done")
