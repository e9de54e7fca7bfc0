"""The web page at `/`: the workspace, for people."""

from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from importlib.resources import files
from itertools import islice
from string import Template
from typing import Final
from urllib.parse import parse_qsl, urlencode

from dinmo_pipeline.emulator.call import HTML, Call, Response
from dinmo_pipeline.emulator.emulator import Emulator
from dinmo_pipeline.emulator.workspace.records import NOTHING, Contact, NewContact, Role, Tag

_PER_PAGE: Final = 50
_NO_FORM: Final[Mapping[str, str]] = NOTHING


def show(emulator: Emulator, call: Call) -> Response:
    """`GET /?q=…&tag=…&page=…`: numbers, tags, and matching contacts, newest last.

    `q` is part of an email, a name, an external id or an id; `tag` is a tag id.
    """
    return _page(emulator, call)


def add(emulator: Emulator, call: Call) -> Response:
    """`POST /`: add the contact of the page's form, and show it."""
    form = {name: value.strip() for name, value in parse_qsl(call.body.decode("utf-8", "replace"))}
    email, external_id = form.get("email") or None, form.get("external_id") or None
    if not email and not external_id:
        return _page(emulator, call, form, "A contact needs an email or an external id.")
    role: Role = "lead" if form.get("role") == "lead" else "user"
    new = NewContact(email=email, external_id=external_id, role=role, name=form.get("name") or None)
    try:
        contact = emulator.store.create(new)
    except ValueError:
        return _page(emulator, call, form, "Another contact has this external id.")
    address = f"/?{urlencode({'q': contact.id})}"
    return Response(b"", 303, HTML, {"Location": address})


def _page(emulator: Emulator, call: Call, form: Mapping[str, str] = _NO_FORM, problem: str = "") -> Response:
    text, tag_id = call.query.get("q", "").strip(), call.query.get("tag", "")
    page = call.query.get("page", "1")
    number = max(int(page), 1) if page.isdecimal() else 1
    first = (number - 1) * _PER_PAGE
    found = list(islice(_matching(emulator, text, tag_id), first, first + _PER_PAGE + 1))
    tag = emulator.store.get_tag(tag_id)
    html = _template().substitute(
        workspace_id=escape(emulator.settings.workspace_id),
        region=emulator.settings.region,
        numbers=_numbers(emulator),
        tags=_tags(emulator, tag),
        search=escape(text),
        tag_input=f'<input type="hidden" name="tag" value="{escape(tag.id)}">' if tag else "",
        rows="".join(_row(emulator, contact) for contact in found[:_PER_PAGE])
        or '<tr><td colspan="6">No contacts.</td></tr>',
        range=f"{first + 1}–{first + min(len(found), _PER_PAGE)}" if found else "",  # noqa: RUF001
        links=_links(text, tag_id, number, has_next=len(found) > _PER_PAGE),
        problem=escape(problem),
        **{field: escape(form.get(field, "")) for field in ("email", "external_id", "name")},
    )
    return Response(html.encode(errors="replace"), 400 if problem else 200, HTML)


@cache
def _template() -> Template:
    return Template(files(__package__).joinpath("page.html").read_text(encoding="utf-8"))


def _matching(emulator: Emulator, text: str, tag_id: str) -> Iterable[Contact]:
    store = emulator.store
    tag = store.get_tag(tag_id)
    contacts = store.tagged(tag) if tag else store.live.live_from(0)
    folded = text.casefold()
    return (contact for contact in contacts if not folded or _contains(contact, folded))


def _contains(contact: Contact, folded: str) -> bool:
    values = (contact.email, contact.name, contact.external_id, contact.id)
    return any(value is not None and folded in value.casefold() for value in values)


def _numbers(emulator: Emulator) -> str:
    numbers = {
        "Contacts": emulator.store.live.live_count,
        "Tags": len(emulator.store.tags()),
        "API calls": emulator.stats.calls.total(),
        "Refused calls (429)": emulator.stats.refused,
    }
    return "".join(
        f'<div class="number"><b>{number:,}</b><span>{name}</span></div>' for name, number in numbers.items()
    )


def _tags(emulator: Emulator, chosen: Tag | None) -> str:
    live = emulator.store.live
    chips = [
        f'<a class="chip" href="/?{urlencode({"tag": tag.id})}">{escape(tag.name)} '
        f"<b>{len(live.tagged(tag.id)):,}</b></a>"
        for tag in emulator.store.tags()
    ]
    chosen_text = (
        f' Showing <b>{escape(chosen.name)}</b> · <a href="/">show all contacts</a>' if chosen else ""
    )
    return ("".join(chips) or "No tags yet.") + chosen_text


def _row(emulator: Emulator, contact: Contact) -> str:
    tags = (emulator.store.get_tag(tag_id) for tag_id in contact.tags)
    chips = "".join(f'<span class="chip">{escape(tag.name)}</span>' for tag in tags if tag)
    cells = (contact.email, contact.name, contact.role, contact.external_id)
    columns = "".join(f"<td>{escape(cell or '')}</td>" for cell in cells)
    return f"<tr>{columns}<td>{chips}</td><td><code>{contact.id}</code></td></tr>"


def _links(text: str, tag_id: str, number: int, *, has_next: bool) -> str:
    def link(label: str, page: int) -> str:
        query = urlencode({"q": text, "tag": tag_id, "page": page})
        return f'<a href="/?{escape(query)}">{label}</a>'

    links = [link("← previous", number - 1)] if number > 1 else []
    return " · ".join(links + ([link("next →", number + 1)] if has_next else []))
