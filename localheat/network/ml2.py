# SPDX-License-Identifier: Apache-2.0
"""A mechanism driver of Neutron's ML2 plug-in that binds each port at once.

Without an agent that reports a port's wiring, ports would stay DOWN and unbound, and Nova refuses a
server whose port's binding failed.
"""

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class MechanismDriver(api.MechanismDriver):  # type: ignore[misc]
    """Binds ports to the first segment of their network."""

    def initialize(self) -> None:
        pass

    @property
    def connectivity(self) -> str:
        return str(portbindings.CONNECTIVITY_L2)

    def bind_port(self, context: api.PortContext) -> None:
        segment = context.segments_to_bind[0]
        details = {
            portbindings.CAP_PORT_FILTER: True,
            portbindings.VIF_DETAILS_CONNECTIVITY: self.connectivity,
        }
        # "ovs" is what network_data.json says in most clouds
        context.set_binding(
            segment[api.ID],
            portbindings.VIF_TYPE_OVS,
            details,
            status=constants.PORT_STATUS_ACTIVE,
        )
