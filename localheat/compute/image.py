# SPDX-License-Identifier: Apache-2.0
"""Glance's API: the images there are."""

from localheat.compute.catalog import Catalog
from localheat.compute.http import Request, Router


def router(catalog: Catalog) -> Router:
    """Return the API."""
    result = Router(lambda status, message: {'error': {'code': status, 'message': message}})

    @result.route('GET', '')
    def versions(request: Request):
        link = {'rel': 'self', 'href': request.base + '/v2/'}
        return 300, {'versions': [{'id': 'v2.9', 'status': 'CURRENT', 'links': [link]}]}

    @result.route('GET', '/v2/schemas/image')
    def schema(request: Request):
        return 200, {'name': 'image', 'properties': {}}

    @result.route('GET', '/v2/images')
    def index(request: Request):
        return 200, {'images': catalog.images(request.query.get('name'))}

    @result.route('GET', '/v2/images/{}')
    def show(request: Request, image_id: str):
        return 200, catalog.image(image_id)

    return result
