"""The command line: `nylas-proxy COMMAND`, each command a few lines.

What a command needs is imported when it runs, so that `serve` carries neither the simulator nor the demo. Exit status: 0 done, 1 failed,
2 wrong settings or arguments, 130 interrupted (Ctrl-C).
"""

from __future__ import annotations

import argparse
import difflib
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proxy import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from proxy.settings import Loaded
    from proxy.terminal.asking import Whom

_WRONG_USE: Final = 2
_INTERRUPTED: Final = 128 + 2  # as a shell reports SIGINT
_READER_GONE: Final = 128 + 13  # as a shell reports SIGPIPE
_PORT_MAX: Final = 65535
_SIMULATOR_PORT: Final = 8702


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that `words` (by default those of the process) name and return its exit status."""
    try:
        try:
            return _run(sys.argv[1:] if words is None else words)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Nobody reads any more. What is still buffered goes nowhere, or Python would complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _READER_GONE


def _run(words: Sequence[str]) -> int:
    if words and (complaint := _unknown_command(words[0])):
        print(f"nylas-proxy: {complaint}", file=sys.stderr)
        return _WRONG_USE
    parser = _parser()
    arguments = parser.parse_args(words)
    if "run" not in arguments:
        parser.print_help(sys.stderr)
        return _WRONG_USE
    run: Callable[[argparse.Namespace], int] = arguments.run
    return run(arguments)


def _unknown_command(word: str) -> str | None:
    """Complain about a first word that is no command; argparse would not name the nearest one."""
    if word.startswith("-") or word in _COMMANDS:
        return None
    close = difflib.get_close_matches(word, _COMMANDS, n=1)
    return f"no command {word!r}; commands are {', '.join(_COMMANDS)}" + (f"; did you mean {close[0]!r}?" if close else "")


def _settings(arguments: argparse.Namespace) -> Loaded:
    """Read the settings, or end the process with all that is wrong with them, one line each."""
    from proxy.settings import SettingsError, read  # noqa: PLC0415  the simulator and the demo need no settings

    try:
        return read(arguments.config, os.environ)
    except SettingsError as wrong:
        print(*wrong.mistakes, sep="\n", file=sys.stderr)
        raise SystemExit(_WRONG_USE) from None


def _serve(arguments: argparse.Namespace) -> int:
    loaded = _settings(arguments)
    from proxy.app import serve  # noqa: PLC0415  wrong settings end the process before this, the bulk of it, is loaded
    from proxy.settings import read  # noqa: PLC0415  each command imports its own part alone

    return serve(loaded, lambda: read(arguments.config, os.environ))


def _check_config(arguments: argparse.Namespace) -> int:
    from proxy.settings.report import effective_toml  # noqa: PLC0415  each command imports its own part alone

    loaded = _settings(arguments)
    from proxy import known  # noqa: PLC0415  each command imports its own part alone
    from proxy.gate import make_rulebook  # noqa: PLC0415  each command imports its own part alone
    from proxy.limit_list import lines  # noqa: PLC0415  each command imports its own part alone

    settings = loaded.settings
    limits = make_rulebook(settings, known.catalogue()).limits
    print(effective_toml(loaded), *lines(limits, enforces=settings.limits.mode == "enforce"), sep="\n")
    for warning in settings.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 0


def _simulate(arguments: argparse.Namespace) -> int:
    from proxy.simulator.main import run  # noqa: PLC0415  each command imports its own part alone

    return run(arguments.host, arguments.port, arguments.scenario, limits=arguments.limits, speed=arguments.speed)


def _demo(_: argparse.Namespace) -> int:
    from proxy.demo import run  # noqa: PLC0415  each command imports its own part alone

    return run()


def _healthcheck(arguments: argparse.Namespace) -> int:
    from proxy.healthcheck import await_ready, ready_url, unreadiness  # noqa: PLC0415  each command imports its own part alone

    admin = None if arguments.url else _settings(arguments).settings.admin
    if admin and not admin.port:
        print("nylas-proxy healthcheck: admin.port is 0, any free port: name the right one by --url", file=sys.stderr)
        return _WRONG_USE
    url = ready_url(admin) if admin else arguments.url
    reason = await_ready(lambda timeout_s: unreadiness(url, timeout_s), arguments.wait)
    if reason:
        print(f"not ready: {reason}", file=sys.stderr)
        return 1
    print("ready")
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    from proxy.explain import run  # noqa: PLC0415  each command imports its own part alone

    return run(arguments.words, as_json=arguments.json)


def _routes(arguments: argparse.Namespace) -> int:
    from proxy.route_list import run  # noqa: PLC0415  each command imports its own part alone

    return run(arguments.words, as_json=arguments.json)


def _status(arguments: argparse.Namespace) -> int:
    from proxy.terminal.command import print_document, show  # noqa: PLC0415  each command imports its own part alone

    whom = _listener(arguments)
    if whom is None:
        print("nylas-proxy status: admin.port is 0, any free port: name the right one by --admin", file=sys.stderr)
        return _WRONG_USE
    return print_document(whom) if arguments.json else show(whom, once=arguments.once)


def _listener(arguments: argparse.Namespace) -> Whom | None:
    """Return the admin listener to ask; None where it is that of the settings and they leave its port open."""
    from proxy.terminal.asking import listener_at, listener_of  # noqa: PLC0415  each command imports its own part alone

    if arguments.admin:
        return listener_at(arguments.admin, _admin_token(arguments))
    admin = _settings(arguments).settings.admin
    return listener_of(admin) if admin.port else None


def _admin_token(arguments: argparse.Namespace) -> str:
    """Return the token of the settings. Wrong ones that nobody named are no mistake: they need not be those of the proxy that is asked."""
    from proxy.settings import SettingsError, load  # noqa: PLC0415  each command imports its own part alone

    if arguments.config:
        return _settings(arguments).settings.admin.token
    try:
        return load(None, os.environ).admin.token
    except SettingsError:
        return ""


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text[:9]) <= _PORT_MAX):
        raise argparse.ArgumentTypeError(f"{text!r} is no port; allowed 0 (any free port) to {_PORT_MAX}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; allowed a number of seconds from 0")
    return seconds


def _factor(text: str) -> float:
    factor = _seconds(text)
    if factor == 0:
        raise argparse.ArgumentTypeError("'0' is no factor; allowed a number above 0")
    return factor


def _http_url(text: str) -> str:
    if not text.lower().startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError("the URL must begin with http:// or https://")
    return text


_COMMANDS: Final[dict[str, tuple[Callable[[argparse.Namespace], int], str]]] = {
    "serve": (_serve, "run the proxy"),
    "check-config": (_check_config, "name every mistake in the settings, or print what is in force and where it comes from"),
    "explain": (_explain, "say what an error means, what causes it, what to do and what the proxy does about it"),
    "routes": (_routes, "list the operations of the API: their families for limits, what must not be repeated and why"),
    "simulate": (_simulate, "run a simulated Nylas API"),
    "demo": (_demo, "show what an application sees without and with the proxy"),
    "status": (_status, "show what a running proxy does, live on a terminal"),
    "healthcheck": (_healthcheck, "exit with 0 when the proxy on this machine is ready, else with 1"),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nylas-proxy", description="A sidecar proxy for the Nylas API.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"nylas-proxy {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    parsers = {name: commands.add_parser(name, help=says, description=says, allow_abbrev=False) for name, (_, says) in _COMMANDS.items()}
    for name, (run, _) in _COMMANDS.items():
        parsers[name].set_defaults(run=run)
    for name in ("serve", "check-config", "status", "healthcheck"):
        parsers[name].add_argument("--config", type=Path, metavar="FILE", help="settings; by default the file that NYLAS_PROXY_CONFIG names, if any")
    wanted = {
        "explain": "an error type, a status, a message, words, or a whole error body; - or a pipe is read; nothing lists all",
        "routes": "parts of a name, template, family or method, or a path; nothing lists all",
    }
    for name, says in wanted.items():
        parsers[name].add_argument("words", nargs="*", metavar="WORD", help=says)
        parsers[name].add_argument("--json", action="store_true", help="for tools")
    simulate = parsers["simulate"].add_argument
    simulate("--host", default="127.0.0.1", help="address to bind (%(default)s)")
    simulate("--port", type=_port, default=_SIMULATOR_PORT, help="0 takes a free one (%(default)s)")
    simulate("--scenario", type=Path, metavar="FILE", help="how to misbehave")
    simulate("--limits", action="store_true", help="keep the limits of Nylas and of the mail providers")
    simulate("--speed", type=_factor, metavar="N", help="periods over a second and throttle windows run N times faster")
    status = parsers["status"].add_argument
    status("--admin", type=_http_url, metavar="URL", help="whom to ask; by default the listener of the settings; their token is sent either way")
    status("--once", action="store_true", help="print it once, as is done where standard output is no terminal")
    status("--json", action="store_true", help="print the document as the proxy sent it, for scripts")
    healthcheck = parsers["healthcheck"].add_argument
    healthcheck("--url", type=_http_url, help="whom to ask; by default /readyz of the admin listener of the settings")
    healthcheck("--wait", type=_seconds, default=0.0, metavar="SECONDS", help="keep asking for so long (%(default)s)")
    return parser
