"""API Gateway and CloudFront."""

import copy

from moto.apigatewayv2.exceptions import DomainNameNotFound
from moto.apigatewayv2.models import ApiGatewayV2Backend, DomainName
from moto.cloudfront.models import DefaultCacheBehaviour, Origin, ViewerCertificate
from wrap import wrap


@wrap(DomainName, "to_json")
def a_finished_domain(original, self):
    """A domain of one's own never becomes available, and has no target."""
    told = copy.deepcopy(original(self))
    if not told.get("mutualTlsAuthentication"):
        told.pop("mutualTlsAuthentication", None)
    for configuration in told["domainNameConfigurations"] or []:
        configuration.setdefault("domainNameStatus", "AVAILABLE")
        configuration.setdefault("apiGatewayDomainName", f"{self.domain_name}.execute-api.amazonaws.com")
        configuration.setdefault("hostedZoneId", "ZLY8HYME6SFDD")
    return told


def delete_domain_name(self, domain_name):
    """A domain that has mappings cannot be deleted: moto changes a table while it walks it."""
    if domain_name not in self.domain_names:
        raise DomainNameNotFound
    mappings = [key for key, mapping in self.api_mappings.items() if mapping.domain_name == domain_name]
    for key in mappings:
        del self.api_mappings[key]
    del self.domain_names[domain_name]


ApiGatewayV2Backend.delete_domain_name = delete_domain_name


@wrap(Origin, "__init__")
def keep_the_access_control(original, self, origin):
    """The id of the access control is forgotten."""
    original(self, origin)
    self.origin_access_control_id = origin.get("OriginAccessControlId") or ""


@wrap(DefaultCacheBehaviour, "__init__")
def one_kind_of_caching(original, self, config):
    """Forwarded values are made up beside a cache policy."""
    original(self, config)
    if self.cache_policy_id:
        self.forwarded_values = None


@wrap(ViewerCertificate, "__init__")
def no_sni_without_a_name(original, self, config):
    """CloudFront's own certificate has no way of being chosen."""
    original(self, config)
    if str(self.cloud_front_default_certificate).lower() == "true":
        self.ssl_support_method = None
