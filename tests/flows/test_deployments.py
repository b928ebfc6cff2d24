from __future__ import annotations

import yaml
from prefect.flows import load_flow_from_entrypoint

from parallel_qa.pipeline.settings import HOUSE


def test_prefect_deploys_flows_of_the_installed_package() -> None:
    content = yaml.safe_load((HOUSE / "prefect.yaml").read_text(encoding="utf-8"))
    names = []
    for deployment in content["deployments"]:
        flow = load_flow_from_entrypoint(deployment["entrypoint"], use_placeholder_flow=False)
        flow.validate_parameters(deployment["parameters"])
        assert deployment["entrypoint"].startswith("parallel_qa.flows.")
        names.append(f"{flow.name}/{deployment['name']}")
    assert names == ["refresh/nightly", "translate/nightly"]
