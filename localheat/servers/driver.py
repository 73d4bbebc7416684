# SPDX-License-Identifier: Apache-2.0
"""A virt driver of Nova whose servers are machines of this machine.

What is not here, the base class refuses, or Nova does without it: rebuild is destroy and spawn.
"""

import base64
import os
import platform
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional

import nova.conf
import os_resource_classes as orc
from nova import exception
from nova.api.metadata import base as instance_metadata
from nova.compute import power_state, task_states
from nova.image import glance
from nova.objects import fields
from nova.virt import configdrive, event, hardware
from nova.virt import driver as virt
from oslo_config import cfg

from localheat import servers
from localheat.errors import LocalHeatError

CONF = nova.conf.CONF
CONF.register_opts(
    [
        cfg.StrOpt('kind', help='The kind of machine for flavors that do not choose one.'),
        cfg.StrOpt('images_path', help='Where Glance keeps images, by their ids.'),
        cfg.StrOpt('networks_path', help='Where networks are noted, if there are any.'),
    ],
    group='localheat',
)
# ample: a flavor should not be refused for the size of this machine
VCPUS, MEMORY_MB, DISK_GB = 1024, 4 * 1024**2, 1024**2

# this process's machines by the server's UUID
_machines: dict[str, servers.Machine] = {}


