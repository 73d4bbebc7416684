# SPDX-License-Identifier: Apache-2.0
"""Things that are only remembered: networks, volumes, key pairs and the like."""

import threading
import uuid
from typing import Any, Callable, Optional

from localheat.compute.http import Request, Router, not_found

Item = dict[str, Any]


class Collection:
    """Items that can be created, listed, shown, changed and deleted.

    :param singular: the key of one item in the API's bodies
    :param plural: the key of a list of them
    :param complete: adds to a new item what the real service would; called with the item
    :param changed: called after every change
    """

    def __init__(
        self,
        singular: str,
        plural: str,
        complete: Optional[Callable[[Item], None]] = None,
        changed: Callable[[], None] = lambda: None,
    ):
        self.singular = singular
        self.plural = plural
        self.items: dict[str, Item] = {}
        self._complete = complete
        self._changed = changed
        # one item at a time is completed, so that no two get the same address
        self._lock = threading.Lock()

    def add(self, project: str = '', **fields: Any) -> Item:
        item = {'id': str(uuid.uuid4()), 'name': '', 'tenant_id': project, 'project_id': project}
        item.update(fields)
        with self._lock:
            if self._complete:
                self._complete(item)
            self.items[item['id']] = item
        self._changed()
        return item

    def get(self, identifier: str) -> Item:
        """Return an item by its id.

        :raises ApiError: 404 when there is none
        """
        try:
            return self.items[identifier]
        except KeyError:
            raise not_found(self.singular, identifier)

    def change(self, identifier: str, **fields: Any) -> Item:
        item = self.get(identifier)
        item.update(fields)
        self._changed()
        return item

    def remove(self, identifier: str) -> None:
        self.get(identifier)
        del self.items[identifier]
        self._changed()

    def select(self, **query: str) -> list[Item]:
        """Return the items that have these values, in those of the fields that they have."""
        return [
            item
            for item in list(self.items.values())
            if all(str(item[key]) == value for key, value in query.items() if key in item)
        ]

    def serve(self, router: Router, path: str) -> None:
        """Declare the usual five requests under a path."""

        @router.route('GET', path)
        def index(request: Request):
            return 200, {self.plural: self.select(**request.query)}

        @router.route('POST', path)
        def create(request: Request):
            return 201, {self.singular: self.add(request.project, **request.body[self.singular])}

        @router.route('GET', path + '/{}')
        def show(request: Request, identifier: str):
            return 200, {self.singular: self.get(identifier)}

        @router.route('PUT', path + '/{}')
        def change(request: Request, identifier: str):
            return 200, {self.singular: self.change(identifier, **request.body[self.singular])}

        @router.route('DELETE', path + '/{}')
        def delete(request: Request, identifier: str):
            self.remove(identifier)
            return 204, None
