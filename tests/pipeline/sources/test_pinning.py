from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.settings import EVALUATION, HOUSE, Settings, load_settings
from parallel_qa.pipeline.sources.card import Card, find_card, load_card, read_card
from parallel_qa.pipeline.sources.evaluation import evaluation_cards
from parallel_qa.pipeline.sources.fetching import identity, local_files
from parallel_qa.pipeline.sources.pinning import check_pinned, commit_in, pin, revision_of, single_commit, unpinned
from parallel_qa.pipeline.sources.pins import write_pin
from parallel_qa.pipeline.sources.training import training_sources
from tests.project import Project

COMMIT = "5a" * 20
RAW = "https://raw.githubusercontent.com/owner/repo"


@pytest.mark.parametrize(
    "address",
    [
        f"{RAW}/{COMMIT}/data/en.json",
        f"{RAW}/{COMMIT}/en.json?token=secret",
        f"{RAW}/main/../{COMMIT}/en.json",
        f"https://RAW.githubusercontent.com:443/owner/repo/{COMMIT}/en.json",
        f"https://media.githubusercontent.com/media/owner/repo/{COMMIT}/en.parquet",
        f"https://github.com/owner/repo/raw/{COMMIT}/data/en.json",
        f"https://huggingface.co/datasets/owner/repo/resolve/{COMMIT}/en.json",
        f"https://huggingface.co/owner/repo/raw/{COMMIT}/en.json",
        f"https://gitlab.com/group/subgroup/repo/-/raw/{COMMIT}/en.json",
        f"https://git.example.org/group/repo/-/raw/{COMMIT}/en.json?ref_type=heads",
        f"https://bitbucket.org/owner/repo/raw/{COMMIT}/en.json",
        f"https://codeberg.org/owner/repo/raw/commit/{COMMIT}/en.json",
        f"https://github.example.org/owner/repo/raw/{COMMIT}/en.json",
        f"http://mirror.example.org/datasets/owner/repo/resolve/{COMMIT}/en.json",
    ],
)
def test_an_address_that_names_a_commit_is_pinned(address: str) -> None:
    assert commit_in(address) == COMMIT


@pytest.mark.parametrize(
    "address",
    [
        f"{RAW}/main/data/en.json",
        f"{RAW}/refs/heads/main/en.json",
        f"{RAW}/v1.0/en.json",
        f"{RAW}/{COMMIT[:12]}/en.json",
        f"{RAW}/{COMMIT.upper()}/en.json",
        f"{RAW}/{COMMIT}0/en.json",
        f"{RAW}/main/{COMMIT}/en.json",
        f"{RAW}/refs/heads/{COMMIT}/en.json",
        f"{RAW}/{COMMIT}/../main/en.json",
        f"{RAW}//main/en.json",
        f"{RAW}/main/raw/{COMMIT}/en.json",
        f"{RAW}/main/en.json?ref={COMMIT}",
        f"{RAW}/main/en.json#/{COMMIT}/",
        f"https://github.com/owner/repo/raw/main/{COMMIT}/en.json",
        f"https://github.com/owner/repo/raw/main/raw/{COMMIT}/en.json",
        "https://huggingface.co/datasets/owner/repo/resolve/refs%2Fconvert%2Fparquet/en.json",
        "https://gitlab.com/group/subgroup/repo/-/raw/main/en.json",
        f"https://gitlab.com/group/repo/-/raw/main/raw/{COMMIT}/en.json",
        f"https://codeberg.org/owner/repo/raw/branch/{COMMIT}/en.json",
        "https://bitbucket.org/owner/repo/raw/master/en.json",
    ],
)
def test_an_address_that_names_a_branch_or_tag_is_not(address: str) -> None:
    assert commit_in(address) is None
    assert revision_of(address) is not None


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/data/raw/2024/en.json",
        f"https://example.org/{COMMIT}/en.json",
        f"https://example.org/?next={RAW}/main/en.json",
        "https://nlp.cs.princeton.edu/projects/entity-questions/dataset.zip",
        "s3://bucket/owner/repo/main/en.json",
        "raw.githubusercontent.com/owner/repo/main/en.json",
        "questions/main/raw/en.json",
    ],
)
def test_other_addresses_and_paths_name_no_revision(address: str) -> None:
    assert revision_of(address) is None


@given(st.text(), st.text(alphabet="/abc0123456789.%?#:@-", max_size=60))
def test_any_address_can_be_asked(text: str, path: str) -> None:
    for address in (text, f"https://{text}", f"{RAW}/{path}", f"https://{path}"):
        found = commit_in(address)
        assert found is None or found in address


def raw_card(project: Project, address: str, **front: object) -> Card:
    project.card("questions", format="squad", files=[address], licence="MIT", **front)
    return load_card(project.settings(), "./questions.md")


def test_a_branch_is_refused_before_anything_is_asked_for_and_a_checksum_mends_it(project: Project) -> None:
    address = f"{RAW}/main/en.json"
    card = raw_card(project, f"{address}?token=secret")
    message = (
        rf"questions\.md: file '{re.escape(address)}' is that of a branch or tag, which may change: put a commit .* or give .*`sha256`"
    )
    for attempt in (check_pinned, identity, lambda card: list(local_files(card, card))):
        with pytest.raises(UserError, match=message) as error:
            attempt(card)
        assert "secret" not in str(error.value)
    card = raw_card(project, address, sha256={address: "0" * 64})
    assert unpinned(card) == [] and single_commit(card) is None
    assert identity(card)["files"] == {address: "0" * 64}


