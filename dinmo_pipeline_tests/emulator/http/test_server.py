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
    """Also when a fault keeps a call hanging."""
    before = threading.enumerate()
    with running() as emulator:
        url = emulator.base_url
        requests.post(f"{url}/_emulator/faults", json=[{"kind": "timeout_before"}], timeout=10)
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{url}/me", headers=HEADERS, timeout=0.05)
    assert threading.enumerate() == before
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/me", headers=HEADERS, timeout=1)


def test_the_store_is_at_hand():
    """And is another one after a reset."""
    with running() as emulator:
        before = emulator.store
        requests.post(f"{emulator.base_url}/_emulator/contacts", json=[{}], timeout=10)
        assert before.live.live_count == 1
        requests.post(f"{emulator.base_url}/_emulator/reset", json={}, timeout=10)
        assert (before is emulator.store, emulator.store.live.live_count) == (False, 0)


def test_calls_overlap_while_they_wait():
    """Eight calls of 100 ms take far less than 800 ms."""
    with running(EmulatorSettings(latency_ms=100)) as emulator, ThreadPoolExecutor(8) as pool:

        def call(_number: int) -> float:
            answer = requests.get(f"{emulator.base_url}/me", headers=HEADERS, timeout=10)
            return answer.elapsed.total_seconds()

        assert max(pool.map(call, range(8))) < 0.5


def test_an_emulator_in_a_process_has_the_settings_and_can_be_killed():
    """For benchmarks, and for tests of what a client does then."""
    settings = EmulatorSettings(missing_scopes=frozenset({"read_tags"}), token="right")
    with running_process(settings) as emulator:
        headers = {"Authorization": "Bearer right"}
        answer = requests.get(f"{emulator.base_url}/tags", headers=headers, timeout=10)
        assert answer.json()["errors"][0]["code"] == "token_unauthorized"
        emulator.process.kill()
        emulator.process.wait()
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{emulator.base_url}/me", headers=headers, timeout=1)


def test_a_defect_of_the_emulator_is_a_500_and_in_the_log(caplog: pytest.LogCaptureFixture):
    """It must not look like a fault on purpose."""
    with running() as emulator:
        del emulator.emulator.store
        answer = requests.get(f"{emulator.base_url}/tags", headers=HEADERS, timeout=10)
    assert answer.json()["errors"][0]["code"] == "server_error"
    assert "the emulator failed on GET /tags" in caplog.text


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_serving_says_where_in_one_line_and_stops_when_told(stop: signal.Signals):
    """Nothing else is printed, no traceback either."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    code = (
        "from dinmo_pipeline.emulator import EmulatorSettings, serve; "
        f"serve(EmulatorSettings(), port={port})"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"Emulated Intercom at http://127.0.0.1:{port}\n"
        assert requests.get(f"http://127.0.0.1:{port}/", timeout=10).status_code == 200
        process.send_signal(stop)
        assert process.communicate(timeout=10) == ("", "")
