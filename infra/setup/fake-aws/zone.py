"""Makes a zone of the domain (second argument) at the endpoint (first argument), as its owner would, and prints its id."""

import sys

import boto3

endpoint, domain = sys.argv[1:]
route53 = boto3.client("route53", endpoint_url=endpoint, region_name="eu-central-1")
zone = route53.create_hosted_zone(Name=domain, CallerReference="infra-test")["HostedZone"]
print(zone["Id"].removeprefix("/hostedzone/"))
