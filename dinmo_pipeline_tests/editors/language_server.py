"""A client of the YAML language server that editors use, over its standard input and output."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

HOME = Path(os.environ.get("DINMO_TEST_NODE_MODULES") or Path(__file__).parents[2] / ".venv" / "node")
"""Where `make` installs package.json."""
SERVER = HOME / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"


def reason_to_skip() -> str | None:
    """Why the language server cannot run here; None if it can."""
    if shutil.which("node") is None:
        return "Node is not installed"
    return None if SERVER.is_file() else "yaml-language-server is not installed: `make node` installs it"


class LanguageServer:
    """One server process; each file is opened by its text, with the schema that its first line names."""

    def __init__(self, schema: Path) -> None:
        self._modeline = f"# yaml-language-server: $schema={schema.as_uri()}\n"
        self._process = subprocess.Popen(
            ["node", SERVER, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._last_id = 0
        self._opened = 0
        self._published: dict[str, list[dict[str, Any]]] = {}
        capabilities = {
            "workspace": {"configuration": True},
            "textDocument": {
                "hover": {"contentFormat": ["markdown"]},
                "completion": {"completionItem": {"snippetSupport": True}},
            },
        }
        self._ask("initialize", {"processId": None, "rootUri": None, "capabilities": capabilities})
        self._send({"method": "initialized", "params": {}})

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def problems(self, text: str) -> list[tuple[int, str]]:
        """Line, from 1, and message of each problem in a file."""
        uri = self._open(text)
        while uri not in self._published:
            self._answer(self._read())
        found = self._published[uri]
        # The first line of the file is the one that names the schema.
        return [(each["range"]["start"]["line"], each["message"]) for each in found]

    def hover(self, text: str, at: str) -> str:
        """What is shown at the first place of `at` in a file."""
        answer = self._ask_at("textDocument/hover", text, text.index(at))
        return answer["contents"]["value"] if answer else ""

    def completions(self, text: str) -> dict[str, str]:
        """What is offered at `|` in a file: the documentation of each label."""
        offset = text.index("|")
        answer = self._ask_at("textDocument/completion", text.replace("|", "", 1), offset)
        return {item["label"]: _text(item.get("documentation")) for item in answer["items"]}

    def _ask_at(self, method: str, text: str, offset: int) -> Any:
        uri = self._open(text)
        before = text[:offset]
        position = {"line": before.count("\n") + 1, "character": len(before.rpartition("\n")[2])}
        return self._ask(method, {"textDocument": {"uri": uri}, "position": position})

    def _open(self, text: str) -> str:
        self._opened += 1
        uri = f"file:///declarations/{self._opened}.yaml"
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": self._modeline + text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        return uri

    def _ask(self, method: str, params: dict[str, Any]) -> Any:
        self._last_id += 1
        self._send({"id": self._last_id, "method": method, "params": params})
        while True:
            message = self._read()
            if message.get("id") == self._last_id and "method" not in message:
                assert "error" not in message, message["error"]
                return message["result"]
            self._answer(message)

    def _answer(self, message: dict[str, Any]) -> None:
        """Keep what the server publishes, and answer what it asks: nothing is configured."""
        if message.get("method") == "textDocument/publishDiagnostics":
            self._published[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif message.get("method") == "workspace/configuration":
            self._send({"id": message["id"], "result": [None for _ in message["params"]["items"]]})
        elif "id" in message and "method" in message:
            self._send({"id": message["id"], "result": None})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        length = 0
        while line := self._process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, "the language server ended"
        return json.loads(self._process.stdout.read(length))


def _text(documentation: Any) -> str:
    return documentation["value"] if isinstance(documentation, dict) else documentation or ""
