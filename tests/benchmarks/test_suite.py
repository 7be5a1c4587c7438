from typer.testing import CliRunner

from benchmarks import suite
from benchmarks.page import Section, benchmarks_page
from benchmarks.tables import FigureTable
from scripts import bench
from scripts.console.errors import CommandError

TABLE = FigureTable(
    "things measured", ("thing", "value"), (("one", "1"), ("two", "2")), ("Say this.", "And this.")
)


def part(command, calls):
    def measure(order):
        calls.append(command)
        if command == "broken":
            raise ArithmeticError("no luck")
        return Section(command, (TABLE,), {"value": 1.5, "missing": None}, "picture.png")

    return measure


def run(monkeypatch, tmp_path, calls, *options):
    parts = {name: part(name, calls) for name in ("first", "broken", "last")}
    for module in (suite, bench):
        monkeypatch.setattr(module, "PARTS", parts)
    page = tmp_path / "docs" / "page.md"
    outcome = CliRunner().invoke(
        bench.app, ["all", "--results", str(tmp_path / "results"), "--page", str(page), *options]
    )
    return outcome, page


def test_a_part_is_read_back_as_it_was_kept(tmp_path):
    section = Section("fediomt bench things", (TABLE,), {"value": 1.5}, None)
    section.save(tmp_path / "things.json")
    assert Section.load(tmp_path / "things.json") == section


def test_the_page_names_command_machine_and_picture():
    section = Section(
        "fediomt bench things", (TABLE,), None, "things.png", machine="an abacus", date="2026-01-02"
    )
    page = benchmarks_page([section])
    assert "`fediomt bench things`, 2026-01-02: an abacus." in page
    assert "| one | 1 |" in page
    assert "\n\nSay this.\n\nAnd this.\n\n|" in page
    assert "![things measured](things.png)" in page


def test_a_part_that_fails_loses_no_other(monkeypatch, tmp_path):
    calls = []
    outcome, page = run(monkeypatch, tmp_path, calls)
    assert isinstance(outcome.exception, CommandError)
    assert "broken" in str(outcome.exception)
    assert calls == ["first", "broken", "last"]
    assert page.read_text().count("## Things measured") == 2


def test_what_is_kept_is_not_measured_again(monkeypatch, tmp_path):
    calls = []
    run(monkeypatch, tmp_path, calls, "--only", "first")
    run(monkeypatch, tmp_path, calls, "--keep", "--only", "first,last")
    assert calls == ["first", "last"]
    outcome, _ = run(monkeypatch, tmp_path, calls, "--only", "nothing")
    assert isinstance(outcome.exception, CommandError)
