# SPDX-License-Identifier: MIT OR Apache-2.0
"""A person at the oidc-provider of the tests, who is a script."""

import html
import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Browser:
    """A person's browser, with a jar of its own."""

    def __init__(self, stop_at=None):
        """With `stop_at` no page is visited whose URL begins so."""
        self.stop_at = stop_at
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), Stay)

    def visit(self, url, form=None):
        """The last page that a URL or a form leads to, and where that is."""
        while not self.stop_at or not url.startswith(self.stop_at):
            try:
                with self.opener.open(url, form and urllib.parse.urlencode(form).encode(), timeout=10) as page:
                    return url, page.status, page.read().decode()
            except urllib.error.HTTPError as error:
                if error.code not in (302, 303):
                    return url, error.code, error.read().decode()
                url, form = urllib.parse.urljoin(url, error.headers["Location"]), None
        return url, None, ""

    def fill_in(self, url, page, **more):
        """Sends the first form of a page."""
        action = html.unescape(re.search(r'action="([^"]+)"', page)[1])
        fields = {name: html.unescape(value)
                  for name, value in re.findall(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"', page)}
        return self.visit(urllib.parse.urljoin(url, action), {**fields, **more})

    def sign_in(self, url, abort=False):
        """Signs in and agrees to all that is asked, or does not."""
        url, status, page = self.visit(url)
        for _ in range(8):
            if status != 200 or "<form" not in page:
                break
            if abort and "/interaction/" in url:
                link = re.search(r'href="([^"]*/abort)"', page)[1]
                url, status, page = self.visit(urllib.parse.urljoin(url, link))
                continue
            url, status, page = self.fill_in(url, page, login="someone", password="x", confirm="yes")
        return url, status, page
