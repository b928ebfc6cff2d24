"""The Croissant metadata of a release (mlcommons.org/croissant/1.0): what machines read of the dataset card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES
from parallel_qa.pipeline.release.layout.columns import TABLES, Column, columns
from parallel_qa.pipeline.release.layout.manifest import languages_of

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def croissant(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    """The metadata for a release with this `manifest`: a set of files and a record set for each table and language.

    The file sets lie in the folder of the metadata, in no container; checksums are in the manifest. The data set has no address that a
    release would know, so none is given.
    """
    sources = ", ".join(_title_with_languages(manifest, source) for source in manifest["sources"])
    tables = list(_tables(manifest["languages"]))
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "version": f"1.0.0+{manifest['version'].rpartition('-')[2]}",
        "description": f"Parallel questions and passages in {len(manifest['languages'])} languages, translated from: {sources}.",
        "license": manifest["licence"],
        "inLanguage": [LANGUAGES.find(code).tag for code in manifest["languages"]],
        "citeAs": "\n\n".join(facts["citation"] for facts in manifest["sources"].values() if facts["citation"]),
        "distribution": [_file_set(name, files) for _, name, files in tables],
        "recordSet": [_record_set(table, name) for table, name, _ in tables],
    }


def _tables(languages: list[str]) -> Iterator[tuple[str, str, str]]:
    """Each table in each language that it is in: which table, its name there, as in the card, and its files."""
    for table in TABLES:
        if table == "pairs":
            yield table, table, f"{table}/*.parquet"
            continue
        for code in languages:
            if table != "rejected":
                yield table, f"{table}-{code}", f"{table}/{code}/*.parquet"
            elif code != ENGLISH.code:
                yield table, f"{table}-{code}", f"{table}/{code}/*/*.parquet"


def _title_with_languages(manifest: dict[str, Any], source: str) -> str:
    """The title of a source, and its languages where they are not those of the release."""
    facts = manifest["sources"][source]
    names = ", ".join(LANGUAGES.find(code).name for code in languages_of(manifest, source))
    return f"{facts['title']} ({names} only)" if facts.get("not_translated") else facts["title"]


def _file_set(name: str, files: str) -> dict[str, Any]:
    own = f"{name}-files"
    return {"@type": "cr:FileSet", "@id": own, "name": own, "encodingFormat": "application/x-parquet", "includes": files}


def _record_set(table: str, name: str) -> dict[str, Any]:
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "field": [_field(name, column) for column in columns(table)]}


def _field(record_set: str, column: Column) -> dict[str, Any]:
    repeated = pa.types.is_list(column.type)
    kind = column.type.value_type if repeated else column.type
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{column.name}",
        "name": column.name,
        "description": column.description,
        "dataType": "sc:Integer" if pa.types.is_integer(kind) else "sc:Float" if pa.types.is_floating(kind) else "sc:Text",
        **({"repeated": True} if repeated else {}),
        "source": {"fileSet": {"@id": f"{record_set}-files"}, "extract": {"column": column.name}},
    }
