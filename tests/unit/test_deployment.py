"""What the files for Docker and Kubernetes promise; linters say whether they are well-formed."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import yaml

from jarvis.settings import Settings, WrongSettings, load

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy/kubernetes"
BIN = Path(sys.executable).parent
PORT = Settings().port
STOPS_WITHIN_S = Settings().drain_delay_secs + Settings().drain_secs + 5
SETTINGS = {field.name.upper() for field in msgspec.structs.fields(Settings)}
NOT_OURS = {"PATH", "HOME", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
"""What the image tells Python and the system, not Jarvis."""
PARTS = {"redis": "REDIS_URL", "qdrant": "QDRANT_URL"}
"""Services in a network of Jarvis' own, and what it is told their addresses by."""

INSTRUCTION = re.compile(r"^([A-Z]+) (.+)$", re.MULTILINE)
VARIABLE = re.compile(r"\$\{([A-Z_]+):-([^}]*)\}")
DIRECT = re.compile(r"^[a-z0-9-]+")

Json = dict[str, Any]


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions without comments and with their lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    return INSTRUCTION.findall(re.sub(r"\\\n\s*", "", text))


def image() -> dict[str, str]:
    """Return the instructions of the last stage, the last of each kind."""
    every = instructions()
    last_stage = max(index for index, (name, _) in enumerate(every) if name == "FROM")
    return dict(every[last_stage:])


def image_environment() -> dict[str, str]:
    return dict(re.findall(r"(\w+)=(\S+)", image()["ENV"]))


def services() -> dict[str, Json]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def mounts(service: str) -> list[str | Json]:
    return services()[service].get("volumes", [])


def compose_environment() -> dict[str, str]:
    """Return what Jarvis is told where no `.env` says otherwise."""
    told: dict[str, str] = services()["jarvis"]["environment"]
    return {name: VARIABLE.sub(r"\2", value) for name, value in told.items()}


def manifest(kind: str) -> Json:
    [found] = [one for one in manifests() if one["kind"] == kind]
    return found


def manifests() -> list[Json]:
    return [yaml.safe_load((KUBERNETES / name).read_text()) for name in resources()]


def resources() -> list[str]:
    return yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["resources"]


def pod() -> Json:
    return manifest("Deployment")["spec"]["template"]["spec"]


def container() -> Json:
    [only] = pod()["containers"]
    return only


def pod_environment() -> dict[str, str]:
    """Return what Jarvis is told, with a likely secret."""
    secret = "postgresql://jarvis:secret@postgresql/jarvis"
    return {entry["name"]: entry.get("value", secret) for entry in container()["env"]}


def seconds(duration: str) -> float:
    number, unit = re.fullmatch(r"(\d+)([sm])", duration, re.ASCII).groups()  # pyright: ignore[reportOptionalMemberAccess] - a None fails the test as well
    return int(number) * {"s": 1, "m": 60}[unit]


