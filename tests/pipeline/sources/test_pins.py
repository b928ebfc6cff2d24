from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.settings import HOUSE
from parallel_qa.pipeline.sources.pins import read_pins, shipped, write_pin

ONE, TWO = "1a" * 20, "2b" * 20


def test_pins_stand_beside_a_profile_sorted_and_without_a_date(tmp_path: Path) -> None:
    assert read_pins(tmp_path) == {}
    assert write_pin(tmp_path, "squad", ONE) == tmp_path / "pins.yaml"
    write_pin(tmp_path, "mlqa", TWO)
    assert read_pins(tmp_path) == {"mlqa": TWO, "squad": ONE}
    lines = (tmp_path / "pins.yaml").read_text().splitlines()
    assert lines[0].startswith("# ") and lines[1:] == [f"mlqa: {TWO}", f"squad: {ONE}"]
    (tmp_path / "other").mkdir()
    write_pin(tmp_path / "other", "mlqa", TWO)
    write_pin(tmp_path / "other", "squad", ONE)
    assert (tmp_path / "other/pins.yaml").read_bytes() == (tmp_path / "pins.yaml").read_bytes()
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["pins.yaml"]


@pytest.mark.parametrize("commit", ["1" * 40, "0" * 40, "0" + "7" * 39])
def test_a_commit_that_looks_like_a_number_is_read_as_it_was_written(tmp_path: Path, commit: str) -> None:
    write_pin(tmp_path, "squad", commit)
    assert read_pins(tmp_path) == {"squad": commit}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- squad\n", "it maps names of cards to commits: remove it and run 'parallel-qa sources pin' again"),
        ("squad: main\n", "squad: 'main' is no commit: give its 40 hexadecimal digits"),
        (f"squad: {ONE[:12]}\n", f"squad: '{ONE[:12]}' is no commit"),
        ("squad: 7\n", "squad: Input should be a valid string"),
        ("squad: [\n", "cannot be read as YAML"),
    ],
)
def test_a_damaged_file_is_named_with_its_remedy(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "pins.yaml").write_text(content)
    for attempt in (lambda: read_pins(tmp_path), lambda: write_pin(tmp_path, "mlqa", TWO)):
        with pytest.raises(UserError) as error:
            attempt()
        assert str(error.value).startswith(f"{tmp_path / 'pins.yaml'}: {message}")
    assert (tmp_path / "pins.yaml").read_text() == content


def test_an_empty_file_pins_nothing(tmp_path: Path) -> None:
    (tmp_path / "pins.yaml").write_text("# none yet\n")
    assert read_pins(tmp_path) == {}


@pytest.mark.parametrize("folder", ["/proc", "absent"])
def test_where_nothing_can_be_written_the_line_is_named(tmp_path: Path, folder: str) -> None:
    if folder == "/proc" and not Path("/proc/self").is_dir():
        pytest.skip("this system has no /proc, where nobody can write")
    with pytest.raises(UserError, match=rf"pins\.yaml: cannot be written \(.+\): run this where the .*line 'squad: {ONE}' there yourself"):
        write_pin(tmp_path / folder, "squad", ONE)


def test_profiles_and_cards_that_come_with_the_project_are_told_from_the_users(tmp_path: Path) -> None:
    assert shipped(HOUSE / "profiles") and shipped(HOUSE / "data_cards/squad.md") and shipped(HOUSE / "docs/../profiles/nllb.yaml")
    assert not shipped(tmp_path) and not shipped(HOUSE) and not shipped(HOUSE / "my-card.md")
    (tmp_path / "cards").symlink_to(HOUSE / "data_cards")
    assert shipped(tmp_path / "cards/squad.md")


def test_the_file_is_yaml_that_people_can_edit(tmp_path: Path) -> None:
    (tmp_path / "pins.yaml").write_text(yaml.safe_dump({"squad": ONE}))
    write_pin(tmp_path, "squad", TWO)
    assert read_pins(tmp_path) == {"squad": TWO}
