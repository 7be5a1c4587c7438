"""How a machine runs its validators: a compose file for Podman, and what Prometheus asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from chain.besu.documents import Plain, yaml
from chain.besu.settings import PROMETHEUS_IMAGE

CONFIG_IN_CONTAINER = "/etc/besu"
DATA_IN_CONTAINER = "/var/lib/besu"
"""Not below /opt/besu, where a volume would hide the program."""

_BESU_USER = 1000


def compose(folders: Mapping[str, PurePosixPath], *, image: str) -> str:
    """A compose file of validators and one Prometheus.

    The containers share the machine's network: on loopback, JSON-RPC and metrics are then reachable from this machine
    alone, and a validator sees its peers under their own addresses, which the allowlist names. The image sets
    BESU_RPC_HTTP_HOST=0.0.0.0, and what the environment says goes before the configuration file: it is set back here.

    Args:
        folders: each validator's folder, beside the compose file, by the service's name.
        image: container image of Besu.
    """
    services: dict[str, Plain] = {
        name: {
            "image": image,
            "command": [f"--config-file={CONFIG_IN_CONTAINER}/config.toml"],
            "network_mode": "host",
            "userns_mode": f"keep-id:uid={_BESU_USER},gid={_BESU_USER}",
            "user": f"{_BESU_USER}:{_BESU_USER}",
            "environment": {
                "BESU_RPC_HTTP_HOST": "127.0.0.1",
                "BESU_RPC_WS_HOST": "127.0.0.1",
                "BESU_GRAPHQL_HTTP_HOST": "127.0.0.1",
            },
            "volumes": [
                f"{_beside(folder / 'config.toml')}:{CONFIG_IN_CONTAINER}/config.toml:ro,Z",
                f"{_beside(folder / 'genesis.json')}:{CONFIG_IN_CONTAINER}/genesis.json:ro,Z",
                f"{_beside(folder / 'data')}:{DATA_IN_CONTAINER}:Z",
            ],
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "restart": "unless-stopped",
            "stop_grace_period": "60s",
        }
        for name, folder in folders.items()
    }
    services["prometheus"] = {
        "image": PROMETHEUS_IMAGE,
        "command": [
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            "--web.listen-address=127.0.0.1:9090",
        ],
        "network_mode": "host",
        "volumes": [
            "./prometheus.yml:/etc/prometheus/prometheus.yml:ro,Z",
            "prometheus:/prometheus",
        ],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "restart": "unless-stopped",
    }
    return yaml(
        {"services": services, "volumes": {"prometheus": {}}},
        note="podman compose up -d; written by fediomt chain init",
    )


def prometheus(ports: Mapping[str, int], *, chain_id: int) -> str:
    """What Prometheus scrapes: each validator's metrics on loopback.

    Args:
        ports: of metrics, by the validator's name.
        chain_id: label of every figure.
    """
    targets: Sequence[Plain] = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"validator": name, "chain_id": str(chain_id)}}
        for name, port in ports.items()
    ]
    return yaml(
        {
            "global": {"scrape_interval": "15s", "scrape_timeout": "10s"},
            "scrape_configs": [
                {"job_name": "besu", "metrics_path": "/metrics", "scheme": "http", "static_configs": targets}
            ],
        },
        note="Besu's metrics; written by fediomt chain init",
    )


def _beside(path: PurePosixPath) -> str:
    return f"./{path}"
