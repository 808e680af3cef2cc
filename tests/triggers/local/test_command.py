"""The command as a person uses it: it says when it is ready, keeps data if asked, and leaves no process behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from google.cloud import bigquery, firestore

from common.clients.bigquery import bigquery_client
from common.clients.firestore import firestore_client
from common.clients.redis import redis_client
from common.clients.registry import Clients
from common.clients.storage import storage_client
from common.settings import Settings
from tests.stack import wait_for
from triggers.local.overview import memory_of

ROOT = Path(__file__).parent.parent.parent.parent


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Start the command and wait until it is ready; yields the process and what it said about itself."""
    command = [sys.executable, "-m", "triggers.local", "--port", "0", "--log-format", "json", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            said = json.loads(line)
            if said["message"] == "ready":
                yield process, said
                break
        else:
            pytest.fail("the command ended before it was ready")
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return every process the command started."""
    return psutil.Process(process.pid).children(recursive=True)


def settings_of(process: subprocess.Popen[str]) -> Settings:
    """Return the settings that the command gave to its host."""
    host = next(each for each in family(process) if "triggers.local.host" in each.cmdline())
    return Settings.from_environment(host.environ())


def gone(processes: list[psutil.Process]) -> bool:
    return not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_command(number: signal.Signals) -> None:
    with running() as (process, said):
        started = family(process)
        memory = [f"{each.name()} {each.memory_info().rss // 2**20}" for each in started]
        sys.stdout.write(f"\nready after {said['seconds']} s; MiB: {memory}; in all {memory_of(process.pid)}\n")
        assert len(started) >= 7
        assert requests.get(f"{said['functions']}/v1/health", timeout=30).status_code == 200
        os.kill(process.pid, number)
        process.wait(30)
        wait_for(lambda: gone(started), what="every process ends")
        if number != signal.SIGKILL:
            assert process.returncode == 0
            assert not Path(said["data_and_logs"]).exists()


def test_data_survives_a_restart_when_asked(tmp_path: Path) -> None:
    with running("--data", str(tmp_path)) as (process, _said):
        clients = Clients(settings_of(process))
        with pytest.MonkeyPatch.context() as patch:
            for name, value in clients.settings.emulators:
                patch.setenv(name, value)
            clients.get(firestore_client).document("things/one").set({"colour": "red"})
            clients.get(storage_client).bucket(clients.settings.content_bucket).blob("a").upload_from_string(b"hello")
            redis = clients.get(redis_client)
            assert redis is not None
            redis.set("colour", "red")
            warehouse = clients.get(bigquery_client)
            warehouse.create_dataset("kept")
            warehouse.create_table(bigquery.Table(f"{warehouse.project}.kept.t", [bigquery.SchemaField("n", "INT64")]))
            assert warehouse.insert_rows_json(f"{warehouse.project}.kept.t", [{"n": 7}]) == []
        process.terminate()
        assert process.wait(30) == 0
    with running("--data", str(tmp_path)) as (process, _said):
        clients = Clients(settings_of(process))
        with pytest.MonkeyPatch.context() as patch:
            for name, value in clients.settings.emulators:
                patch.setenv(name, value)
            found: firestore.DocumentSnapshot = clients.get(firestore_client).document("things/one").get()
            assert found.to_dict() == {"colour": "red"}
            bucket = clients.get(storage_client).bucket(clients.settings.content_bucket)
            assert bucket.blob("a").download_as_bytes() == b"hello"
            redis = clients.get(redis_client)
            assert redis is not None
            assert redis.get("colour") == b"red"
            [row] = clients.get(bigquery_client).query("SELECT n FROM kept.t").result()
            assert row.n == 7
        process.terminate()
        assert process.wait(30) == 0
