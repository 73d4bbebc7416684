# SPDX-License-Identifier: Apache-2.0
"""How the agent talks HTTP: which CAs it trusts, by which proxy it goes, how long it waits.

The rule is that of requests, which os-collect-config uses:

- ``REQUESTS_CA_BUNDLE`` or ``CURL_CA_BUNDLE`` are the CAs to trust.  Without
  them the system's CAs are trusted, and that of ``ca_certificate`` in
  /etc/os-collect-config.conf beside these.
- ``http_proxy``, ``https_proxy`` and ``all_proxy`` name proxies.  ``no_proxy``
  has hosts, domains, addresses and networks (``10.0.0.0/8``) to reach without.
"""

# Most signals need little: what is slow to load is imported where it is used.
import contextlib
import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    import urllib.request
    from typing import Any, Iterator

AGENTS_CONFIG = '/etc/os-collect-config.conf'
# Where distributions have the certificates of all CAs that they trust.
SYSTEM_BUNDLES = (
    '/etc/ssl/certs/ca-certificates.crt',
    '/etc/pki/tls/certs/ca-bundle.crt',
    '/etc/ssl/ca-bundle.pem',
)


class Deadline(OSError):
    """An exchange took longer than it may."""


@contextlib.contextmanager
def deadline(seconds: float) -> 'Iterator[None]':
    """End what takes too long, wherever it waits.

    A socket's timeout is one for each piece: a server that sends a byte a
    second could go on for ever.  For the main thread of a process only.

    :param seconds: what the block may take.
    :raises Deadline: when it takes longer.
    """

    def expire(*_: 'Any') -> None:
        raise Deadline(f'no complete answer within {seconds:g} seconds')

    previous = signal.signal(signal.SIGALRM, expire)
    # Again each second: where the first is raised, something may swallow it.
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def names_a_proxy() -> bool:
    """Whether the environment names a proxy for HTTP, used or not; quicker than proxy_for()."""
    return any(name.lower() in ('http_proxy', 'all_proxy') for name in os.environ)


def only_ca() -> str:
    """The file or folder of the only CAs to trust; '' for the system's."""
    return os.environ.get('REQUESTS_CA_BUNDLE') or os.environ.get('CURL_CA_BUNDLE') or ''


def agents_ca(config_path: str = AGENTS_CONFIG) -> str:
    """The private CA that the agent was told of; '' for none."""
    import configparser

    config = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        config.read(config_path)
    except (configparser.Error, OSError, UnicodeDecodeError):
        return ''
    for section in ('cfn', 'heat', 'zaqar', 'request', 'DEFAULT'):
        path = config.get(section, 'ca_certificate', fallback='')
        if path:
            return path
    return ''


def tls_context() -> 'ssl.SSLContext':
    """What HTTPS trusts.

    :raises OSError: when the certificates cannot be read; it names them.
    """
    import ssl

    path = only_ca()
    if path:
        os.stat(path)  # for an error that has its name
        is_folder = os.path.isdir(path)
        return ssl.create_default_context(
            cafile=None if is_folder else path, capath=path if is_folder else None
        )
    context = ssl.create_default_context()
    path = agents_ca()
    if path:
        os.stat(path)
        context.load_verify_locations(cafile=path)
    return context


def proxy_for(url: str) -> str:
    """The URL of the proxy through which another is reached; '' for none."""
    import urllib.parse
    import urllib.request

    parts = urllib.parse.urlsplit(url)
    proxies = urllib.request.getproxies_environment()
    proxy = proxies.get(parts.scheme) or proxies.get('all') or ''
    if not proxy or bypasses_proxy(parts.hostname or '', parts.port):
        return ''
    return proxy if '://' in proxy else 'http://' + proxy


def bypasses_proxy(host: str, port: 'int | None') -> bool:
    """Whether no_proxy names a host."""
    entries = (os.environ.get('no_proxy') or os.environ.get('NO_PROXY') or '').lower()
    host = host.lower()
    is_name = ':' not in host and not host.replace('.', '').isdigit()
    for entry in entries.replace(',', ' ').split():
        if entry == '*' or _is_address_in(host, entry):
            return True
        # As requests has it: the end of a name, with or without the port.
        names = (host, f'{host}:{port}') if is_name else ()
        if host == entry.lstrip('.') or any(name.endswith(entry) for name in names):
            return True
    return False


def _is_address_in(host: str, network: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network.strip('[]'), strict=False)
    except ValueError:  # one of them is a name
        return False


def without_password(url: str) -> str:
    """A proxy's URL for messages: its user and password are nobody's business."""
    scheme, _, rest = url.partition('://')
    return f'{scheme}://{rest.rpartition("@")[2].rstrip("/")}'


def opener(*handlers: 'Any') -> 'urllib.request.OpenerDirector':
    """What opens URLs by the rule above, for urllib's requests.

    :param handlers: further ones of urllib.
    :raises OSError: when the CA certificates cannot be read.
    """
    import urllib.request

    class Proxies(urllib.request.ProxyHandler):
        """Looks the proxy up for each request: a redirect may lead elsewhere."""

        def __init__(self) -> None:
            super().__init__({})

        def _open(self, request: 'Any') -> 'Any':
            proxy = proxy_for(request.full_url)
            return self.proxy_open(request, proxy, request.type) if proxy else None

        http_open = https_open = _open

    return urllib.request.build_opener(
        Proxies, urllib.request.HTTPSHandler(context=tls_context()), *handlers
    )
