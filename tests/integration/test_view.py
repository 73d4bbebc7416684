# SPDX-License-Identifier: Apache-2.0
"""What is shown of a stack while it changes; Heat's answers are made up here."""

import io
import types
from typing import Any

from heatclient import exc
from rich.console import Console

from localheat.view.model import Item, Snapshot, Watch
from localheat.view.plain import Plain
from localheat.view.terminal import table
from tests import base

STACK = 'stack-id'
NESTED = 'nested-id'


def resource(name: str, status: str, stack: str = STACK, identifier: str = '') -> Any:
    return types.SimpleNamespace(
        resource_name=name,
        resource_type='OS::Heat::SoftwareDeployment',
        resource_status=status,
        resource_status_reason='',
        physical_resource_id=identifier,
        links=[{'rel': 'stack', 'href': f'http://heat/v1/project/stacks/name/{stack}'}],
    )


class Heat:
    """Answers with one list of resources after another."""

    def __init__(self, *answers: 'list[Any]'):
        self._answers = list(answers)
        self.stacks = self.resources = self

    def get(self, *_: Any, **__: Any) -> Any:
        if not self._answers:
            raise exc.HTTPNotFound()
        return types.SimpleNamespace(
            id=STACK, stack_name='name', stack_status='CREATE_IN_PROGRESS', stack_status_reason=''
        )

    def list(self, *_: Any, **__: Any) -> 'list[Any]':
        return self._answers.pop(0)


class ModelTest(base.TestCase):
    def test_nested_resources_are_named_by_their_way(self) -> None:
        heat = Heat(
            [resource('member', 'CREATE_COMPLETE', NESTED), resource('group', 'X', STACK, NESTED)]
        )
        paths = [item.path for item in Watch(heat, 'name').look().items]
        self.assertEqual(['group', 'group.member'], paths)

    def test_the_time_in_progress_is_kept_when_it_has_ended(self) -> None:
        clock = iter([10.0, 14.0, 20.0])
        heat = Heat(
            [resource('a', 'CREATE_IN_PROGRESS')],
            [resource('a', 'CREATE_IN_PROGRESS')],
            [resource('a', 'CREATE_COMPLETE')],
        )
        watch = Watch(heat, 'name', lambda: next(clock))
        seen = [watch.look().items[0].seconds for _ in range(3)]
        self.assertEqual([0, 4, 10], seen)

    def test_a_stack_that_is_gone_has_no_status(self) -> None:
        self.assertEqual(('', []), (Watch(Heat(), 'name').look().status, []))


class PlainTest(base.TestCase):
    def show(self, *snapshots: Snapshot) -> 'list[str]':
        said: list[str] = []
        with Plain(said.append) as view:
            for snapshot in snapshots:
                view.show(snapshot)
        return said

    def test_each_change_is_a_line_and_nothing_else_is(self) -> None:
        def snapshot(status: str, line: str = '', seconds: 'float | None' = None) -> Snapshot:
            item = Item('a', 'OS::Heat::SoftwareDeployment', '', status, '', seconds, line)
            return Snapshot('name', 'CREATE_IN_PROGRESS', '', [item])

        self.assertEqual(
            [
                'a: CREATE_IN_PROGRESS',
                'name: CREATE_IN_PROGRESS',
                'a | installing',
                'a: CREATE_COMPLETE after 5 s',
                'a: gone',
                'name: gone',
            ],
            self.show(
                snapshot('CREATE_IN_PROGRESS'),
                snapshot('CREATE_IN_PROGRESS', 'installing'),
                snapshot('CREATE_IN_PROGRESS', 'installing'),
                snapshot('CREATE_COMPLETE', seconds=5.0),
                Snapshot('name', '', '', []),
            ),
        )


class TerminalTest(base.TestCase):
    def draw(self, snapshot: Snapshot, rows: int) -> str:
        text = io.StringIO()
        Console(file=text, width=100).print(table(snapshot, rows))
        return text.getvalue()

    def item(self, name: str, status: str, **more: Any) -> Item:
        return Item(name, 'OS::Nova::Server', '', status, **{'reason': '', **more})

    def test_a_row_has_state_time_and_the_last_line_or_the_reason(self) -> None:
        drawn = self.draw(
            Snapshot(
                'name',
                'CREATE_IN_PROGRESS',
                '',
                [
                    self.item('busy', 'CREATE_IN_PROGRESS', seconds=12.0, line='installing'),
                    self.item('broken', 'CREATE_FAILED', reason='No valid host'),
                ],
            ),
            20,
        )
        self.assertRegex(drawn, r'busy +CREATE_IN_PROGRESS +12 s +installing')
        self.assertRegex(drawn, r'broken +CREATE_FAILED +No valid host')

    def test_what_is_complete_gives_way_where_there_is_no_room(self) -> None:
        done = [self.item(f'done-{number}', 'CREATE_COMPLETE') for number in range(30)]
        busy = self.item('busy', 'CREATE_IN_PROGRESS')
        drawn = self.draw(Snapshot('name', 'CREATE_IN_PROGRESS', '', [*done, busy]), 10)
        self.assertIn('busy', drawn)
        self.assertNotIn('done-0', drawn)
        self.assertIn('30 more', drawn)