def close() -> None:
    """Cut the power of all machines."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda machine: machine.power_off(), list(_machines.values())))


class Driver(virt.ComputeDriver):
    """One host, which is its only node."""

    capabilities = dict(
        virt.ComputeDriver.capabilities,
        supports_attach_interface=True,
        supports_device_tagging=True,
        supports_image_type_qcow2=True,
        supports_image_type_raw=True,
        supports_migrate_to_same_host=True,
    )

    def init_host(self, host: str) -> None:
        os.makedirs(os.path.join(CONF.instances_path, 'images'), exist_ok=True)

    # what this host has

    def get_available_nodes(self, refresh: bool = False) -> list[str]:
        return [CONF.host]

    def get_available_resource(self, nodename: str) -> dict[str, Any]:
        architectures = (fields.Architecture.X86_64, fields.Architecture.AARCH64)
        return {
            'vcpus': VCPUS,
            'memory_mb': MEMORY_MB,
            'local_gb': DISK_GB,
            'vcpus_used': 0,
            'memory_mb_used': 0,
            'local_gb_used': 0,
            'hypervisor_type': 'localheat',
            'hypervisor_version': 1,
            'hypervisor_hostname': nodename,
            'cpu_info': '{}',
            'disk_available_least': DISK_GB,
            'numa_topology': None,
            # the host has to have what an image's properties ask for
            'supported_instances': [
                (architecture, fields.HVType.QEMU, fields.VMMode.HVM)
                for architecture in architectures
            ],
        }

    def update_provider_tree(
        self, provider_tree: Any, nodename: str, allocations: Any = None
    ) -> None:
        ratios = self._get_allocation_ratios(provider_tree.data(nodename).inventory)
        totals = {orc.VCPU: VCPUS, orc.MEMORY_MB: MEMORY_MB, orc.DISK_GB: DISK_GB}
        provider_tree.update_inventory(
            nodename,
            {
                name: {
                    'total': total,
                    'min_unit': 1,
                    'max_unit': total,
                    'step_size': 1,
                    'reserved': 0,
                    'allocation_ratio': ratios[name],
                }
                for name, total in totals.items()
            },
        )

    def get_host_ip_addr(self) -> str:
        return CONF.my_ip

    def get_host_uptime(self) -> str:
        with open('/proc/uptime') as stream:
            return f'up {stream.read().split()[0]} s'

    # a server's life

    def spawn(
        self,
        context: Any,
        instance: Any,
        image_meta: Any,
        injected_files: Any,
        admin_password: Optional[str],
        allocations: Any,
        network_info: Any = None,
        block_device_info: Any = None,
        power_on: bool = True,
        accel_info: Any = None,
    ) -> None:
        folder = _folder(instance)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._make_config_drive(instance, network_info, admin_password, injected_files)
        if power_on:
            self.power_on(context, instance, network_info, block_device_info)

    @staticmethod
    def _make_config_drive(
        instance: Any, network_info: Any, admin_password: Optional[str] = None, files: Any = None
    ) -> None:
        # the others do not boot
        if _kind(instance) != 'qemu':
            return
        metadata = instance_metadata.InstanceMetadata(
            instance,
            content=files or [],
            network_info=network_info,
            extra_md={'admin_pass': admin_password} if admin_password else {},
        )
        path = os.path.join(_folder(instance), servers.Spec.CONFIG_DRIVE)
        with configdrive.ConfigDriveBuilder(instance_md=metadata) as builder:
            builder.make_drive(path)
        os.chmod(path, 0o600)

    def destroy(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        block_device_info: Any = None,
        destroy_disks: bool = True,
        destroy_secrets: bool = True,
    ) -> None:
        machine = _machines.pop(instance.uuid, None)
        if machine:
            machine.power_off()
        self.cleanup(context, instance, network_info, block_device_info, destroy_disks)

    def cleanup(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        block_device_info: Any = None,
        destroy_disks: bool = True,
        migrate_data: Any = None,
        destroy_vifs: bool = True,
        destroy_secrets: bool = True,
    ) -> None:
        if destroy_disks:
            shutil.rmtree(_folder(instance), ignore_errors=True)

    def power_on(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        block_device_info: Any = None,
        accel_info: Any = None,
        share_info: Any = None,
    ) -> None:
        known = _machines.get(instance.uuid)
        if known and known.running:
            return
        try:
            machine = servers.machine(_kind(instance), _spec(instance, network_info))
            if known:
                # what is left of one that has ended by itself
                known.power_off()
            _machines[instance.uuid] = machine
            machine.start()
        except LocalHeatError as error:
            raise exception.InstancePowerOnFailure(reason=str(error))
        threading.Thread(target=self._watch, args=(instance.uuid, machine), daemon=True).start()

    def _watch(self, uuid: str, machine: servers.Machine) -> None:
        """Tell Nova when a machine ends that nobody has stopped."""
        machine.wait()
        if _machines.get(uuid) is machine and not machine.stopped:
            self.emit_event(event.LifecycleEvent(uuid, event.EVENT_LIFECYCLE_STOPPED))

    def power_off(self, instance: Any, timeout: float = 0, retry_interval: float = 0) -> None:
        _machine(instance).power_off(timeout)

    def reboot(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        reboot_type: str,
        block_device_info: Any = None,
        bad_volumes_callback: Any = None,
        accel_info: Any = None,
        share_info: Any = None,
    ) -> None:
        _machine(instance).power_off(0 if reboot_type == 'HARD' else CONF.shutdown_timeout)
        self.power_on(context, instance, network_info, block_device_info)

    def resume_state_on_host_boot(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        share_info: Any,
        block_device_info: Any = None,
    ) -> None:
        """Boot a server again that ran when Nova was stopped."""
        self.power_on(context, instance, network_info, block_device_info)

    def pause(self, instance: Any) -> None:
        _machine(instance).suspend()

    def unpause(self, instance: Any) -> None:
        _machine(instance).resume()

    def suspend(self, context: Any, instance: Any) -> None:
        _machine(instance).suspend()

    def resume(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        block_device_info: Any = None,
        share_info: Any = None,
    ) -> None:
        known = _machines.get(instance.uuid)
        if known and known.running:
            known.resume()
        else:
            # one that was suspended when Nova was stopped has lost its memory
            self.power_on(context, instance, network_info, block_device_info)

    # resize, always to this host: the same folder, another flavor

    def migrate_disk_and_power_off(
        self,
        context: Any,
        instance: Any,
        dest: str,
        flavor: Any,
        network_info: Any,
        block_device_info: Any = None,
        timeout: float = 0,
        retry_interval: float = 0,
    ) -> str:
        _machine(instance).power_off(timeout)
        return '{}'

    def finish_migration(
        self,
        context: Any,
        migration: Any,
        instance: Any,
        disk_info: str,
        network_info: Any,
        image_meta: Any,
        resize_instance: bool,
        allocations: Any,
        block_device_info: Any = None,
        power_on: bool = True,
        share_info: Any = None,
    ) -> None:
        self._make_config_drive(instance, network_info)
        if power_on:
            self.power_on(context, instance, network_info, block_device_info)

    def confirm_migration(
        self, context: Any, migration: Any, instance: Any, network_info: Any
    ) -> None:
        pass

    def finish_revert_migration(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        migration: Any,
        block_device_info: Any = None,
        power_on: bool = True,
        share_info: Any = None,
    ) -> None:
        self._make_config_drive(instance, network_info)
        if power_on:
            self.power_on(context, instance, network_info, block_device_info)

    def snapshot(self, context: Any, instance: Any, image_id: str, update_task_state: Any) -> None:
        """Do what "openstack server image create" asks for."""
        update_task_state(task_state=task_states.IMAGE_PENDING_UPLOAD)
        path, image_format = _machine(instance).snapshot()
        update_task_state(
            task_state=task_states.IMAGE_UPLOADING,
            expected_state=task_states.IMAGE_PENDING_UPLOAD,
        )
        try:
            with open(path, 'rb') as stream:
                glance.API().update(
                    context,
                    image_id,
                    {'disk_format': image_format, 'container_format': 'bare'},
                    stream,
                )
        finally:
            os.unlink(path)

    # cards and volumes: they are the server's from its next boot on

    def plug_vifs(self, instance: Any, network_info: Any) -> None:
        pass

    def unplug_vifs(self, instance: Any, network_info: Any) -> None:
        pass

    def attach_interface(self, context: Any, instance: Any, image_meta: Any, vif: Any) -> None:
        pass

    def detach_interface(self, context: Any, instance: Any, vif: Any) -> None:
        pass

    def get_volume_connector(self, instance: Any) -> dict[str, Any]:
        return {'ip': CONF.my_ip, 'host': CONF.host, 'multipath': False}

    def attach_volume(
        self,
        context: Any,
        connection_info: Any,
        instance: Any,
        mountpoint: str,
        disk_bus: Any = None,
        device_type: Any = None,
        encryption: Any = None,
    ) -> None:
        pass

    def detach_volume(
        self,
        context: Any,
        connection_info: Any,
        instance: Any,
        mountpoint: str,
        encryption: Any = None,
    ) -> None:
        pass

    # what is asked about servers

    def list_instances(self) -> list[str]:
        return [machine.spec.name for machine in list(_machines.values())]

    def list_instance_uuids(self) -> list[str]:
        return list(_machines)

    def get_info(self, instance: Any, use_cache: bool = True) -> hardware.InstanceInfo:
        machine = _machines.get(instance.uuid)
        if machine is None or not machine.running:
            state = power_state.SHUTDOWN
        else:
            state = power_state.PAUSED if machine.suspended else power_state.RUNNING
        return hardware.InstanceInfo(state=state)

    def get_console_output(self, context: Any, instance: Any) -> bytes:
        return servers.console(_folder(instance))


def _folder(instance: Any) -> str:
    return os.path.join(CONF.instances_path, instance.uuid)


def _kind(instance: Any) -> str:
    name = instance.flavor.name
    if CONF.localheat.kind == 'none' or name not in servers.KINDS:
        return str(CONF.localheat.kind)
    return str(name)


def _machine(instance: Any) -> servers.Machine:
    try:
        return _machines[instance.uuid]
    except KeyError:
        # one that was off when Nova was stopped
        machine = servers.machine(_kind(instance), _spec(instance, []))
        return _machines.setdefault(instance.uuid, machine)


def _spec(instance: Any, network_info: Any) -> servers.Spec:
    return servers.Spec(
        name=instance.hostname,
        directory=_folder(instance),
        image=_image(instance),
        user_data=base64.b64decode(instance.user_data or ''),
        keys=(instance.key_data.strip(),) if instance.key_data else (),
        cards=tuple(map(_card, network_info or ())),
        networks=CONF.localheat.networks_path or '',
        vcpus=instance.flavor.vcpus,
        ram=instance.flavor.memory_mb,
        arch=_architecture(instance),
    )


def _architecture(instance: Any) -> str:
    """Return what the image's property says, else what this machine is."""
    properties = instance.image_meta.properties
    return str(properties.get('hw_architecture') or platform.machine())


