FROM python:3.13-slim-bookworm AS build
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PROJECT_ENVIRONMENT=/opt/seedream-bot \
    UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir uv==0.13.8
WORKDIR /build
# The libraries are a layer of their own: it stays as it is until the lock file changes.
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-default-groups --no-install-project
COPY LICENSE README.md ./
COPY adapters adapters
COPY bot bot
RUN uv sync --locked --no-default-groups --no-editable

FROM python:3.13-slim-bookworm
RUN groupadd --gid 10001 bot \
    && useradd --uid 10001 --gid bot --no-create-home --home-dir /data --shell /usr/sbin/nologin bot \
    && install --directory --owner bot --group bot /data
COPY --from=build /opt/seedream-bot /opt/seedream-bot
# Everything is written below /data, temporary files too, so the root may be read-only (docker run --read-only).
# A container is reached from outside only if the page listens everywhere, and there the bot insists on a token: give
# it one as BOT_WEB__TOKEN, or better as a file that BOT_WEB__TOKEN_FILE names. No secret belongs into this file.
ENV BOT_DATA_DIR=/data \
    BOT_WEB__HOST=0.0.0.0 \
    PATH=/opt/seedream-bot/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TMPDIR=/data
WORKDIR /data
VOLUME /data
USER 10001:10001
EXPOSE 8765
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["seedream-bot", "healthcheck"]
ENTRYPOINT ["seedream-bot"]
CMD ["run"]
