"""RDS, ElastiCache and S3."""

import inspect

from moto.core.responses import EmptyResult
from moto.elasticache.models import ElastiCacheBackend
from moto.elasticache.responses import ElastiCacheResponse
from moto.rds.models import DBParameterGroup, RDSBackend
from moto.s3.models import FakeDeleteMarker
from wrap import wrap

# Deleting a version that is itself a deletion fails.
FakeDeleteMarker.dispose = lambda self, garbage=False: None


@wrap(DBParameterGroup, "update_parameters")
def parameters_of_people(original, self, new_parameters):
    """A parameter that somebody set must come back as set by a user, or nobody can list it."""
    given = list(new_parameters)
    original(self, given)
    for parameter in given:
        self.parameters[parameter["ParameterName"]]["Source"] = "user"


MEMBER_FIELDS = [name for name in inspect.signature(ElastiCacheBackend.create_cache_cluster).parameters if name != "self"]


def make_member(backend, group, member_id, given):
    """One node of a replication group."""
    fields = dict.fromkeys(MEMBER_FIELDS)
    fields.update({name: given.get(name) for name in MEMBER_FIELDS if given.get(name) is not None})
    fields.update(
        cache_cluster_id=member_id,
        replication_group_id=group.replication_group_id,
        auto_minor_version_upgrade=True,
        log_delivery_configurations=[],
        tags=[],
    )
    member = backend.create_cache_cluster(**fields)
    member.at_rest_encryption_enabled = bool(given.get("at_rest_encryption_enabled"))
    groups = given.get("security_group_ids") or []
    member.security_groups = [{"security_group_id": group_id, "status": "active"} for group_id in groups]


@wrap(ElastiCacheBackend, "create_replication_group")
def create_with_members(original, self, *args, **given):
    """The nodes that the group lists do not exist, and their number is wrong."""
    nodes = given.get("num_cache_clusters") or 1
    given["replicas_per_node_group"] = given.get("replicas_per_node_group") or nodes - 1
    group = original(self, *args, **given)
    for member_id in group.member_clusters:
        make_member(self, group, member_id, given)
    return group


@wrap(ElastiCacheBackend, "delete_replication_group")
def delete_with_members(original, self, *args, **kwargs):
    """The group stays in deletion for ever."""
    group = original(self, *args, **kwargs)
    for member_id in group.member_clusters:
        self.cache_clusters.pop(member_id, None)
    self.replication_groups.pop(group.replication_group_id, None)
    return group


def delete_cache_subnet_group(self):
    """Not there at all."""
    self.elasticache_backend.cache_subnet_groups.pop(self._get_param("CacheSubnetGroupName"), None)
    return EmptyResult()


ElastiCacheResponse.delete_cache_subnet_group = delete_cache_subnet_group


# What CreateDBInstance is told and forgets.
OF_AN_INSTANCE = {
    "EnablePerformanceInsights": "performance_insights_enabled",
    "PerformanceInsightsKMSKeyId": "performance_insights_kms_key_id",
}


@wrap(RDSBackend, "create_db_instance")
def remember_the_insights(original, self, given):
    """Performance Insights stay off, whatever was asked for."""
    instance = original(self, given)
    for name, kept in OF_AN_INSTANCE.items():
        if name in given:
            setattr(instance, kept, given[name])
    return instance
