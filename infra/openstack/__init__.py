"""The adapter of OpenStack: implements `models.ports.Cloud` with openstacksdk and keystoneauth.

    cloud = OpenStackCloud(open_access(environment, on_request), clock, CloudCalls(…))
    cloud.check_project(settings.project)

`access` finds credentials and endpoints, `transport` sends within a deadline and counts, `reads`
asks again, `translation` turns foreign errors into ours, `answers` decodes, `offers` keeps what
changes seldom, `cloud` is the port.
"""

from infra.openstack.access import Access, open_access
from infra.openstack.cloud import CloudCalls, OpenStackCloud

__all__ = ["Access", "CloudCalls", "OpenStackCloud", "open_access"]
