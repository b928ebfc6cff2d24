"""The Croissant metadata of a release (mlcommons.org/croissant/1.0): what machines read of the dataset card."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.languages import LANGUAGES
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
    """The metadata for a release whose `manifest` lists its tables; one record set a file, with the columns of its table."""
    files = {file: facts for file, facts in manifest["files"].items() if file.endswith(".parquet")}
    sources = ", ".join(_title_with_languages(manifest, source) for source in manifest["sources"])
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "version": f"1.0.0+{manifest['version'].rpartition('-')[2]}",
        "description": f"Parallel questions and passages in {len(manifest['languages'])} languages, translated from: {sources}.",
        "license": manifest["licence"],
        "inLanguage": [LANGUAGES.find(code).tag for code in manifest["languages"]],
        "url": next((facts["homepage"] for facts in manifest["sources"].values() if facts["homepage"]), "https://example.org"),
        "citeAs": "\n\n".join(facts["citation"] for facts in manifest["sources"].values() if facts["citation"]),
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": file,
                "name": file,
                "contentUrl": file,
                "encodingFormat": "application/x-parquet",
                "contentSize": f"{facts['bytes']} B",
                "sha256": facts["sha256"],
            }
            for file, facts in files.items()
        ],
        "recordSet": [_record_set(file) for file in files],
    }


def _title_with_languages(manifest: dict[str, Any], source: str) -> str:
    """The title of a source, and its languages where they are not those of the release."""
    facts = manifest["sources"][source]
    names = ", ".join(LANGUAGES.find(code).name for code in languages_of(manifest, source))
    return f"{facts['title']} ({names} only)" if facts.get("not_translated") else facts["title"]


def _record_set(file: str) -> dict[str, Any]:
    name = file.removesuffix(".parquet").replace("/", "-")
    table = file.split("/")[0]
    columns = {"pairs": schema.RELEASED_PAIRS, "rejected": schema.REJECTED_TEXTS}.get(table) or schema.released_texts(table)
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "field": [_field(name, file, column) for column in columns]}


def _field(record_set: str, file: str, column: pa.Field) -> dict[str, Any]:
    repeated = pa.types.is_list(column.type)
    kind = column.type.value_type if repeated else column.type
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{column.name}",
        "name": column.name,
        "dataType": "sc:Integer" if pa.types.is_integer(kind) else "sc:Float" if pa.types.is_floating(kind) else "sc:Text",
        **({"repeated": True} if repeated else {}),
        "source": {"fileObject": {"@id": file}, "extract": {"column": column.name}},
    }
