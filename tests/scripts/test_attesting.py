"""A hospital that attests decodes qualities by itself, and does not look up what whoever entered them had decoded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scripts.federation import contributions
from scripts.federation.offline import offline_run
from scripts.federation.settings import RunSettings
from scripts.federation.verify import RoundRejectedError

SETTINGS = RunSettings(hospitals=4, devices=6, rounds=1, cohort_size=4, k_min=3, seed=5)


def test_what_only_the_entering_side_decoded_is_not_attested(tmp_path, monkeypatch):
    honest, seen = contributions.effects, set()

    def wrong_at_first(history, settings):
        """Whoever decodes first gets one device wrong, everybody after it none."""
        found = honest(history, settings)
        if history and history not in seen:
            seen.add(history)
            worst = min(found)
            return {**found, worst: replace(found[worst], mean=found[worst].mean - 3)}
        return found

    contributions.forget_decoded()
    monkeypatch.setattr(contributions, "effects", wrong_at_first)
    with pytest.raises(RoundRejectedError, match="quality"):
        offline_run(SETTINGS, "run", tmp_path / "run").train()
    contributions.forget_decoded()


def test_the_same_run_is_attested_where_all_decode_alike(tmp_path):
    run = offline_run(SETTINGS, "run", tmp_path / "run")
    run.train()
    assert run.state.status == "complete"
