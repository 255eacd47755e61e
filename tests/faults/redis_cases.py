"""What befalls the Redis that proxies count with, or the way to it, and what becomes of requests meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from redis import Redis as Client

from faults.relay import NO_FAULT, Fault, Relay

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.conftest import Server

    from faults.stand import Stand

    Deed = Callable[["Redis"], None]

SHARED, ALONE, EITHER = ("shared",), ("local-safe",), ("shared", "local-safe", "rejoining")
_FAR_S = 0.5  # beyond redis.command_timeout_ms of the stand
_NEAR_S = 0.02  # well within it
_PASSWORD = "secret"
_STARTS_WITHIN_S = 5.0


class Redis(NamedTuple):
    """The server that proxies count with, another one that could take its place, and the way there."""

    stand: Stand
    server: Server
    other: Server
    way: Relay

    def befall(self, fault: Fault, *, anew: bool = True) -> None:
        """Let something happen on the way; `anew`: all have to come by it again."""
        self.way.fault = fault
        if anew:
            self.hang_up()

    def hang_up(self) -> None:
        """End all connections."""

        async def hanging_up() -> None:
            self.way.hang_up("reset")

        self.stand.run(hanging_up())

    def tell(self, *words: str | int) -> None:
        """Give the server an order."""
        with self.server.client() as client:
            client.execute_command(*words)

    def move(self, server: Server) -> None:
        """Let another server stand at the end of the way."""
        self.way.target = server.port
        self.hang_up()


class RedisCase(NamedTuple):
    """One fault.

    Attributes:
        fault: What happens.
        harm: Does it.
        heal: Ends it.
        counts: Who counts meanwhile: the states of the ledger of which one comes about.
        why: Words of the `ledger.state` line, where there is one.
    """

    fault: str
    harm: Deed
    heal: Deed
    counts: tuple[str, ...] = ALONE
    why: str = ""


def restore(redis: Redis) -> None:
    """Leave nothing behind, whatever happened: a new server, an empty other one, a way without faults."""
    redis.server.kill()
    redis.server.start()
    _promote(redis)
    with redis.other.client() as client:
        client.flushall()
    redis.way.fault = NO_FAULT
    redis.move(redis.server)


def _on_the_way(fault: str, how: Fault, counts: tuple[str, ...] = ALONE, *, anew: bool = True, why: str = "") -> RedisCase:
    return RedisCase(fault, lambda redis: redis.befall(how, anew=anew), lambda redis: redis.befall(NO_FAULT, anew=how.delay_s == 0.0), counts, why)


def _told(fault: str, harm: tuple[str | int, ...], heal: tuple[str | int, ...], counts: tuple[str, ...] = ALONE, why: str = "") -> RedisCase:
    return RedisCase(fault, lambda redis: redis.tell(*harm), lambda redis: redis.tell(*heal), counts, why)


def _nothing(_redis: Redis) -> None:
    """It heals by itself."""


def _restart(redis: Redis) -> None:
    redis.server.kill()
    redis.server.start()


def _ask_for_a_password(redis: Redis) -> None:
    redis.tell("CONFIG", "SET", "requirepass", _PASSWORD)
    redis.hang_up()


def _ask_for_none(redis: Redis) -> None:
    with Client(port=redis.server.port, password=_PASSWORD) as client:
        client.config_set("requirepass", "")


def _fail_over(redis: Redis) -> None:
    redis.server.kill()
    redis.move(redis.other)


def _fail_over_too_early(redis: Redis) -> None:
    _replicate(redis)
    redis.server.kill()
    redis.move(redis.other)


def _replicate(redis: Redis) -> None:
    redis.tell("CONFIG", "SET", "repl-diskless-sync-delay", 0)
    with redis.other.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", redis.server.port)
        ends_at = time.monotonic() + _STARTS_WITHIN_S
        while client.info("replication")["master_link_status"] != "up":
            assert time.monotonic() < ends_at


def _promote(redis: Redis) -> None:
    with redis.other.client() as client:
        client.execute_command("REPLICAOF", "NO", "ONE")


CASES: tuple[RedisCase, ...] = (
    _on_the_way("Redis is slow, within its time-out", Fault(delay_s=_NEAR_S), SHARED, anew=False),
    _on_the_way("Redis is slower than its time-out", Fault(delay_s=_FAR_S), anew=False, why="time-out"),
    RedisCase("Redis is frozen", lambda redis: redis.server.freeze(), lambda redis: redis.server.thaw(), ALONE, "time-out"),
    RedisCase("Redis is gone", lambda redis: redis.server.kill(), lambda redis: redis.server.start(), ALONE, "ConnectionError"),
    RedisCase("Redis is restarted with an empty memory", _restart, _nothing, EITHER),
    _on_the_way("the way to Redis is reset", NO_FAULT, EITHER),
    _on_the_way("the way to Redis resets who comes", Fault("reset"), why="Error"),
    _on_the_way("the way to Redis closes who comes", Fault("close"), why="Error"),
    _on_the_way("the way to Redis goes nowhere", Fault("mute")),
    _on_the_way("Redis' answers break off", Fault(answer_bytes=3), anew=False, why="Error"),
    _on_the_way("Redis' answers stop in the middle", Fault(answer_bytes=3, ends="freeze"), anew=False, why="time-out"),
    _on_the_way("something else answers in Redis' place", Fault(greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n"), why="Error"),
    _told("Redis is full (OOM)", ("CONFIG", "SET", "maxmemory", 1), ("CONFIG", "SET", "maxmemory", 0), why="OutOfMemoryError"),
    _told("Redis is read-only (READONLY)", ("REPLICAOF", "127.0.0.1", 1), ("REPLICAOF", "NO", "ONE"), why="read only"),
    _told("Redis holds all commands back", ("CLIENT", "PAUSE", 60_000, "WRITE"), ("CLIENT", "UNPAUSE"), why="time-out"),
    _told("Redis has forgotten the scripts", ("SCRIPT", "FLUSH"), ("PING",), SHARED),
    _told("Redis has forgotten all keys", ("FLUSHALL",), ("PING",), SHARED),
    _told("Redis ends all connections", ("CLIENT", "KILL", "TYPE", "normal"), ("PING",), EITHER),
    RedisCase("Redis asks for a password that nobody gives", _ask_for_a_password, _ask_for_none, ALONE, "Error"),
    RedisCase("Redis fails over to an empty server", _fail_over, _nothing, EITHER),
    RedisCase("Redis fails over to a replica that is promoted later", _fail_over_too_early, _promote, ALONE, "Error"),
)
