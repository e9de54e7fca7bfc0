"""Answers that never end, or that are far larger than they look."""

import gzip
import json
import re
import socket
import threading
import zlib
from contextlib import closing, suppress

import pytest

from dinmo_pipeline.intercom.bounded import MAX_BYTES
from dinmo_pipeline.intercom.errors import UnavailableError, UnreadableError
from dinmo_pipeline.intercom.retry import RetryPolicy
from dinmo_pipeline_tests.intercom.scripted import Reply

TAG = {"type": "tag", "id": "1", "name": "VIP"}
ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def dripping():
    """A server that sends what a test gives it, one byte every 50 ms, without end."""
    stop = threading.Event()

    def serve(listener, head, byte):
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.sendall(head)
                while not stop.wait(0.05):
                    connection.sendall(byte)

    listeners, threads = [], []

    def start(head, byte):
        listeners.append(listener := socket.create_server(("127.0.0.1", 0)))
        threads.append(threading.Thread(target=serve, args=(listener, head, byte), daemon=True))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    stop.set()
    for listener in listeners:
        listener.close()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    ("head", "byte"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
        (b"HTTP/1.1 200 ", b"O"),
    ],
    ids=["body", "chunks", "until closed", "header", "status line"],
)
@pytest.mark.parametrize("deadline", [0.3, 0.0], ids=["later", "while connecting"])
def test_a_call_ends_at_its_deadline_however_slowly_it_is_answered(dripping, client_of, head, byte, deadline):
    """Each byte arrives well within the timeout between bytes."""
    client = client_of(dripping(head, byte), retry=ONCE)
    client.tags.transport.deadline_seconds = deadline
    with pytest.raises(UnavailableError, match=re.escape(f"within {deadline:g} seconds")):
        client.tags.get("1")


@pytest.mark.parametrize("deadline", [0.3, 0.0], ids=["later", "while connecting"])
def test_a_handshake_ends_at_the_deadline_too(dripping, client_of, deadline):
    """The beginning of a long TLS record, whose rest comes byte by byte."""
    url = dripping(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", b"\x00").replace("http:", "https:")
    client = client_of(url, retry=ONCE)
    client.tags.transport.deadline_seconds = deadline
    with pytest.raises(UnavailableError, match=re.escape(f"within {deadline:g} seconds")):
        client.tags.get("1")


def test_a_small_answer_that_unpacks_to_a_huge_one_is_refused(script, client_of):
    """Unpacking stops at the limit, so the memory does too."""
    packer = zlib.compressobj(wbits=31)
    zeros = bytes(2**20)
    bomb = b"".join([*(packer.compress(zeros) for _ in range(MAX_BYTES // 2**20 + 1)), packer.flush()])
    assert len(bomb) < MAX_BYTES / 500
    script.reply(Reply(body=bomb, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(UnreadableError, match="larger than 64 MB"):
        client_of(script.base_url, retry=ONCE).tags.get("1")


def test_a_huge_answer_is_refused(script, client_of):
    script.reply(Reply(body=b" " * (MAX_BYTES + 1)))
    with pytest.raises(UnreadableError, match="larger than 64 MB"):
        client_of(script.base_url, retry=ONCE).tags.get("1")


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
def test_an_encoding_that_was_not_asked_for_is_refused(script, client_of, encoding):
    """Unpacked twice, or by another method, a few bytes can be gigabytes."""
    script.reply(Reply(body=gzip.compress(gzip.compress(b"{}")), headers={"Content-Encoding": encoding}))
    with pytest.raises(UnreadableError, match="packed in a way that was not asked for"):
        client_of(script.base_url, retry=ONCE).tags.get("1")
    assert script.requests[0].headers["Accept-Encoding"] == "gzip, deflate"


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_packed_answers_are_read(script, client_of, encoding, pack):
    script.reply(Reply(body=pack(json.dumps(TAG).encode()), headers={"Content-Encoding": encoding}))
    assert client_of(script.base_url).tags.get("1").name == "VIP"


@pytest.mark.parametrize("body", [b"not packed", gzip.compress(b"{}", mtime=0)[:-9]], ids=["garbage", "cut"])
def test_packed_garbage_is_no_answer(script, client_of, body):
    script.reply(Reply(body=body, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(UnavailableError, match="no answer"):
        client_of(script.base_url, retry=ONCE).tags.get("1")


@pytest.mark.parametrize("total", [1, 300, None])
def test_a_walk_ends_although_each_page_announces_another(script, client_of, monkeypatch, total):
    """A new cursor each time, so none repeats."""
    monkeypatch.setattr("dinmo_pipeline.intercom.pages._MAX_PAGES", 50)
    given = iter(range(1_000))

    def page(_request):
        number = next(given)
        body = {
            "data": [{"id": f"c{number}", "role": "user"}],
            "pages": {"next": {"starting_after": str(number)}},
        }
        return Reply(body={**body, "total_count": total} if total else body)

    script.answer = page
    with (
        closing(client_of(script.base_url).contacts.everyone()) as pages,
        pytest.raises(UnreadableError, match="announces more pages after"),
    ):
        list(pages)
    assert next(given) == (12 if total == 1 else 50)
