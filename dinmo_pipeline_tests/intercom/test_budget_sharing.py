"""One budget for all threads, clients, and processes of a machine, through a file."""

import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from dinmo_pipeline.emulator import EmulatorSettings
from dinmo_pipeline.intercom.client import IntercomClient
from dinmo_pipeline.intercom.errors import ConfigurationError
from dinmo_pipeline.intercom.pacing.budget import Budget
from dinmo_pipeline.intercom.pacing.pacer import Pacer
from dinmo_pipeline.intercom.pacing.rate_headers import RateHeaders
from dinmo_pipeline.intercom.pacing.shared_budget import BudgetFile
from dinmo_pipeline_tests.emulator.process import running_process
from dinmo_pipeline_tests.intercom.windows import Windows

CALLER = [sys.executable, "-m", "dinmo_pipeline_tests.intercom.caller"]


def stats(base_url):
    return requests.get(f"{base_url}/_emulator/stats", timeout=10).json()


def test_processes_share_the_budget_of_a_window(tmp_path):
    """Two processes with the whole limit of 167: no call is refused, and nearly all of the limit is used."""
    with running_process(EmulatorSettings(rate_limit=167)) as emulator:
        # Separately, each would use the whole limit: 240 calls in the 7.5 s that they take here.
        started = time.monotonic()
        processes = [
            subprocess.Popen(
                [*CALLER, str(tmp_path), emulator.base_url, "60"], stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        printed = [process.communicate(timeout=60)[0].split() for process in processes]
        seconds = time.monotonic() - started
        told = stats(emulator.base_url)
    assert printed == [["60", "60"]] * 2
    assert told["rate"]["refused"] == 0
    assert told["calls"] == {"GET /tags/{id}": 120}
    # 120 calls at 16.3 per second take 7.4 s; the rest is the start of two interpreters.
    assert 6.5 < seconds < 15
    assert len(list(tmp_path.iterdir())) == 1


def test_two_pacers_of_one_file_keep_the_limit_together(tmp_path):
    """Each alone would use the whole limit."""
    windows = Windows(167)
    pacers = [Pacer(1.0, tmp_path / "one.budget", clock=windows.clock, sleep=windows.sleep) for _ in range(2)]
    while windows.now < 1_080.0:
        for pacer in pacers:
            windows.call(pacer)
    # The first window also has the burst, for which the second one pays.
    whole = [windows.ours[window] for window in sorted(windows.ours)][2:-1]
    assert windows.refused == 0
    assert 0.95 * 167 <= sum(whole) / len(whole) <= 167


def test_a_new_process_knows_what_an_earlier_one_learned(tmp_path):
    """The limit and a pause: a new run starts at the right pace."""
    windows = Windows(1667)
    first, second = (
        Pacer(0.8, tmp_path / "one.budget", clock=windows.clock, sleep=windows.sleep) for _ in range(2)
    )
    first.learn(RateHeaders(1667, None, None), first.wait_for_turn())
    first.close_for(5.0)
    second.wait_for_turn()
    before = windows.now
    second.wait_for_turn()
    assert before == pytest.approx(1_005.0, abs=0.051)
    assert windows.now - before == pytest.approx(10 / (0.8 * 1667), abs=1e-6)


def test_a_process_that_dies_with_the_lock_leaves_it_free(tmp_path):
    """The operating system releases the lock."""
    assert subprocess.run([*CALLER, str(tmp_path), "die"], check=False).returncode == 9
    assert Pacer(0.8, tmp_path / "one.budget").wait_for_turn() == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff" * 56, b"\x00" * 56, b"odd", b"\x7f" * 56],
    ids=["empty", "ones", "zeros", "short", "large"],
)
def test_a_damaged_file_is_replaced(tmp_path, content):
    """Whatever it contains, the next call goes out."""
    file = tmp_path / "one.budget"
    file.write_bytes(content)
    assert BudgetFile(file).change(lambda budget: (budget, budget)) == Budget()
    assert Pacer(0.8, file).wait_for_turn() == 1


def test_the_file_is_private_and_does_not_reveal_the_token(tmp_path, server):
    """Its name is a digest of host and token; another token is another workspace."""
    folder = tmp_path / "new" / "budgets"
    for token in ("token-one", "token-two", "token-one"):
        with IntercomClient(token, server.base_url, budget_folder=folder) as client:
            client.tags.list()
    files = list(folder.iterdir())
    assert len(files) == 2
    assert not any("token" in file.name or b"token" in file.read_bytes() for file in files)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_an_unusable_folder_is_an_error(tmp_path):
    """The error has its path and the reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"cannot be shared through .*file/one.budget"):
        Pacer(0.8, tmp_path / "file" / "one.budget")
    with pytest.raises(ConfigurationError, match=r"cannot be shared through"):
        Pacer(0.8, tmp_path).wait_for_turn()


def test_a_turn_costs_little(tmp_path: Path):
    """Measured: 17 µs to take a turn and learn from its answer. Forty times that passes here."""
    windows = Windows(1667)
    pacer = Pacer(1.0, tmp_path / "one.budget", clock=lambda: windows.now)
    started = time.perf_counter()
    for _ in range(500):
        windows.now += 1.0
        pacer.learn(RateHeaders(1667, 1667, 10.0), pacer.wait_for_turn())
    assert (time.perf_counter() - started) / 500 < 750e-6
