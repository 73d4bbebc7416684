#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group kubelet: the config is a pod, which kubelet runs from a manifest.

The hook writes the manifest, then waits until the container runtime, asked
through ``crictl``, has all of the pod's containers running.
"""

import glob
import json
import os
import time

import heat_removal
from heat_documents import documents, submap
from heat_files import load
from heat_hook import (
    BAD_DATA,
    TIMED_OUT,
    Deployment,
    HookError,
    Result,
    Workspace,
    file_name,
    log,
    make_folder,
    program,
    run,
    write_file,
)
from heat_names import pod_name
from heat_options import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MANIFESTS = (
    os.environ.get('HEAT_KUBELET_MANIFESTS')
    or '/var/lib/heat-config/heat-config-kubelet/kubelet-manifests'
)
OPTIONS = (
    Option('poll_period', 'number', 'Seconds between two looks at the containers.', 5),
    Option('images_timeout', 'number', 'Seconds until all images must be there.', 600),
    Option('containers_timeout', 'number', 'Further seconds until all containers must run.', 120),
)
# What tells a resource of a stack from all others.
RESOURCE = ('deploy_stack_id', 'deploy_resource_name')


def pod_of(deployment: Deployment) -> 'dict[str, Any] | None':
    """The pod that the config describes, with labels to find it by.

    :returns: None when the config is empty.
    :raises HookError: when it is not one pod.
    """
    found = documents(deployment)
    if not found:
        return None
    pod = found[0]
    if 'apiVersion' not in pod and 'containers' in pod:
        # As in Kubernetes' first versions: what is called spec today.
        spec = {key: value for key, value in pod.items() if key not in ('id', 'version')}
        pod = {'apiVersion': 'v1', 'kind': 'Pod', 'spec': spec}
    if len(found) > 1 or pod.get('kind') != 'Pod':
        raise HookError(
            'The config must be one pod of Kubernetes: kubelet takes nothing else from its folder.',
            BAD_DATA,
        )
    containers = submap(pod, 'spec').get('containers')
    if (
        not isinstance(containers, list)
        or not containers
        or not all(
            isinstance(container, dict) and container.get('name') for container in containers
        )
    ):
        raise HookError('The pod must have a list of containers, each with a name.', BAD_DATA)
    metadata = submap(pod, 'metadata')
    metadata.setdefault('name', 'heat-' + pod_name(deployment.id))
    submap(metadata, 'labels').update(managed_by='kubelet', config_id=deployment.id)
    # No labels: those take no slash, and at most 63 characters.
    submap(metadata, 'annotations').update(resource_of(deployment))
    return pod


def resource_of(deployment: Deployment) -> 'dict[str, str]':
    return {key: str(deployment.inputs.get(key) or '') for key in RESOURCE}


def remove_previous(deployment: Deployment) -> None:
    """Remove the manifest that the same resource of the same stack had before."""
    resource = resource_of(deployment)
    for path in glob.glob(os.path.join(MANIFESTS, '*.json')):
        pod = load(path)
        annotations = (pod.get('metadata') or {}).get('annotations') or {}
        if all(resource.values()) and all(
            annotations.get(key) == value for key, value in resource.items()
        ):
            os.unlink(path)


class Runtime:
    """The container runtime, asked for one pod.

    :param crictl: the program's path.
    """

    def __init__(self, crictl: str, config_id: str) -> None:
        self._crictl = crictl
        self._config_id = config_id
        #: What the last question was answered with, if it was no answer.
        self.problem = ''

    def states(self) -> 'dict[str, str]':
        """The state of each of the pod's containers that there is, by name."""
        states: dict[str, str] = {}
        self.problem = ''
        for pod in self._ask('items', 'pods', '--label', 'config_id=' + self._config_id):
            for container in self._ask('containers', 'ps', '--all', '--pod', pod['id']):
                name = container['metadata']['name']
                # One that was started again is there more than once.
                if states.get(name) != 'CONTAINER_RUNNING':
                    states[name] = container['state']
        return states

    def _ask(self, key: str, *arguments: str) -> 'list[dict[str, Any]]':
        """The list that a command of crictl prints as the value of a key."""
        result = run(
            [self._crictl, *arguments, '--output', 'json'],
            on_stdout=lambda data: None,
            on_stderr=lambda data: None,
        )
        if result.status_code:
            # It may be starting; whoever waits says so if it never does.
            self.problem = f'crictl said: {result.stderr.strip()}'
            return []
        try:
            return list(json.loads(result.stdout)[key])
        except (KeyError, TypeError, ValueError):
            raise HookError(f'crictl {arguments[0]} printed no JSON object with "{key}".')


def wait(
    runtime: Runtime, names: 'list[str]', timeout: float, period: float, running: bool
) -> None:
    """Wait until the runtime has all of a pod's containers.

    :param names: what the containers are called.
    :param timeout: seconds.
    :param period: seconds between two looks.
    :param running: and until they all run.
    :raises HookError: when the time is up.
    """
    deadline = time.monotonic() + timeout
    while True:
        states = runtime.states()
        missing = {
            name: states.get(name, 'not created')
            for name in names
            if name not in states or running and states[name] != 'CONTAINER_RUNNING'
        }
        if not missing:
            return
        if time.monotonic() >= deadline:
            described = ', '.join(f'{name} ({state})' for name, state in missing.items())
            raise HookError(
                f'After {timeout:g} seconds these containers do not {"run" if running else "exist"}'
                f': {described}. "journalctl -u kubelet" on the server may say why. '
                + runtime.problem,
                TIMED_OUT,
            )
        time.sleep(period)


def deploy(deployment: Deployment, workspace: Workspace) -> Result:
    pod = pod_of(deployment) if deployment.action != 'DELETE' else None
    if not pod:
        remove_previous(deployment)
        return Result()
    runtime = Runtime(program('crictl', variable='HEAT_CRICTL_CMD'), deployment.id)
    names = [str(container['name']) for container in pod['spec']['containers']]

    remove_previous(deployment)
    make_folder(MANIFESTS)
    path = os.path.join(MANIFESTS, file_name(deployment.id) + '.json')
    write_file(path, json.dumps(pod, indent=2, default=str))
    log(f'waiting for {", ".join(names)}')
    options = deployment.options
    period = options['poll_period']
    # A container exists once its image is there.
    wait(runtime, names, options['images_timeout'], period, running=False)
    wait(runtime, names, options['containers_timeout'], period, running=True)
    return Result(stdout=f'Running: {", ".join(names)}\n')


def remove_stale(current: 'list[Deployment]') -> None:
    """Remove the manifests of deployments that Heat no longer has."""
    ids = {deployment.id for deployment in current}
    for path in glob.glob(os.path.join(MANIFESTS, '*.json')):
        labels = (load(path).get('metadata') or {}).get('labels') or {}
        # Others may keep their manifests in the same folder.
        if labels.get('managed_by') == 'kubelet' and labels.get('config_id') not in ids:
            log(f'kubelet: removing {path}, which Heat no longer has')
            os.unlink(path)


if __name__ == '__main__':
    heat_removal.main(deploy, remove_stale, 'kubelet', OPTIONS)
