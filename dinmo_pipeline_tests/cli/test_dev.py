"""`dinmo dev`: clear errors before it starts anything, and nothing left running if it is killed.

What it does between is in `installed/test_dev.py`.
"""

import subprocess
import sys

from dinmo_pipeline_tests.company import TOKEN_VARIABLE

# Starts an emulator, says its id, and waits to be killed.
_STARTS_ONE = """
import os, sys
from pathlib import Path
from dinmo_pipeline.cli.development.processes import running_processes
with running_processes(os.environ, Path.cwd()) as processes:
    print(processes.start("emulator", ["dinmo_pipeline.cli", "emulator", "--port", "0"]).pid, flush=True)
    sys.stdin.read()
"""


def test_processes_end_even_if_dinmo_is_killed(tmp_path):
    """By SIGKILL, which no program can handle. The emulator writes to the pipe until it ends."""
    with subprocess.Popen(
        [sys.executable, "-c", _STARTS_ONE],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert int(process.stdout.readline())
        assert "Emulated Intercom at" in process.stderr.readline()
        process.kill()
        assert process.stderr.read() == ""  # it ends with the last process that holds the pipe


def test_a_port_in_use_and_a_destination_elsewhere_are_clear_errors(company, dinmo, intercom):
    """Before anything is started."""
    port = intercom.rsplit(":", 1)[1]
    taken = dinmo("dev", "--port", port)
    assert (taken.code, taken.err) == (
        1,
        f"Error: Port {port} is in use. Choose another one with --port.\n",
    )
    company.declared["destinations"]["main"] = {"access_token": {"env": TOKEN_VARIABLE}}
    elsewhere = dinmo("dev", "--emulator")
    assert elsewhere.code == 2
    assert "The destination 'main' is not on this machine" in elsewhere.err
    assert "base_url: http://127.0.0.1:8055" in elsewhere.err
