# SPDX-License-Identifier: Apache-2.0
"""The network of localheat's servers, with real packets, and namespaces in the servers' place."""

import http.server
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from localheat import network, process
from localheat.network import addresses, fabric
from localheat.network.namespace import Namespace
from tests import base

NUMBER = addresses.NUMBERS[-1]
ONE, TWO = (str(addresses.public(NUMBER)[index]) for index in (5, 6))
NOBODY = str(addresses.public(NUMBER)[7])
# prints what it was told
CLIENT = '#!/bin/sh\n[ "$1" != bound ] || echo "$ip/$mask via $router dns $dns"\n'
FETCH = (
    'import sys, urllib.request; '
    'print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode(), end="")'
)


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers with the server's name."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'this machine')

    def log_message(self, *_: object) -> None:
        pass


def plan(name: str, cidr: str, **more: object) -> fabric.Plan:
    gateway = cidr.replace('.0/24', '.1')
    subnet = fabric.Subnet('subnet-' + name, cidr, (gateway,), True, gateway, ())
    fields = {
        'subnets': (subnet,),
        'floating': frozenset(),
        'leases': frozenset(),
        'neighbours': frozenset(),
        **more,
    }
    return fabric.Plan('net-' + name, **fields)


class NetworkTest(base.TestCase):
    guard_processes = False

    def setUp(self) -> None:
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest('network namespaces and the route to them take root')
        lacking = network.missing()
        if lacking:
            self.skipTest(f'not installed: {lacking}')
        self.folder = str(self.root / 'networks')
        self.ports = 0

    def run_here(self, code: str) -> 'subprocess.CompletedProcess[str]':
        """Run something in a process of its own, with whose end all of it must vanish."""
        return subprocess.run(
            [sys.executable, '-c', code],
            env={**os.environ, 'PYTHONPATH': str(base.ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def fabric(self) -> fabric.Fabric:
        made = fabric.Fabric(self.folder, NUMBER)
        self.addCleanup(made.close)
        return made

    def server(self, name: str, address: str) -> Namespace:
        """Put a namespace into a network, as a server."""
        namespace = Namespace.new()
        self.addCleanup(namespace.close)
        self.ports += 1
        fabric.connect(self.folder, 'net-' + name, f'port-{self.ports}', namespace.pid, 0)
        gateway = address.rpartition('.')[0] + '.1'
        namespace.ip(
            f'address add {address}/24 dev eth0',
            'link set eth0 up',
            f'route add default via {gateway}',
        )
        return namespace

    def web_server(self, namespace: Namespace, page: str) -> None:
        folder = self.root / f'web-{page}'
        folder.mkdir()
        (folder / 'index.html').write_text(page)
        server = subprocess.Popen(
            ['nsenter', '--net=' + namespace.path, sys.executable, '-u', '-m', 'http.server', '80'],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        assert server.stdout
        self.addCleanup(server.stdout.close)
        self.assertIn(b'Serving', server.stdout.readline())

    def fetch(self, url: str, namespace: 'Namespace | None' = None) -> str:
        """Return a page as it is seen from a namespace; empty when it cannot be had."""
        inside = ['nsenter', '--net=' + namespace.path] if namespace else []
        done = subprocess.run(
            [*inside, sys.executable, '-c', FETCH, url], capture_output=True, text=True
        )
        return done.stdout

    def test_who_reaches_whom(self) -> None:
        fabric = self.fabric()
        fabric.apply(
            {
                # the same addresses twice
                'net-a': plan('a', '10.0.0.0/24', floating=frozenset({(ONE, '10.0.0.5')})),
                'net-b': plan(
                    'b',
                    '10.0.0.0/24',
                    floating=frozenset({(TWO, '10.0.0.5')}),
                    neighbours=frozenset({'net-c'}),
                ),
                'net-c': plan('c', '10.0.1.0/24', neighbours=frozenset({'net-b'})),
            }
        )
        here = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Answer)
        threading.Thread(target=here.serve_forever, daemon=True).start()
        self.addCleanup(here.server_close)
        self.addCleanup(here.shutdown)
        services = f'http://{addresses.HOST}:{here.server_port}/'
        a, other, b, c = (
            self.server(*item)
            for item in (
                ('a', '10.0.0.5'),
                ('a', '10.0.0.6'),
                ('b', '10.0.0.5'),
                ('c', '10.0.1.5'),
            )
        )
        for namespace, page in ((a, 'a'), (b, 'b'), (c, 'c')):
            self.web_server(namespace, page)
        for url, namespace, page in (
            ('http://10.0.0.5/', other, 'a'),
            ('http://10.0.0.5/', c, 'b'),
            ('http://10.0.1.5/', b, 'c'),
            # by a floating IP: of the same network, of another, from this machine
            (f'http://{ONE}/', other, 'a'),
            (f'http://{TWO}/', other, 'b'),
            (f'http://{ONE}/', None, 'a'),
            (f'http://{TWO}/', None, 'b'),
            # what listens on loopback
            (services, other, 'this machine'),
            (services, None, 'this machine'),
            # nobody, and nowhere
            (f'http://{NOBODY}/', None, ''),
            (f'http://{addresses.METADATA}/', other, ''),
        ):
            self.assertEqual(page, self.fetch(url, namespace), url)

        # a floating IP moves, and a network goes
        fabric.apply({'net-a': plan('a', '10.0.0.0/24', floating=frozenset({(TWO, '10.0.0.5')}))})
        self.assertEqual('a', self.fetch(f'http://{TWO}/'))
        self.assertEqual('', self.fetch(f'http://{ONE}/'))
        self.assertEqual(['net-a'], [n for n in os.listdir(self.folder) if '.' not in n])

    def test_servers_are_told_their_addresses(self) -> None:
        if not process.find('dnsmasq') or not shutil.which('busybox'):
            self.skipTest('dnsmasq or busybox is not installed')
        made = self.fabric()
        leases: set[fabric.Lease] = set()
        script = self.root / 'client'
        script.write_text(CLIENT)
        script.chmod(0o755)
        for number in (1, 2):
            mac = f'fa:16:3e:00:00:0{number}'
            leases.add(fabric.Lease(mac, f'10.0.0.7{number}', 'subnet-a'))
            made.apply({'net-a': plan('a', '10.0.0.0/24', leases=frozenset(leases))})
            namespace = Namespace.new()
            self.addCleanup(namespace.close)
            fabric.connect(self.folder, 'net-a', f'port-{number}', namespace.pid, 0)
            namespace.ip(f'link set eth0 address {mac}', 'link set eth0 up')
            told = subprocess.run(
                ['nsenter', '--net=' + namespace.path, 'busybox', 'udhcpc', '-i', 'eth0']
                + ['-n', '-q', '-f', '-t', '10', '-s', script],
                capture_output=True,
                text=True,
            ).stdout
            self.assertEqual(f'10.0.0.7{number}/24 via 10.0.0.1 dns {addresses.DNS}\n', told)

    def test_nothing_is_left_when_its_process_is_killed(self) -> None:
        route = str(addresses.public(NUMBER))
        done = self.run_here(
            'import os, subprocess\n'
            'from localheat.network import fabric\n'
            'from tests.functional.test_localheat_network import plan\n'
            f'made = fabric.Fabric({self.folder!r}, {NUMBER})\n'
            "made.apply({'net-a': plan('a', '10.0.0.0/24')})\n"
            "print(subprocess.check_output(['ip', 'route'], text=True), flush=True)\n"
            f'print(open({self.folder + "/net-a"!r}).read(), flush=True)\n'
            'os.kill(os.getpid(), 9)\n'
        )
        self.assertEqual(-9, done.returncode, done.stderr)
        self.assertIn(route, done.stdout)
        holder = pathlib.Path('/proc', done.stdout.split()[-1], 'ns', 'net')

        def is_gone() -> bool:
            routes = subprocess.check_output(['ip', 'route'], text=True)
            return route not in routes and not holder.exists()

        self.wait_until(is_gone)

    def wait_until(self, condition: 'Callable[[], bool]', limit: float = 30) -> None:
        end = time.monotonic() + limit
        while not condition():
            if time.monotonic() > end:
                self.fail('not so in time')
            time.sleep(0.1)
