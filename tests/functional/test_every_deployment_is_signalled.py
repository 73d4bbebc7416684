# SPDX-License-Identifier: Apache-2.0
"""The promise of the dispatcher, at every instant at which something may die.

A hook runs at most once for a deployment's id; Heat gets its result, or a failure that says what
happened; no file is half-written; the next deployments go on.
"""

import collections
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
from typing import Any, Callable

from tests import agent, base, signal_server

# Small hooks in shell: what is killed here is the dispatcher, in each of its instants.
HOOK = """#!/bin/sh
echo "$HEAT_CONFIG_DEPLOYMENT" >> "$RUNS"
printf '{"deploy_stdout": "%s", "deploy_status_code": 0}' "$HEAT_CONFIG_DEPLOYMENT"
"""
SLOW_HOOK = HOOK.replace('printf', 'sleep 0.05\nprintf', 1)
FILLING_HOOK = HOOK + 'cat /dev/zero > "$DISK/filler" || true\n'

INSTANTS = 100  # of each way to kill
#: Where the dispatcher and the hooks' library change what others see.
SYSTEM_CALLS = (
    'rename',
    'renameat',
    'renameat2',
    'fsync',
    'unlink',
    'unlinkat',
    'fchmod',
    'write',
    'flock',
    'connect',
    'sendto',
    'vfork',
    'clone',
    'clone3',
    'mkdir',
    'kill',
    'pipe2',
    'wait4',
    'shutdown',
)


class PromiseTestCase(base.TestCase):
    guard_processes = False

    def setUp(self) -> None:
        super().setUp()
        self.agent = self.useFixture(agent.Agent(self.sandbox))
        self.agent.install_hook('quick', HOOK)
        self.agent.install_hook('slow', SLOW_HOOK)
        self.heat = self.useFixture(signal_server.SignalServer())
        self.runs = self.root / 'runs'
        self.runs.touch()
        self.sandbox.env['RUNS'] = str(self.runs)
        self.addCleanup(self.kill_all)
        self.tries = 0

    def start_over(self) -> 'list[str]':
        """Give an agent without a record three new deployments; their ids."""
        shutil.rmtree(self.agent.deployed, ignore_errors=True)
        self.tries += 1
        ids = [f'{self.tries}-{number}' for number in range(3)]
        self.wanted = {
            name: self.deployment(name, group)
            for name, group in zip(ids, ('quick', 'slow', 'quick'))
        }
        self.agent.give(*self.wanted.values())
        return ids

    def deployment(self, name: str, group: str) -> 'dict[str, Any]':
        return agent.script(name, group=group, url=self.heat.signed(name))

    def start(self, *before: str) -> 'subprocess.Popen[bytes]':
        """Start the dispatcher; the process, the leader of its group."""
        return subprocess.Popen(
            [*before, str(self.sandbox.bin / 'python3'), str(self.agent.dispatcher)],
            env=self.sandbox.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def processes(self) -> 'list[int]':
        """The dispatcher, its hooks, and whatever these started."""
        mark = f'HEAT_CONFIG_DEPLOYED={self.agent.deployed}'.encode()
        found = []
        for environ in pathlib.Path('/proc').glob('[0-9]*/environ'):
            try:
                if mark in environ.read_bytes().split(b'\0'):
                    found.append(int(environ.parent.name))
            except OSError:
                pass  # it has ended
        return found

    def kill_all(self) -> None:
        """As when the machine dies."""
        while True:
            processes = self.processes()
            if not processes:
                return
            for pid in processes:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.002)

    def assert_nothing_is_half_written(self, when: str) -> None:
        for path in self.agent.deployed.glob('[!.]*'):
            try:
                json.loads(path.read_text())
            except ValueError:
                self.fail(f'{when}: {path.name} holds {path.read_text()!r}')

    def settle(self) -> None:
        """Run the dispatcher as a timer and new metadata would."""
        done = self.agent.run_again()
        self.assertEqual(0, done.status, done.stderr)

    def assert_promise(self, ids: 'list[str]', when: str, signals: int = 2) -> None:
        """Each deployment ran once at most, and Heat knows what became of it.

        :param signals: how many are fine for one deployment. A second is, if the dispatcher died
            between a signal's delivery and its record; both are the same then.
        """
        runs = collections.Counter(self.runs.read_text().split())
        for name in ids:
            bodies = self.heat.bodies(name)
            self.assertIn(runs[name], (0, 1), f'{when}: {name} ran {runs[name]} times')
            self.assertIn(len(bodies), range(1, signals + 1), f'{when}: {name}: {bodies}')
            self.assertEqual([bodies[0]] * len(bodies), bodies, f'{when}: {name}')
            if bodies[0]['deploy_status_code'] == 0:
                self.assertEqual((name, 1), (bodies[0]['deploy_stdout'], runs[name]), when)
            else:
                self.assertRegex(
                    bodies[0]['deploy_stderr'],
                    'was interrupted|could not record',
                    f'{when}: {name}',
                )

    def assert_settled(self, ids: 'list[str]', when: str) -> None:
        self.assert_nothing_is_half_written(when)
        self.assertEqual([], list(self.agent.deployed.rglob('*.tmp')), when)
        self.assertEqual([], os.listdir(self.agent.deployed / '.open'), when)
        self.assertEqual(
            sorted(ids), sorted(path.stem for path in self.agent.deployed.glob('*.state')), when
        )
        self.assertEqual([], self.processes(), when)
        before = len(self.heat.requests)
        self.settle()
        self.assertEqual(before, len(self.heat.requests), f'{when}: signalled once more')


