# The packages of the lock. The project itself is mounted when the image runs: docs/environments.md.
FROM python:3.12-slim-bookworm
COPY requirements.lock /
RUN pip install --no-cache-dir --require-hashes --requirement /requirements.lock
WORKDIR /oddlens
