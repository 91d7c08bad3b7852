"""EC2, ECS and load balancers."""

from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.elbv2.models import ELBv2Backend, FakeLoadBalancer
from wrap import wrap, wrap_property


def description(rule):
    """The description of a rule that names a group instead of addresses is lost."""
    for source in (rule.ip_range, getattr(rule, "source_group", None)):
        if source and source.get("Description"):
            return source["Description"]
    return None


SecurityGroupRule.description = property(description)

# What CreateService is told and forgets.
OF_A_SERVICE = {
    "availabilityZoneRebalancing": "availability_zone_rebalancing",
    "deploymentConfiguration": "deployment_configuration",
    "enableExecuteCommand": "enable_execute_command",
    "healthCheckGracePeriodSeconds": "health_check_grace_period_seconds",
}


@wrap(EC2ContainerServiceResponse, "create_service")
def remember_the_service(original, self):
    """Half of what makes a service is not there when it is read."""
    answer = original(self)
    result = getattr(answer, "result", None) or answer._result
    for given, kept in OF_A_SERVICE.items():
        value = self._get_param(given)
        if value is not None:
            setattr(result["service"], kept, value)
    return answer


@wrap(ELBv2Backend, "create_load_balancer")
def remember_the_addresses(original, self, *args, **given):
    """A load balancer with fixed addresses comes back without them."""
    balancer = original(self, *args, **given)
    mappings = given.get("subnet_mappings") or []
    balancer.fixed_addresses = {one["SubnetId"]: one["AllocationId"] for one in mappings if "AllocationId" in one}
    return balancer


@wrap_property(FakeLoadBalancer, "availability_zones")
def tell_the_addresses(zones, balancer):
    """The other half of it."""
    for zone in zones:
        allocation = getattr(balancer, "fixed_addresses", {}).get(zone.subnet_id)
        if allocation:
            zone.load_balancer_addresses = [{"AllocationId": allocation}]
    return zones
