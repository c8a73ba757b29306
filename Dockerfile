# syntax=docker/dockerfile:1
# One image for all roles of Headwater.
#
#   docker build --tag headwater .
#   docker run --init --publish 8080:8080 --stop-timeout 30 --volume headwater:/data headwater
#
# Transcoder children confine themselves with Landlock and seccomp. Docker 23 or newer lets them with its own profile; one
# of your own has to allow `landlock_*` and `seccomp`. Where it does not, the log says so and the rest holds. No
# capability and no `--privileged` is needed.
#
# Then drop masters into the volume's folder `drop` and open http://localhost:8080/. `--init` reaps what a killed
# transcoder may leave behind; `--stop-timeout` gives `docker stop` the time to drain. `docker run … headwater worker` on
# the same volume adds transcoders.

# The compiler that the lock file was last tested with. Cargo.toml says which is the oldest that will do.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends \
        pkg-config \
        libgstreamer1.0-dev \
        libgstreamer-plugins-base1.0-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The caches make the second build of a changed tree quick; they are no part of the image, so the binary is copied out.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package headwater \
 && cp target/release/headwater /usr/local/bin/headwater

FROM debian:bookworm-slim
# What each is for stands in xtask/src/packages.rs; a test there compares the two lists.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends \
        gstreamer1.0-plugins-base \
        gstreamer1.0-plugins-good \
        gstreamer1.0-plugins-bad \
        gstreamer1.0-plugins-ugly \
        gstreamer1.0-libav \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --user-group --no-create-home --home-dir /data headwater \
 && install --directory --owner headwater --group headwater /data
COPY --from=build /usr/local/bin/headwater /usr/local/bin/headwater

USER headwater
WORKDIR /data
# Masters, packages, catalog and spool. GStreamer keeps its list of plugins there too, so that it is made only once.
VOLUME /data
ENV GST_REGISTRY=/data/.gstreamer-registry.bin
# Probes are answered on a port of their own, since a worker has no other.
ENV HEADWATER_DATA_DIR=/data HEADWATER_HTTP_LISTEN=0.0.0.0:8080 HEADWATER_HTTP_HEALTH_LISTEN=0.0.0.0:8081
EXPOSE 8080 8081

# The image has no HTTP client; bash speaks enough of it.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8081 && printf 'GET /livez HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]

ENTRYPOINT ["headwater"]
CMD ["up"]
