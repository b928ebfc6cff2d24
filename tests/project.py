"""A project of a test's own: profile, cards and question files in a folder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from parallel_qa.pipeline.settings import Settings, load_settings


@dataclass
class Project:
    """A folder with a profile, cards and question files of a test's own."""

    folder: Path

    def source(self, name: str, /, articles: list[dict[str, object]], **front: object) -> None:
        """Write the SQuAD file and the card of a source."""
        (self.folder / f"{name}.json").write_text(json.dumps({"version": "1", "data": articles}), encoding="utf-8")
        self.card(name, **{"format": "squad", "files": [f"{name}.json"], "licence": "CC0-1.0", **front})

    def card(self, name: str, /, **front: object) -> Path:
        path = self.folder / f"{name}.md"
        kept = {key: value for key, value in {"name": name, "title": name, **front}.items() if value is not None}
        path.write_text(f"---\n{yaml.safe_dump(kept)}---\n# {name}\n", encoding="utf-8")
        return path

    def profile(self, **settings: object) -> Path:
        path = self.folder / "profile.yaml"
        defaults = {"name": "test", "sources": ["./questions.md"], "evaluation": [], "languages": ["de", "ar"]}
        path.write_text(yaml.safe_dump({**defaults, **settings}), encoding="utf-8")
        return path

    def settings(self, **settings: object) -> Settings:
        return load_settings(str(self.profile(**settings)))


def article(context: str, *questions: tuple[str, str], title: str = "") -> dict[str, object]:
    """A SQuAD article with one paragraph; `questions` are (question, answer)."""
    qas = [
        {
            "id": f"{hashlib.sha256(context.encode()).hexdigest()[:8]}-{number}",
            "question": question,
            "answers": [{"text": answer, "answer_start": 0}],
        }
        for number, (question, answer) in enumerate(questions)
    ]
    return {"title": title, "paragraphs": [{"context": context, "qas": qas}]}
