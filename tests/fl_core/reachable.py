"""What a Python object still holds: for tests that a secret is gone."""

import gc
import types


def reachable(root):
    """Every object that can be reached from `root`, short of modules, classes and functions."""
    seen, queue = {}, [root]
    while queue:
        thing = queue.pop()
        if id(thing) in seen or isinstance(thing, types.ModuleType | type | types.FunctionType):
            continue
        seen[id(thing)] = thing
        queue.extend(gc.get_referents(thing))
    return list(seen.values())


def held(root):
    """Every bytes object that can be reached from `root`."""
    return {thing for thing in reachable(root) if isinstance(thing, bytes)}
