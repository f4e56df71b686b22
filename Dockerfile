# syntax=docker/dockerfile:1
# Two images of compose.yaml: the tracking server (target mlflow), and what serves the champion (target champion).
# Each environment is made in a stage of its own, so that neither has pip's cache, compilers or sources.

FROM python:3.11.15-slim-trixie@sha256:db3ff2e1800a8581e2c48a27c3995339d47bdf046da21c7627accd3d51053a93 AS base
ENV MLFLOW_DISABLE_TELEMETRY=true PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    PATH=/opt/venv/bin:$PATH HOME=/tmp
RUN useradd --system --uid 10001 --home-dir /tmp --shell /usr/sbin/nologin leukoscope

FROM base AS building
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
WORKDIR /build

FROM building AS mlflow-environment
COPY team/requirements.lock ./
RUN python -m pip install --requirement requirements.lock

FROM building AS champion-environment
COPY requirements.lock pyproject.toml setup.py README.md LICENSE MANIFEST.in ./
RUN python -m pip install --constraint requirements.lock setuptools wheel
# What the package needs, before the package itself: the layer lasts until one of the files above changes.
COPY src/leukoscope/__init__.py src/leukoscope/__init__.py
COPY conf conf
RUN python -m pip install --no-build-isolation --constraint requirements.lock . \
    && python -m pip uninstall --yes leukoscope
COPY src src
RUN python -m pip install --no-build-isolation --no-deps .

FROM base AS mlflow
COPY --from=mlflow-environment /opt/venv /opt/venv
USER 10001
WORKDIR /tmp
EXPOSE 5000
HEALTHCHECK --interval=15s --timeout=10s --start-period=120s --retries=4 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:5000/health', timeout=8)"]

FROM base AS champion
ENV GIT_PYTHON_REFRESH=quiet KERAS_BACKEND=tensorflow
COPY --from=champion-environment /opt/venv /opt/venv
USER 10001
WORKDIR /tmp
EXPOSE 5001
HEALTHCHECK --interval=15s --timeout=10s --start-period=240s --retries=4 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:5001/ping', timeout=8)"]
