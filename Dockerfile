# Darkroom in a container: the web server by default, any other part by its command (darkroom worker, darkroom up ...).

FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_PYTHON=/opt/venv/bin/python
RUN python -m venv --without-pip /opt/venv
# With the packages for traces: nobody can add them to an image later, and they take 11 MB of it.
COPY requirements-otel.txt /tmp/
RUN pip install --no-deps --require-hashes -r /tmp/requirements-otel.txt
WORKDIR /app
COPY . .
# Editable: templates, static files and migrations are used from where they lie. Setuptools is for this alone.
RUN pip install --no-deps --no-build-isolation -e . \
 && pip uninstall --yes setuptools \
 && /opt/venv/bin/python -m compileall -q tasks webapp piccolo_migrations piccolo_conf.py

FROM python:3.13-slim
RUN useradd --system --uid 10001 --user-group --no-create-home darkroom \
 && install -d -o darkroom -g darkroom /app/data /app/media
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
# Not .env, which is on no account part of the image: see .dockerignore.
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 HOST=0.0.0.0
WORKDIR /app
USER darkroom
VOLUME ["/app/data", "/app/media"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ.get('PORT') or 8000}/healthz\", timeout=4)"]
CMD ["darkroom", "web"]
