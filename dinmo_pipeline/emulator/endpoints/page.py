"""The page at `/`: the workspace, for a person."""

from collections.abc import Iterable
from functools import cache
from html import escape
from importlib.resources import files
from itertools import islice
from string import Template
from typing import Final
from urllib.parse import urlencode

from dinmo_pipeline.emulator.call import HTML, Answer, Call
from dinmo_pipeline.emulator.emulator import Emulator
from dinmo_pipeline.emulator.workspace.records import Contact, Tag

_PER_PAGE: Final = 50


def show(emulator: Emulator, call: Call) -> Answer:
    """`GET /?q=…&tag=…&page=…`: numbers, tags, and the contacts that match, newest last.

    Args:
        emulator: Whose workspace to show.
        call: `q` is a part of an email, a name, an external id or an id; `tag` is a tag id.
    """
    asked, tag_id = call.query.get("q", "").strip(), call.query.get("tag", "")
    page = call.query.get("page", "1")
    number = max(int(page), 1) if page.isdecimal() else 1
    first = (number - 1) * _PER_PAGE
    found = list(islice(_matching(emulator, asked, tag_id), first, first + _PER_PAGE + 1))
    tag = emulator.store.get_tag(tag_id)
    html = _template().substitute(
        workspace_id=escape(emulator.settings.workspace_id),
        region=emulator.settings.region,
        numbers=_numbers(emulator),
        tags=_tags(emulator, tag),
        search=escape(asked),
        tag_input=f'<input type="hidden" name="tag" value="{escape(tag.id)}">' if tag else "",
        rows="".join(_row(emulator, contact) for contact in found[:_PER_PAGE])
        or '<tr><td colspan="6">No contacts.</td></tr>',
        range=f"{first + 1}–{first + min(len(found), _PER_PAGE)}" if found else "",  # noqa: RUF001
        links=_links(asked, tag_id, number, has_next=len(found) > _PER_PAGE),
    )
    return Answer(html.encode(errors="replace"), content_type=HTML)


@cache
def _template() -> Template:
    return Template(files(__package__).joinpath("page.html").read_text(encoding="utf-8"))


def _matching(emulator: Emulator, asked: str, tag_id: str) -> Iterable[Contact]:
    store = emulator.store
    tag = store.get_tag(tag_id)
    contacts = store.tagged(tag) if tag else store.live.live_from(0)
    wanted = asked.casefold()
    return (contact for contact in contacts if not wanted or _holds(contact, wanted))


def _holds(contact: Contact, wanted: str) -> bool:
    texts = (contact.email, contact.name, contact.external_id, contact.id)
    return any(text is not None and wanted in text.casefold() for text in texts)


def _numbers(emulator: Emulator) -> str:
    numbers = {
        "contacts": emulator.store.live.live_count,
        "tags": len(emulator.store.tags()),
        "API calls": emulator.stats.calls.total(),
        "calls refused (429)": emulator.stats.refused,
    }
    return "".join(
        f'<div class="number"><b>{number:,}</b><span>{name}</span></div>'
        for name, number in numbers.items()
    )


def _tags(emulator: Emulator, chosen: Tag | None) -> str:
    live = emulator.store.live
    chips = [
        f'<a class="chip" href="/?{urlencode({"tag": tag.id})}">{escape(tag.name)} '
        f"<b>{len(live.tagged(tag.id)):,}</b></a>"
        for tag in emulator.store.tags()
    ]
    clear = f' only <b>{escape(chosen.name)}</b> · <a href="/">all contacts</a>' if chosen else ""
    return ("".join(chips) or "No tags.") + clear


def _row(emulator: Emulator, contact: Contact) -> str:
    tags = (emulator.store.get_tag(tag_id) for tag_id in contact.tags)
    chips = "".join(f'<span class="chip">{escape(tag.name)}</span>' for tag in tags if tag)
    cells = (contact.email, contact.name, contact.role, contact.external_id)
    texts = "".join(f"<td>{escape(cell or '')}</td>" for cell in cells)
    return f"<tr>{texts}<td>{chips}</td><td><code>{contact.id}</code></td></tr>"


def _links(asked: str, tag_id: str, number: int, *, has_next: bool) -> str:
    def link(text: str, page: int) -> str:
        query = urlencode({"q": asked, "tag": tag_id, "page": page})
        return f'<a href="/?{escape(query)}">{text}</a>'

    links = [link("← previous", number - 1)] if number > 1 else []
    return " · ".join(links + ([link("next →", number + 1)] if has_next else []))