class KillTest(PromiseTestCase):
    def kill_at_each_instant(self, kill: 'Callable[[subprocess.Popen[bytes]], None]') -> None:
        ids = self.start_over()
        began = time.monotonic()
        self.start().wait(60)
        duration = time.monotonic() - began
        self.assert_promise(ids, 'undisturbed', signals=1)
        number = killed = 0
        while killed < INSTANTS:
            number += 1
            # The golden ratio spreads them evenly, however many there will be.
            instant = duration * (number * 0.618034 % 1)
            when = f'killed after {instant * 1000:.1f} of {duration * 1000:.1f} ms'
            ids = self.start_over()
            process = self.start()
            time.sleep(instant)
            # How long it takes changes with what else the machine has to do.
            if process.poll() is None:
                killed += 1
                duration *= 1.01
            else:
                duration *= 0.9
            kill(process)
            process.wait(60)
            self.assert_nothing_is_half_written(when)
            self.settle()
            self.assert_promise(ids, when)
            if number % 8 == 0:
                self.assert_settled(ids, when)

    def test_the_machine_may_die_at_any_instant(self):
        """The dispatcher and all that it started are killed."""
        self.kill_at_each_instant(lambda process: self.kill_all())

    def test_the_dispatcher_alone_may_die_at_any_instant(self):
        """Its hook lives on, and finds nobody to answer to."""
        self.kill_at_each_instant(lambda process: process.kill())


class SystemCallTest(PromiseTestCase):
    """Killed on entering each of the system calls that change something, one after the other."""

    def setUp(self) -> None:
        super().setUp()
        strace = shutil.which('strace')
        if (
            not strace
            or subprocess.run(
                [strace, '-o', '/dev/null', 'true'], check=False, stderr=subprocess.DEVNULL
            ).returncode
        ):
            self.skipTest('strace is not there, or may not trace')
        self.strace = strace

    def test_the_dispatcher_may_die_in_any_system_call(self):
        ids = self.start_over()
        trace = self.root / 'trace'
        self.start(self.strace, '-o', str(trace), '-e', 'trace=?' + ',?'.join(SYSTEM_CALLS)).wait(
            60
        )
        self.assert_promise(ids, 'undisturbed', signals=1)
        calls = collections.Counter(re.findall(r'(?m)^(\w+)\(', trace.read_text()))
        self.assertGreater(sum(calls.values()), 50, calls)
        for name, count in sorted(calls.items()):
            for number in range(1, count + 1):
                when = f'killed in {name} number {number} of {count}'
                ids = self.start_over()
                self.start(
                    self.strace,
                    '-o',
                    '/dev/null',
                    '-e',
                    f'trace={name}',
                    '-e',
                    f'inject={name}:signal=KILL:when={number}',
                ).wait(60)
                self.assert_nothing_is_half_written(when)
                self.settle()
                self.assert_promise(ids, when)
        self.assert_settled(ids, when)


class AtOnceTest(PromiseTestCase):
    def run_at_once(self, number: int) -> None:
        for _ in range(5):
            ids = self.start_over()
            processes = [self.start() for _ in range(number)]
            self.assertEqual([0] * number, [process.wait(120) for process in processes])
            self.assert_promise(ids, f'{number} at once', signals=1)
        self.assert_settled(ids, f'{number} at once')

    def test_two_dispatchers_at_once(self):
        self.run_at_once(2)

    def test_eight_dispatchers_at_once(self):
        self.run_at_once(8)

    def test_dispatchers_that_are_killed_among_others(self):
        for number in range(10):
            ids = self.start_over()
            processes = [self.start() for _ in range(4)]
            time.sleep(0.02 * number)
            for process in processes[:2]:
                process.kill()
            for process in processes:
                process.wait(120)
            self.settle()
            self.assert_promise(ids, f'killed after {20 * number} ms')


class HeatIsAwayTest(PromiseTestCase):
    def test_what_it_missed_is_told_when_it_comes_back(self):
        self.heat.stop()
        ids = self.start_over()
        self.settle()
        self.assertEqual([], self.heat.requests)
        self.agent.metadata.unlink()  # as after a reboot
        self.heat.start()
        self.heat.answers = [503, 200]
        for name in ids:
            path = self.agent.deployed / f'{name}.state'
            path.write_text(json.dumps(dict(json.loads(path.read_text()), next_try=1)))
        for _ in range(2):
            self.assertEqual(0, self.agent.run_again('--pending').status)
            for name in ids:
                path = self.agent.deployed / f'{name}.state'
                path.write_text(json.dumps(dict(json.loads(path.read_text()), next_try=1)))
        self.assert_promise(ids, 'after Heat was away')
        self.assertEqual(4, len(self.heat.requests))  # one got the 503

    def test_killed_while_heat_is_away(self):
        self.heat.stop()
        ids = self.start_over()
        process = self.start()
        time.sleep(0.15)
        self.kill_all()
        process.wait(60)
        self.settle()
        self.heat.start()
        self.settle()
        self.assert_promise(ids, 'killed while Heat was away', signals=1)