def _card(vif: Any) -> servers.Card:
    subnets = [item for item in vif['network']['subnets'] if item['version'] == 4]
    gateways = [item['gateway']['address'] for item in subnets if item['gateway']]
    return servers.Card(
        port=vif['id'],
        network=vif['network']['id'],
        mac=vif['address'],
        addresses=tuple(
            f'{ip["address"]}/{subnet["cidr"].partition("/")[2]}'
            for subnet in subnets
            for ip in subnet['ips']
        ),
        gateway=next((address for address in gateways if address), None),
        dns=tuple(item['address'] for subnet in subnets for item in subnet['dns']),
        routes=tuple(
            (route['cidr'], route['gateway']['address'])
            for subnet in subnets
            for route in subnet['routes']
        ),
        mtu=vif['network'].get_meta('mtu') or 1500,
    )


def _image(instance: Any) -> str:
    """Return the path of a server's image, which stays when Glance's is deleted."""
    if not instance.image_ref:
        return ''
    kept = os.path.join(CONF.instances_path, 'images', instance.image_ref)
    stored = os.path.join(CONF.localheat.images_path, instance.image_ref)
    if not os.path.lexists(kept):
        if os.path.islink(stored):
            os.symlink(os.path.realpath(stored), kept)
        else:
            os.link(stored, kept)
    return os.path.realpath(kept)
