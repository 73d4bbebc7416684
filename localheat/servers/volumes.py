# SPDX-License-Identifier: Apache-2.0
"""A volume driver of Cinder whose volumes are sparse raw files."""

import os
from typing import Any

from cinder import interface
from cinder.volume import configuration, driver
from oslo_config import cfg
from oslo_utils import units

from localheat.process import run
from localheat.servers.images import image_format

OPTIONS = [cfg.StrOpt('localheat_folder', help='Where volumes lie.')]
cfg.CONF.register_opts(OPTIONS, group=configuration.SHARED_CONF_GROUP)


@interface.volumedriver
class Driver(driver.VolumeDriver):
    """Volumes as files; what connects one is its path."""

    VERSION = '1'
    CI_WIKI_NAME = 'none'

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.configuration.append_config_values(OPTIONS)

    @staticmethod
    def get_driver_options() -> list[cfg.Opt]:
        return OPTIONS

    def do_setup(self, context: Any) -> None:
        pass

    def check_for_setup_error(self) -> None:
        pass

    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        return {
            'volume_backend_name': 'files',
            'vendor_name': 'localheat',
            'driver_version': self.VERSION,
            'storage_protocol': 'file',
            'total_capacity_gb': 4096,
            'free_capacity_gb': 4096,
            'reserved_percentage': 0,
            'thin_provisioning_support': True,
        }

    def _path(self, item: Any) -> str:
        """Return the file of a volume or of a snapshot."""
        return os.path.join(self.configuration.localheat_folder, item.id)

    def _copy(self, source: Any, volume: Any) -> None:
        run(['cp', '--sparse=always', self._path(source), self._path(volume)], 'coreutils')
        os.truncate(self._path(volume), volume.size * units.Gi)

    def create_volume(self, volume: Any) -> None:
        with open(self._path(volume), 'wb') as stream:
            stream.truncate(volume.size * units.Gi)

    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> None:
        self._copy(snapshot, volume)

    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:
        self._copy(src_vref, volume)

    def create_snapshot(self, snapshot: Any) -> None:
        source, target = self._path(snapshot.volume), self._path(snapshot)
        run(['cp', '--sparse=always', source, target], 'coreutils')

    def delete_volume(self, volume: Any) -> None:
        if os.path.exists(self._path(volume)):
            os.unlink(self._path(volume))

    delete_snapshot = delete_volume

    def extend_volume(self, volume: Any, new_size: int) -> None:
        os.truncate(self._path(volume), new_size * units.Gi)

    def copy_image_to_volume(
        self,
        context: Any,
        volume: Any,
        image_service: Any,
        image_id: str,
        disable_sparse: bool = False,
    ) -> None:
        path = self._path(volume)
        download = path + '.image'
        try:
            with open(download, 'wb') as stream:
                image_service.download(context, image_id, stream)
            known = image_format(download)
            run(['qemu-img', 'convert', '-f', known, '-O', 'raw', download, path], 'qemu-utils')
        finally:
            os.unlink(download)
        os.truncate(path, volume.size * units.Gi)

    def ensure_export(self, context: Any, volume: Any) -> None:
        pass

    def create_export(self, context: Any, volume: Any, connector: Any) -> None:
        pass

    def remove_export(self, context: Any, volume: Any) -> None:
        pass

    def initialize_connection(self, volume: Any, connector: Any) -> dict[str, Any]:
        return {'driver_volume_type': 'local', 'data': {'device_path': self._path(volume)}}

    def terminate_connection(self, volume: Any, connector: Any, **options: Any) -> None:
        pass
