# SPDX-License-Identifier: Apache-2.0
"""Links of the built documentation lead to something."""

import functools
import html.parser
import pathlib
import urllib.parse
from typing import Optional

from tests import base

load_tests = base.load_scenarios

PAGES = base.ROOT / 'doc/build/html'


class Page(html.parser.HTMLParser):
    """What a page links to, and where in it others may link to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: 'list[tuple[str, Optional[str]]]') -> None:
        for name, value in attrs:
            if name in ('href', 'src') and value is not None:
                self.links.append(value)
            elif name == 'id' and value:
                self.anchors.add(value)


@functools.cache
def read(path: pathlib.Path) -> Page:
    return Page(path.read_text(encoding='utf-8'))


class LinkTest(base.TestCase):
    scenarios = [
        (str(path.relative_to(PAGES)), {'path': path}) for path in sorted(PAGES.rglob('*.html'))
    ]

    def test_they_lead_to_a_page_and_a_place_in_it(self):
        broken = []
        for link in read(self.path).links:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = self.path
            if parts.path:
                target = (self.path.parent / urllib.parse.unquote(parts.path)).resolve()
            fragment = urllib.parse.unquote(parts.fragment)
            if not target.exists():
                broken.append(link)
            elif fragment and target.suffix == '.html' and fragment not in read(target).anchors:
                broken.append(link)
        self.assertEqual([], sorted(set(broken)))