def test_a_pinned_address_is_known_by_itself_without_a_server(project: Project) -> None:
    address = f"{RAW}/{COMMIT}/en.json"
    card = raw_card(project, address)
    assert (unpinned(card), single_commit(card)) == ([], COMMIT)
    assert identity(card) == identity(raw_card(project, address))
    other = raw_card(project, f"{RAW}/{COMMIT}/de/en.json")
    assert identity(other)["files"].popitem()[1] != identity(card)["files"].popitem()[1]  # one commit, two files of one name


def test_translations_from_a_branch_are_seen(project: Project) -> None:
    tables = {name: {"files": [f"{RAW}/{COMMIT}/{name}.tsv"]} for name in ("queries", "passages")}
    links = {"files": [f"{RAW}/{COMMIT}/links.tsv"], "query": "q", "passage": "p"}
    names = {"queries": f"{RAW}/main/{{}}.tsv", "passages": f"{RAW}/{COMMIT}/{{}}.tsv", "languages": {"de": "german"}}
    project.card("questions", licence="MIT", **tables, links=links, translations=names)
    assert unpinned(load_card(project.settings(), "./questions.md")) == [f"{RAW}/main/german.tsv"]


@pytest.mark.parametrize("profile", sorted((HOUSE / "profiles").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_profile_runs_without_a_command_before_it(profile: Path) -> None:
    settings = load_settings(profile.stem)
    cards = [source.card for source in training_sources(settings)] + evaluation_cards(settings)
    assert [card.name for card in cards if unpinned(card)] == []
    for card in cards:
        if card.name != "entity-questions":  # its server alone knows its version
            identity(card)


def test_the_usual_evaluation_sets_have_a_commit_each() -> None:
    cards = evaluation_cards(Settings(name="test", sources=["sample-qa"], languages=["de"]))
    assert len(cards) == len(EVALUATION)
    commits = {card.name: single_commit(card) for card in cards}
    assert None not in commits.values()
    assert (commits["squadshifts"], commits["mlqa-r"], commits["xquad-r"]) == (
        "b7cc4d50af791c36c49417fb94dd739d6a9e7bef",
        "354d67d1cd066854cdfbf5ad0e6105528976141d",
        "9bc8c7fb6dd8d01d72a05a93c2cb96882b0d299c",
    )


def test_a_pin_beside_the_profile_is_what_is_read(project: Project) -> None:
    settings = project.settings()
    with pytest.raises(UserError) as error:
        identity(load_card(settings, "mlqa"))
    assert str(error.value) == (
        f"{HOUSE}/data_cards/mlqa.md: hub.revision: 'refs/convert/parquet' may change; a run needs a commit: "
        f"'parallel-qa sources pin mlqa --profile {project.folder}' finds it and writes it into pins.yaml there"
    )
    write_pin(project.folder, "mlqa", COMMIT)
    card = load_card(settings, "mlqa")
    assert (single_commit(card), unpinned(card)) == (COMMIT, [])
    first = identity(card)
    write_pin(project.folder, "mlqa", "6b" * 20)
    assert identity(load_card(settings, "mlqa")) != first
    assert unpinned(load_card(load_settings("sample"), "mlqa")) == ["facebook/mlqa"]  # another profile's folder


def test_a_pin_goes_before_the_commit_of_the_card_and_leaves_a_card_of_the_same_name_alone(project: Project) -> None:
    write_pin(project.folder, "squad", COMMIT)
    assert single_commit(load_card(project.settings(), "squad")) == COMMIT
    (project.folder / "squad.md").write_text((HOUSE / "data_cards/squad.md").read_text())
    assert single_commit(load_card(project.settings(), "./squad.md")) == "7b6d24c440a36b6815f21b70d25016731768db1f"


def test_a_pin_of_a_card_without_a_repository_is_refused(project: Project) -> None:
    write_pin(project.folder, "squadshifts", COMMIT)
    with pytest.raises(UserError, match=r"pins\.yaml: squadshifts: the card reads no hub repository: .* remove the line"):
        load_card(project.settings(), "squadshifts")


def test_a_pin_of_no_card_is_named(project: Project) -> None:
    write_pin(project.folder, "mlqaa", COMMIT)
    with pytest.raises(UserError, match=r"pins\.yaml: mlqaa: no such card comes with the project: did you mean 'mlqa'\?"):
        load_card(project.settings(), "mlqa")
    load_card(project.settings(), str(project.card("own", files=["a.jsonl"], licence="MIT", rows={"query": "q", "passage": "p"})))


def test_nothing_is_written_into_the_installation() -> None:
    before = {path: path.read_bytes() for folder in ("profiles", "data_cards") for path in (HOUSE / folder).iterdir()}
    for card in (
        find_card("mlqa", HOUSE / "profiles"),
        read_card(HOUSE / "data_cards/mlqa.md"),
        find_card("mlqa.md", HOUSE / "data_cards"),
    ):
        with pytest.raises(UserError, match=r"belongs to the installation, .* there, 'parallel-qa sources pin mlqa --profile \.'"):
            pin(card)
        with pytest.raises(
            UserError, match=r"copy the profile to a folder of your own; there, 'parallel-qa sources pin mlqa --profile \.'"
        ):
            check_pinned(card)
    assert {path: path.read_bytes() for folder in ("profiles", "data_cards") for path in (HOUSE / folder).iterdir()} == before


def test_a_card_without_a_repository_has_nothing_to_pin(project: Project) -> None:
    with pytest.raises(UserError, match=r"squadshifts\.md: only a card with a `hub` repository has a revision to pin"):
        pin(load_card(project.settings(), "squadshifts"))