class FullDiskTest(PromiseTestCase):
    PAGE = 4096

    def setUp(self) -> None:
        super().setUp()
        self.disk = self.root / 'disk'
        self.disk.mkdir()
        mounted = subprocess.run(
            ['mount', '-t', 'tmpfs', '-o', f'size={64 * self.PAGE}', 'none', self.disk],
            check=False,
            stderr=subprocess.PIPE,
        )
        if mounted.returncode:
            self.skipTest('no file system can be mounted: ' + mounted.stderr.decode().strip())
        self.addCleanup(subprocess.run, ['umount', '-l', self.disk], check=True)
        self.agent.deployed = self.disk / 'deployed'
        self.sandbox.env.update(HEAT_CONFIG_DEPLOYED=str(self.agent.deployed), DISK=str(self.disk))
        self.agent.install_hook('filling', FILLING_HOOK)

    def fill(self, but: int = 0) -> None:
        """Leave room for so many pages."""
        with (self.disk / 'filler').open('wb', buffering=0) as file:
            while True:
                try:
                    file.write(b'x' * self.PAGE)
                except OSError:
                    break
            file.truncate(max(0, file.tell() - but * self.PAGE))

    def assert_promise_on_full_disk(self, when: str) -> None:
        ids = list(self.wanted)
        self.assert_nothing_but_empty_is_half_written(when)
        self.assert_promise(ids, when, signals=1)
        (self.disk / 'filler').unlink()
        for _ in range(2):
            self.settle()
            self.assert_promise(ids, f'{when}, and then emptied', signals=1)

    def assert_nothing_but_empty_is_half_written(self, when: str) -> None:
        for path in self.agent.deployed.glob('[!.]*'):
            text = path.read_text()
            if text:
                json.loads(text)

    def test_a_disk_that_is_full_before_or_becomes_so_at_any_record(self):
        for pages in range(24):
            self.start_over()
            self.fill(but=pages)
            done = self.agent.run_again()
            self.assertNotIn('Traceback', done.stderr)
            self.assert_promise_on_full_disk(f'with {pages} pages left')

    def test_a_disk_that_a_hook_fills(self):
        self.start_over()
        self.wanted = {
            name: self.deployment(name, group)
            for name, group in (('a', 'quick'), ('b', 'filling'), ('c', 'quick'))
        }
        self.agent.give(*self.wanted.values())
        done = self.agent.run_again()
        self.assertNotIn('Traceback', done.stderr)
        self.assertEqual(0, self.heat.bodies('b')[0]['deploy_status_code'])
        self.assert_promise_on_full_disk('filled by a hook')

    def test_a_full_disk_while_heat_is_away(self):
        ids = self.start_over()
        self.fill()
        self.heat.stop()
        self.agent.run_again()
        (self.disk / 'filler').unlink()
        self.heat.start()
        self.settle()
        self.assert_promise(ids, 'full while Heat was away', signals=1)
        self.assertEqual('', self.runs.read_text())


class MemoryTest(PromiseTestCase):
    LIMIT = 50 * 1024  # KiB

    def peaks(self) -> 'dict[str, int]':
        """The most memory that each of the dispatcher and its hook has used, in KiB."""
        found = {}
        for pid in self.processes():
            try:
                command = pathlib.Path(f'/proc/{pid}/cmdline').read_text().split('\0')
                status = pathlib.Path(f'/proc/{pid}/status').read_text()
            except OSError:
                continue
            peak = re.search(r'VmHWM:\s+(\d+)', status)
            for word in command[1:2]:
                if peak and os.path.basename(word) in ('heat_dispatcher.py', 'script'):
                    found[os.path.basename(word)] = int(peak.group(1))
        return found

    def assert_bounded(self, script: str) -> None:
        peaks: dict[str, int] = collections.defaultdict(int)
        self.agent.give(agent.script('one', script, url=self.heat.signed('one')))
        process = self.start()
        while process.poll() is None:
            for name, peak in self.peaks().items():
                peaks[name] = max(peak, peaks[name])
            time.sleep(0.01)
        self.assertEqual(0, self.heat.bodies('one')[0]['deploy_status_code'])
        self.assertEqual({'heat_dispatcher.py', 'script'}, set(peaks))
        for name, peak in peaks.items():
            self.assertLess(peak, self.LIMIT, name)

    def test_100_mb_of_lines(self):
        self.assert_bounded('yes "a line of output that goes on for a while" | head -c 100000000')

    def test_100_mb_of_errors_without_a_line(self):
        self.assert_bounded('head -c 100000000 /dev/zero >&2')

    def test_100_mb_of_no_encoding(self):
        self.assert_bounded('head -c 100000000 /dev/urandom')
