"""Reading the report back: its tags as a tree, tables by caption, the numbers of its drawings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "link", "img", "input"}


@dataclass
class Tag:
    """An element with what is in it."""

    name: str
    attributes: dict[str, str]
    children: list[Tag | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def all(self, name: str) -> Iterator[Tag]:
        for child in self.children:
            if isinstance(child, Tag):
                if child.name == name:
                    yield child
                yield from child.all(name)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Tag("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute of {tag} comes twice"
        found = Tag(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(found)
        if tag not in VOID:
            self._open.append(found)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].name == tag, f"</{tag}> inside <{self._open[-1].name}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)

    def finished(self) -> Tag:
        assert self._open == [self.root], f"left open: {[one.name for one in self._open[1:]]}"
        return self.root


def read_page(html: str) -> Tag:
    """The page as a tree; fails where tags do not match."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.finished()


def tables(page: Tag) -> dict[str, list[list[str]]]:
    """The rows of each table by its caption, without the small print; without heading and without columns of bars."""
    found: dict[str, list[list[str]]] = {}
    for table in page.all("table"):
        caption = next(table.all("caption"))
        words = "".join(child for child in caption.children if isinstance(child, str))
        body = next(table.all("tbody"))
        rows = [
            [cell.text for cell in row.children if isinstance(cell, Tag) and cell.attributes.get("class") != "meter"]
            for row in body.all("tr")
        ]
        found[words] = rows
    return found


def edges(page: Tag) -> dict[tuple[str, str], int]:
    """How often each edge was taken, by the nodes that it joins."""
    return {
        (one.attributes["data-from"], one.attributes["data-to"]): int(one.attributes["data-count"])
        for one in page.all("g")
        if "data-count" in one.attributes
    }


def nodes(page: Tag) -> dict[str, tuple[int, int]]:
    """Visits and runs that wait, by node."""
    return {
        one.attributes["data-node"]: (int(one.attributes["data-visits"]), int(one.attributes["data-waiting"]))
        for one in page.all("g")
        if "data-node" in one.attributes
    }
