from __future__ import annotations

from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.planning.stages import filter_texts, prepare, translate
from parallel_qa.pipeline.store import Store
from tests.project import Project, article


def test_lines_are_translated_apart_and_come_back_with_the_breaks_between_them(project: Project, store: Store) -> None:
    text = "<h2>The river</h2><p>The river Aldo is 740 kilometres long. 1642.</p>\n<ul><li>1234</li><li>5.5 km/h</li></ul>"
    project.source("questions", [article(text, ("How long is the river Aldo?", "740"), title="<p>Aldo</p>1642")])
    settings = project.settings(languages=["de"], cleaning={"language": False})
    for stage in (prepare, translate, filter_texts):
        stage(settings, store)
    [passages] = [shard for shard in Plan(settings, store).scored_shards if shard.table == "passages"]
    [english] = passages.english(store).to_pylist()
    assert english["title"] == "Aldo\n\n1642"
    assert english["text"] == "The river\n\nThe river Aldo is 740 kilometres long. 1642.\n\n1234\n5.5 km/h"
    [row] = passages.read(store).to_pylist()
    lines = row["text"].split("\n")
    assert [bool(line) for line in lines] == [True, False, True, False, True, True]
    assert lines[2].endswith(". 1642.") and "740 Kilometer" in lines[2]
    assert lines[4] == "1234"
    assert row["title"].split("\n")[1:] == ["1642"]
    assert row["back_translation"].split("\n")[-2] == "1234"
