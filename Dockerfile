# The locked packages and nothing of the project, which is mounted where it runs: docs/environments.md.
FROM python:3.12-slim-bookworm
COPY requirements.lock /
RUN pip install --no-cache-dir --require-hashes --requirement /requirements.lock
WORKDIR /oddlens
