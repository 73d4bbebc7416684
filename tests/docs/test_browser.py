# SPDX-License-Identifier: Apache-2.0
"""The built documentation, as a browser shows it: on a desk and on a phone, and its search.

Pages come from a web server on loopback, for a browser keeps files apart from each other.
"""

import functools
import html
import http.server
import json
import pathlib
import re
import shutil
import threading

from tests import base

load_tests = base.load_scenarios

PAGES = base.ROOT / 'doc/build/html'
BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)

#: What looks at all pages, one after the other, in a frame as wide as a window would be.
LOOK = """<!doctype html><title>look</title><script>
async function look(pages, width) {
  const frame = document.createElement('iframe'), found = [];
  frame.style.cssText = `border:0;height:900px;width:${width}px`;
  document.body.append(frame);
  for (const page of pages) {
    await new Promise(done => { frame.onload = done; frame.src = page; });
    const inner = frame.contentDocument, body = inner.documentElement;
    if (body.scrollWidth > width + 1)
      found.push(`${page}: is ${body.scrollWidth} pixels wide, of ${width}`);
    for (const picture of inner.images)
      if (!picture.complete || !picture.naturalWidth)
        found.push(`${page}: does not show ${picture.getAttribute('src')}`);
    if (!inner.querySelector('h1') && page != '/search.html') found.push(`${page}: has no title`);
  }
  return found;
}
onload = async () => {
  const pages = %s, found = [];
  for (const width of [390, 1280]) found.push(...await look(pages, width));
  document.body.textContent = 'found' + JSON.stringify(found) + 'end';
};
</script><body></body>"""


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path != '/look.html':
            super().do_GET()
            return
        names = [f'/{path.relative_to(PAGES)}' for path in sorted(PAGES.rglob('*.html'))]
        page = (LOOK % json.dumps(names)).encode()
        self.send_response(200)
        self.send_header('Content-Type', 'text/html')
        self.send_header('Content-Length', str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        pass


class BrowserTestCase(base.TestCase):
    #: A browser is many processes.
    guard_processes = False

    def setUp(self) -> None:
        super().setUp()
        if not BROWSER:
            self.skipTest(f'this machine has none of {", ".join(BROWSERS)}')
        server = http.server.ThreadingHTTPServer(
            ('127.0.0.1', 0), functools.partial(Handler, directory=str(PAGES))
        )
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.address = f'http://127.0.0.1:{server.server_port}'

    def text(self, page: str, milliseconds: int) -> str:
        """What a page is when its scripts have run for a while."""
        done = self.run_program(
            [
                BROWSER,
                '--headless',
                '--no-sandbox',
                '--disable-gpu',
                '--disable-dev-shm-usage',
                f'--user-data-dir={self.root / "profile"}',
                f'--virtual-time-budget={milliseconds}',
                '--dump-dom',
                f'{self.address}/{page}',
            ],
            timeout=250,
        )
        self.assertEqual(0, done.status, done.stderr)
        return done.stdout


class LookTest(BrowserTestCase):
    def test_pages_fit_and_show_their_pictures_on_a_phone_and_on_a_desk(self):
        found = re.search(r'found(\[.*\])end', self.text('look.html', 240000), re.DOTALL)
        self.assertTrue(found, 'the pages could not all be looked at')
        self.assertEqual([], json.loads(html.unescape(found.group(1))))


class SearchTest(BrowserTestCase):
    scenarios = [
        (words, {'words': words, 'page': page})
        for words, page in (
            ('stuck CREATE_IN_PROGRESS', 'trouble/stuck'),
            ('upgrade agent', 'operate/index'),
            ('arm64', 'tutorial/build-an-image'),
            ('DIB_CLOUD_IMAGES', 'tutorial/build-an-image'),
            ('who can read secrets', 'explanation/security'),
        )
    ]

    def test_it_finds_the_page_that_answers(self):
        shown = self.text(f'search.html?q={self.words.replace(" ", "+")}', 20000)
        results = re.findall(r'<li[^>]*><a href="([^"#?]+)', shown[shown.find('search-results') :])
        pages = {str(pathlib.PurePosixPath(link).with_suffix('')) for link in results}
        self.assertIn(self.page, pages)
