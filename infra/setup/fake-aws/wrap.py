"""Wrapping a method of moto by one of ours."""


def wrap(owner, name):
    """Replaces `owner.name` by the decorated function, which gets the original as its first argument."""

    def decorate(repair):
        original = getattr(owner, name)
        setattr(owner, name, lambda *args, **kwargs: repair(original, *args, **kwargs))
        return repair

    return decorate


def wrap_property(owner, name):
    """The same for a property: the decorated function gets what the property says, and the object."""

    def decorate(repair):
        original = getattr(owner, name).fget
        setattr(owner, name, property(lambda self: repair(original(self), self)))
        return repair

    return decorate
