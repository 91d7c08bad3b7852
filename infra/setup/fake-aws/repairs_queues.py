"""SQS."""

import json

from moto.sqs.models import Queue, SQSBackend
from wrap import wrap, wrap_property

ALLOW = "RedriveAllowPolicy"


@wrap(Queue, "_set_attributes")
def keep_what_is_set(original, self, attributes, *args, **kwargs):
    """RedriveAllowPolicy is not stored, and Policy is lost when anything else is set."""
    policy = getattr(self, "policy", None)
    original(self, attributes, *args, **kwargs)
    if "Policy" not in attributes:
        self.policy = policy
    if ALLOW in attributes:
        self.redrive_allow_policy = attributes[ALLOW]


@wrap_property(Queue, "attributes")
def as_it_was_given(attributes, _queue):
    """RedrivePolicy comes back with spaces that nobody wrote."""
    if attributes.get("RedrivePolicy"):
        policy = json.loads(attributes["RedrivePolicy"])
        attributes["RedrivePolicy"] = json.dumps(policy, separators=(",", ":"))
    return attributes


@wrap(SQSBackend, "get_queue_attributes")
def tell_the_allow_policy(original, self, queue_name, attribute_names):
    """RedriveAllowPolicy is refused as an unknown name."""
    names = list(attribute_names or [])
    others = [name for name in names if name != ALLOW]
    told = original(self, queue_name, others) if others or not names else {}
    policy = getattr(self.get_queue(queue_name), "redrive_allow_policy", None)
    if policy and (ALLOW in names or "All" in names):
        told[ALLOW] = policy
    return told
