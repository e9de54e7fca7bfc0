"""Running the emulator."""

import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from dinmo_pipeline.emulator import EmulatorSettings, running
from dinmo_pipeline_tests.emulator.process import running_process

HEADERS = {"Authorization": "Bearer x"}


def test_two_emulators_run_side_by_side():
    """Each on its own port, with its own workspace."""
    with running() as one, running(EmulatorSettings(region="EU")) as other:
        regions = [
            requests.get(f"{each.base_url}/me", headers=HEADERS, timeout=10).json()["app"]["region"]
            for each in (one, other)
        ]
    assert regions == ["US", "EU"]


def test_a_stopped_emulator_leaves_no_thread_and_no_port():
    """Even if a fault keeps a call hanging."""
    before = threading.enumerate()
    with running() as emulator:
        url = emulator.base_url
        requests.post(f"{url}/_emulator/faults", json=[{"kind": "timeout_before"}], timeout=10)
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{url}/me", headers=HEADERS, timeout=0.05)
    assert threading.enumerate() == before
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/me", headers=HEADERS, timeout=1)


def test_a_reset_replaces_the_store():
    """Tests look into it."""
    with running() as emulator:
        before = emulator.store
        requests.post(f"{emulator.base_url}/_emulator/contacts", json=[{}], timeout=10)
        assert before.live.live_count == 1
        requests.post(f"{emulator.base_url}/_emulator/reset", json={}, timeout=10)
        assert (before is emulator.store, emulator.store.live.live_count) == (False, 0)


def test_calls_wait_at_the_same_time():
    """Eight calls are in flight before the first has its response, an hour later."""
    settings = EmulatorSettings(latency_ms=3_600_000)
    with ThreadPoolExecutor(8) as pool, running(settings) as emulator:
        url = f"{emulator.base_url}/me"
        calls = [pool.submit(requests.get, url, headers=HEADERS, timeout=60) for _ in range(8)]
        while emulator.emulator.stats.calls.total() < 8:
            assert not any(call.done() for call in calls)
        assert not emulator.emulator.stats.statuses


def test_an_emulator_in_a_process_has_the_settings_and_can_be_killed():
    """For benchmarks, and for tests of a client whose server dies."""
    settings = EmulatorSettings(missing_scopes=frozenset({"read_tags"}), token="right")
    with running_process(settings) as emulator:
        headers = {"Authorization": "Bearer right"}
        answer = requests.get(f"{emulator.base_url}/tags", headers=headers, timeout=10)
        assert answer.json()["errors"][0]["code"] == "token_unauthorized"
        emulator.process.kill()
        emulator.process.wait()
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{emulator.base_url}/me", headers=headers, timeout=1)


def test_a_defect_of_the_emulator_is_a_500_and_is_logged(caplog: pytest.LogCaptureFixture):
    """It must not look like an injected fault."""
    with running() as emulator:
        del emulator.emulator.store
        answer = requests.get(f"{emulator.base_url}/tags", headers=HEADERS, timeout=10)
    assert answer.json()["errors"][0]["code"] == "server_error"
    assert "the emulator failed on GET /tags" in caplog.text


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_serve_prints_its_address_and_stops_on_a_signal(stop: signal.Signals):
    """Even one that comes with the line. It prints nothing else, not even a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    code = (
        f"from dinmo_pipeline.emulator import EmulatorSettings, serve; serve(EmulatorSettings(), port={port})"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"Emulated Intercom at http://127.0.0.1:{port}\n"
        process.send_signal(stop)
        assert process.communicate(timeout=10) == ("", "")
