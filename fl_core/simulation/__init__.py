"""Simulated devices: how honest and dishonest ones behave."""

from fl_core.simulation.behaviours import Behaviour, labels_as_used, update_as_sent

__all__ = ["Behaviour", "labels_as_used", "update_as_sent"]
