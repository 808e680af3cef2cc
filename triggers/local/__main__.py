"""Start the local cloud: every emulator and every function, with one command.

``python -m triggers.local`` or ``nox -s serve``; one Ctrl-C stops all of it.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from common.errors import ConfigurationError
from triggers.local.cloud import PORT, PROJECT, RETRY_SCALE, LocalCloud
from triggers.local.console import Display, JsonDisplay, LogFollower, TerminalDisplay


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m triggers.local", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help="port of the functions (a free one if it is taken)")
    parser.add_argument("--project", default=PROJECT, help="Google Cloud project id")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="keep documents (written at the end), tables, objects, tasks and Redis here; not messages on their way",
    )
    parser.add_argument("--no-schedules", action="store_true", help="fire schedules by hand only")
    parser.add_argument("--log-format", choices=("console", "json"), default="console")
    parser.add_argument(
        "--retry-scale",
        type=float,
        default=RETRY_SCALE,
        metavar="FACTOR",
        help="waits between tries against production's (default %(default)s: 10 s become 0.2 s; 1 is production)",
    )
    parser.add_argument("--firebase-auth", action="store_true", help="also start the Firebase Auth emulator")
    return parser


def _end(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    """Start, show, and stop at Ctrl-C or SIGTERM; returns the exit status."""
    options = _parser().parse_args(arguments)
    display: Display = JsonDisplay() if options.log_format == "json" else TerminalDisplay()
    # SIGINT too: a shell that starts a command in the background has it ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    cloud = LocalCloud(
        port=options.port,
        project=options.project,
        data=options.data,
        schedules=not options.no_schedules,
        retry_scale=options.retry_scale,
        log_format=options.log_format,
        with_firebase_auth=options.firebase_auth,
        tell=display.step,
    )
    try:
        with cloud:
            display.ready(cloud)
            _watch(cloud, display)
    except KeyboardInterrupt:
        return 0
    except ConfigurationError as error:
        display.failed(str(error))
        return 1
    return 1


def _watch(cloud: LocalCloud, display: Display) -> None:
    """Show the functions' log until the end; a service that ends by itself ends everything, with the end of its log.

    Raises:
        ConfigurationError: A service has ended.
    """
    follower = LogFollower(cloud.services["host"].log, display)
    follower.start()
    pause = threading.Event()
    try:
        while True:
            pause.wait(1.0)
            for service in cloud.services.values():
                if not service.running:
                    raise ConfigurationError(f"{service.name} has ended:\n{service.log_tail()}")
    finally:
        follower.stop()
        display.stopping()
        # A second Ctrl-C must not leave processes behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
