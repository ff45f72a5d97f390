# Jarvis for real servers: DATABASE_URL and OLLAMA_URL (or an OpenAI-compatible server) name them.
# What the extra `embedded` would start by itself (a Postgres, a model, engines that hear and speak) is not in
# the image; STT_URL and TTS_URL name engines.

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

# The only step that needs the network: what the lock names, each file checked against its hash.
COPY requirements-server.lock ./
RUN pip download --require-hashes --only-binary :all: --dest /wheels --requirement requirements-server.lock

COPY pyproject.toml README.md LICENSE ./
COPY migrations migrations
COPY jarvis jarvis
# Nobody can write bytecode later, and a copy may change file times: it is made here, and does not look at them.
# No versions are named, because /wheels holds one of each package: the lock's.
# hadolint ignore=DL3013
RUN pip install --no-index --find-links /wheels hatchling \
    && pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /wheels . \
    && python -m venv --without-pip /opt/jarvis \
    && pip --python /opt/jarvis install --no-index --find-links /wheels --no-compile jarvis \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/jarvis/lib


FROM python:3.13-slim
COPY --from=build /opt/jarvis /opt/jarvis
RUN install -d -m 0700 -o 10001 -g 10001 /var/lib/jarvis
# `auto` would look for an embedded model when Ollama is the slower one to start, and there is none here.
ENV PATH=/opt/jarvis/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/var/lib/jarvis \
    JARVIS_DATA_DIR=/var/lib/jarvis \
    HOST=0.0.0.0 \
    LLM_BACKEND=ollama
WORKDIR /var/lib/jarvis
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 8100
STOPSIGNAL SIGTERM
# Alive, not ready: a Postgres that is away is no reason to restart this. http.client takes no proxy from the environment.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; server = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PORT') or 8100), timeout=2); server.request('GET', '/health'); sys.exit(server.getresponse().status != 200)"]
# On its own it refuses to start: it listens beyond loopback, so whoever runs it gives it a JWT_SECRET_KEY, by which
# people sign in, or says TRUST_NETWORK=true.
ENTRYPOINT ["jarvis"]
CMD ["serve"]