def pins(lock: str) -> set[str]:
    return set(re.findall(r"^[a-z0-9-]+==\S+", (ROOT / lock).read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    "command",
    [
        pytest.param([BIN / "hadolint", "--failure-threshold", "style", "Dockerfile"], id="hadolint"),
        pytest.param(
            [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
            id="compose-specification",
        ),
        pytest.param(
            [BIN / "kubernetes-validate", "--strict", *(KUBERNETES / name for name in resources())],
            id="kubernetes-validate",
        ),
    ],
)
def test_linters_have_nothing_to_say(command: list[str | Path]) -> None:
    linter = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert linter.returncode == 0, linter.stdout + linter.stderr


def test_the_image_stops_on_sigterm_and_is_nobody() -> None:
    told = image()
    assert told["STOPSIGNAL"] == "SIGTERM"
    # Exec form: a shell in between would keep the signal for itself.
    assert json.loads(told["ENTRYPOINT"]) + json.loads(told["CMD"]) == ["jarvis", "serve"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", told["USER"])
    assert told["EXPOSE"] == str(PORT)
    assert json.loads(told["HEALTHCHECK"].partition("CMD ")[2])[:2] == ["python", "-c"]


def test_the_image_alone_does_not_trust_the_network() -> None:
    with pytest.raises(WrongSettings, match="JWT_SECRET_KEY"):
        load(image_environment())
    assert not load(image_environment() | {"TRUST_NETWORK": "true"}).on_loopback
    assert load(image_environment() | {"JWT_SECRET_KEY": "k" * 32}).signs_in


def test_what_the_image_copies_is_let_through_and_is_all_the_wheel_needs() -> None:
    copied = {
        source
        for name, words in instructions()
        if name == "COPY" and not words.startswith("--from")
        for source in words.split()[:-1]
    }
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert copied == {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert [source for source in copied if not (ROOT / source).exists()] == []
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, wheel = pyproject["project"], pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {project["readme"], *project["license-files"], *wheel["only-include"]} < copied


def test_the_images_lock_is_the_base_install_and_what_builds_it() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*pyproject["project"]["dependencies"], *pyproject["dependency-groups"]["build"]]
    held = pins("requirements-server.lock")
    assert {DIRECT.findall(line)[0] for line in wanted} <= {pin.partition("==")[0] for pin in held}
    assert held <= pins("requirements.lock")
    embedded = pyproject["project"]["optional-dependencies"]["embedded"]
    assert {DIRECT.findall(line)[0] for line in embedded} & {pin.partition("==")[0] for pin in held} == set()


@pytest.mark.parametrize(
    "environment", [image_environment, compose_environment, pod_environment], ids=["image", "compose", "pod"]
)
def test_jarvis_is_told_only_settings_it_has(environment: Any) -> None:
    assert set(environment()) - NOT_OURS <= SETTINGS


@pytest.mark.parametrize("environment", [compose_environment, pod_environment], ids=["compose", "pod"])
def test_what_jarvis_is_told_starts_it_for_known_hosts_only(environment: Any) -> None:
    settings = load(image_environment() | environment() | {"JWT_SECRET_KEY": "k" * 32})
    assert settings.database_url
    assert settings.llm_backend == "ollama"
    assert "jarvis" in settings.allowed_hosts
    assert settings.allowed_origins == Settings().allowed_origins


def test_whoever_reaches_the_pod_has_to_sign_in_and_compose_lets_in_this_machine_alone() -> None:
    assert load(image_environment() | pod_environment() | {"JWT_SECRET_KEY": "k" * 32}).signs_in
    with pytest.raises(WrongSettings, match="JWT_SECRET_KEY"):
        load(image_environment() | pod_environment() | {"JWT_SECRET_KEY": ""})
    assert not load(image_environment() | compose_environment()).signs_in


def test_compose_has_the_parts_and_publishes_only_jarvis_on_loopback() -> None:
    assert set(services()) == {"jarvis", "postgres", "redis", "qdrant", "ollama", "whisper", "piper"}
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert published == {"jarvis": [f"127.0.0.1:{PORT}:{PORT}"]}
    assert all(service.get("network_mode") in {None, "none"} for service in services().values())


@pytest.mark.parametrize("name", services())
def test_a_compose_service_is_confined(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"memory", "pids"} <= service["deploy"]["resources"]["limits"].keys()
    assert not {"privileged", "cap_add", "pid", "ipc", "devices"} & service.keys()
    assert ("healthcheck" in service) == (name != "jarvis")  # Jarvis' own is in the image
    assert "build" in service or re.search(r":v?\d", service["image"])


def test_compose_keeps_data_in_volumes_and_knows_no_secret() -> None:
    declared = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["volumes"]
    used = {
        mount.partition(":")[0] if isinstance(mount, str) else mount["source"]
        for name in services()
        for mount in mounts(name)
    }
    assert used == set(declared)
    told = [pair for service in services().values() for pair in service.get("environment", {}).items()]
    held = {name: value for name, value in told if re.search("PASSWORD|SECRET|TOKEN|KEY", name)}
    assert held == {"JWT_SECRET_KEY": "${JWT_SECRET_KEY:-}"}  # passed on, if somebody has made one


def test_compose_has_a_postgres_that_only_who_shares_its_socket_can_reach() -> None:
    postgres = services()["postgres"]
    assert postgres["network_mode"] == "none"
    assert "listen_addresses=" in postgres["command"]
    with_socket = [name for name, service in services().items() if "postgres-socket" in str(service)]
    assert with_socket == ["jarvis", "postgres"]
    [mount] = [mount for mount in mounts("jarvis") if not isinstance(mount, str)]
    assert mount["read_only"] is True
    assert load(compose_environment()).database_url.endswith(f"?host={mount['target']}")
    assert services()["jarvis"]["depends_on"]["postgres"] == {"condition": "service_healthy"}


def test_compose_gives_jarvis_the_time_to_stop() -> None:
    assert seconds(services()["jarvis"]["stop_grace_period"]) >= STOPS_WITHIN_S


@pytest.mark.parametrize(("service", "setting"), PARTS.items())
def test_compose_starts_a_part_and_tells_jarvis_where_it_is(service: str, setting: str) -> None:
    assert "profiles" not in services()[service]
    assert set(services()[service]["networks"]) == {"data"} < set(services()["jarvis"]["networks"])
    for address in (compose_environment()[setting], pod_environment()[setting]):
        assert urlsplit(address).hostname == service


def test_compose_has_a_redis_that_is_bounded_and_keeps_nothing() -> None:
    redis = services()["redis"]
    assert redis["command"] == [
        *("valkey-server", "--save", "", "--appendonly", "no"),
        *("--maxmemory", "192mb", "--maxmemory-policy", "volatile-ttl"),
    ]
    assert redis["deploy"]["resources"]["limits"]["memory"] == "256M"
    assert "volumes" not in redis


def test_compose_starts_what_hears_and_speaks_only_with_its_profile() -> None:
    named = {"STT_URL": "tcp://whisper:10300", "TTS_URL": "tcp://piper:10200"}
    assert {name: compose_environment()[name] for name in named} == dict.fromkeys(named, "")
    assert load(image_environment() | compose_environment() | named).stt_url == named["STT_URL"]
    for setting, address in named.items():
        assert f"{setting}={address}" in (ROOT / "docs/deploying.md").read_text()
        host, port = address.removeprefix("tcp://").split(":")
        assert services()[host]["profiles"] == ["voice"]
        assert services()[host]["networks"] == ["voice"]
        assert port in str(services()[host]["healthcheck"]["test"])


def test_kustomization_applies_every_manifest_in_one_namespace() -> None:
    kustomization: Json = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    files = {path.name for path in KUBERNETES.iterdir()}
    assert set(resources()) == files - {"kustomization.yaml"}
    assert {one["metadata"].get("namespace", one["metadata"]["name"]) for one in manifests()} == {
        kustomization["namespace"]
    }
    assert [replaced["name"] for replaced in kustomization["images"]] == [container()["image"]]
    assert "Secret" not in {one["kind"] for one in manifests()}


def test_the_pod_meets_the_restricted_pod_security_standard() -> None:
    labels = manifest("Namespace")["metadata"]["labels"]
    assert {labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "warn", "audit")} == {
        "restricted"
    }
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert pod()["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & pod().keys()
    assert [volume for volume in pod()["volumes"] if not volume["emptyDir"]["sizeLimit"]] == []
    assert pod()["automountServiceAccountToken"] is False
    assert pod()["enableServiceLinks"] is False


def test_the_pod_is_the_user_of_the_image_and_may_write_where_the_image_does() -> None:
    context = pod()["securityContext"]
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == image()["USER"]
    assert context["fsGroup"] == context["runAsGroup"]
    writable = {mount["mountPath"] for mount in container()["volumeMounts"]}
    assert writable == {image_environment()["JARVIS_DATA_DIR"], "/tmp"}  # noqa: S108 the pod's own


def test_the_pod_is_probed_for_life_and_for_readiness_at_its_port() -> None:
    probes = {name: container()[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startup": "/health",
        "liveness": "/health",
        "readiness": "/ready",
    }
    assert {probe["port"] for probe in probes.values()} == {"http"}
    assert container()["ports"] == [{"name": "http", "containerPort": PORT}]
    readiness = container()["readinessProbe"]
    noticed_within_s = (
        readiness["periodSeconds"] * readiness["failureThreshold"] + readiness["timeoutSeconds"]
    )
    assert noticed_within_s <= Settings().drain_delay_secs


def test_the_pod_has_bounds_and_the_time_to_stop() -> None:
    assert pod()["terminationGracePeriodSeconds"] >= STOPS_WITHIN_S
    assert {"cpu", "memory"} <= container()["resources"]["requests"].keys()
    assert "memory" in container()["resources"]["limits"]


def test_there_are_several_pods_that_share_all_they_need_and_are_exchanged_without_a_gap() -> None:
    deployment = manifest("Deployment")["spec"]
    assert deployment["replicas"] >= 2
    assert deployment["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
    }
    assert {"DATABASE_URL", "REDIS_URL", "QDRANT_URL", "JWT_SECRET_KEY"} <= pod_environment().keys()
    assert {volume["name"] for volume in pod()["volumes"] if "emptyDir" not in volume} == set()


def test_nodes_are_emptied_one_pod_at_a_time_and_the_pods_are_spread() -> None:
    labels = manifest("Deployment")["spec"]["template"]["metadata"]["labels"]
    budget = manifest("PodDisruptionBudget")["spec"]
    assert budget == {"maxUnavailable": 1, "selector": {"matchLabels": labels}}
    assert manifest("Deployment")["spec"]["replicas"] > budget["maxUnavailable"]
    [spread] = pod()["topologySpreadConstraints"]
    assert spread["labelSelector"] == {"matchLabels": labels}
    assert spread["whenUnsatisfiable"] == "ScheduleAnyway"  # one node is enough


def test_the_database_address_comes_from_a_secret() -> None:
    [entry] = [entry for entry in container()["env"] if entry["name"] == "DATABASE_URL"]
    assert entry["valueFrom"] == {"secretKeyRef": {"name": "jarvis", "key": "DATABASE_URL"}}


def test_service_and_policy_are_about_the_pod() -> None:
    labels = manifest("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert manifest("Deployment")["spec"]["selector"]["matchLabels"] == labels
    assert manifest("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == labels
    assert manifest("Service")["spec"]["selector"] == labels
    # A Host header that names another port is none of the server's.
    assert [(port["port"], port["targetPort"]) for port in manifest("Service")["spec"]["ports"]] == [
        (PORT, "http")
    ]


def ports_of(rules: list[Json], side: str) -> Iterator[tuple[str, int]]:
    """Yield who and which port; fails on a rule that would let everybody through."""
    for rule in rules:
        for peer in rule[side]:
            selected = [labels for selector in peer.values() for labels in selector["matchLabels"].values()]
            assert selected
            for port in rule["ports"]:
                yield selected[-1], port["port"]


def test_the_policy_lets_in_who_is_labelled_and_out_to_the_parts() -> None:
    policy = manifest("NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert list(ports_of(policy["ingress"], "from")) == [("allowed", PORT)]
    assert set(ports_of(policy["egress"], "to")) == {
        ("kube-dns", 53),
        ("postgresql", 5432),
        ("ollama", 11434),
        ("redis", 6379),
        ("qdrant", 6333),
        ("qdrant", 6334),
        ("whisper", 10300),
        ("piper", 10200),
    }
    assert pod_environment()["OLLAMA_URL"] == "http://ollama:11434"
