# SPDX-License-Identifier: Apache-2.0
"""What an image is made of, as a CycloneDX document (SBOM).

It runs in the virtual environment that has cyclonedx-python-lib.

    python -m imagebuild.sbom MANIFESTS NAME

reads the manifests that a build leaves beside its image, and prints JSON.
"""

import json
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot5
from packageurl import PackageURL

#: Written by the element heat-agent-release.
MANIFEST = 'heat-agent-manifest.json'
RPM = 'heat-agent-rpm.json'


def _component(kind: str, namespace: str, name: str, version: str, **qualifiers: str) -> Component:
    purl = PackageURL(kind, namespace or None, name, version, qualifiers)
    return Component(
        type=ComponentType.LIBRARY if kind == 'pypi' else ComponentType.APPLICATION,
        name=name,
        version=version,
        purl=purl,
        bom_ref=purl.to_string(),
    )


def system_packages(manifests: pathlib.Path, distro: str, release: str) -> Iterator[Component]:
    """Yield the packages of the distribution, by dpkg's list or by that of rpm."""
    for path in manifests.glob('dib-manifest-dpkg-*'):
        for package in json.loads(path.read_text())['packages']:
            if package['status'].startswith('ii'):
                yield _component(
                    'deb',
                    distro,
                    package['package'],
                    package['version'],
                    arch=package['arch'],
                    distro=release,
                )
    path = manifests / RPM
    if path.exists():
        for line in path.read_text().splitlines():
            package = json.loads(line)
            yield _component(
                'rpm', distro, package['name'], package['version'], arch=package['arch']
            )


def document(manifests: pathlib.Path, name: str) -> str:
    """Return the document of an image.

    :param manifests: the folder of manifests that diskimage-builder leaves beside it.
    :param name: of the image.
    """
    manifest: dict[str, Any] = json.loads((manifests / MANIFEST).read_text())
    bom = Bom()
    bom.metadata.component = Component(
        type=ComponentType.OPERATING_SYSTEM, name=name, version=manifest['version'], bom_ref=name
    )
    system = manifest['system']
    for component in system_packages(manifests, system['id'], system['release']):
        bom.components.add(component)
    for package, version in manifest['python'].items():
        bom.components.add(_component('pypi', '', package, version))
    bom.register_dependency(bom.metadata.component, bom.components)
    return JsonV1Dot5(bom).output_as_string(indent=2)


def main() -> None:
    print(document(pathlib.Path(sys.argv[1]), sys.argv[2]))


if __name__ == '__main__':
    main()
