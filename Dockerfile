# procession in an otherwise empty image: one static binary, and a link to it in the PATH.
#
#   docker build -t procession .
#   docker run --rm -p 127.0.0.1:9917:9917 -v "$PWD/config.yaml:/config.yaml:ro" procession
#
# What it supervises has to be in the image too, so an image of your own takes the binary from this
# one and starts with it. Either in front of one command, in place of tini or dumb-init:
#
#   COPY --from=procession /procession /sbin/procession
#   ENTRYPOINT ["/sbin/procession", "--"]
#   CMD ["npm", "run", "dev"]
#
# or with a config.yaml that names all of them:
#
#   COPY --from=procession /procession /sbin/procession
#   COPY config.yaml /etc/procession/config.yaml
#   ENTRYPOINT ["/sbin/procession", "run", "-c", "/etc/procession/config.yaml"]
#
# Use the list form of ENTRYPOINT: the other one puts a shell in front, which is then PID 1 and
# forwards no signal.

# Any image that has cargo, a C compiler (for SQLite) and glibc's static libraries.
ARG BUILDER=docker.io/library/rust:1.95-bookworm
# Any image at all; an empty one is enough.
ARG BASE=scratch

FROM ${BUILDER} AS build
WORKDIR /build
# Static glibc, so that the binary needs nothing from the image that it ends up in. The flag must
# come with an explicit target: without one it also reaches the procedural macros, which cannot be
# linked that way.
#
# At a fixed address: without relocations to apply, a quarter of a millisecond less passes before
# the first process is started, and less of the binary is copied into each container's memory.
ENV RUSTFLAGS="-C target-feature=+crt-static -C relocation-model=static"

# First the dependencies alone, around empty sources: a layer that lasts until they change.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src tests examples \
    && touch src/lib.rs tests/all.rs \
    && echo 'fn main() {}' | tee src/main.rs > examples/leak_eval.rs \
    && cargo build --release --locked --target "$(rustc -vV | sed -n 's/^host: //p')"

# Then the program. The copied sources may be older than the empty ones that were just compiled,
# and cargo goes by the time.
COPY . .
RUN touch src/lib.rs src/main.rs \
    && target="$(rustc -vV | sed -n 's/^host: //p')" \
    && cargo build --release --locked --target "$target" \
    && cp "target/$target/release/procession" /procession

# A link in a folder of every container's PATH, for `docker exec NAME procession ps`. It comes in a
# folder, because a link that is copied by itself arrives as what it leads to.
RUN mkdir -p /image/usr/local/bin \
    && cp /procession /image/procession \
    && ln -s /procession /image/usr/local/bin/procession

FROM ${BASE}
LABEL org.opencontainers.image.title="procession" \
      org.opencontainers.image.description="A container's PID 1 that supervises development processes and coding agents, and shows sessions, memory, leaks and tokens" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /image/ /
# /metrics, /healthz and /readyz.
EXPOSE 9917
STOPSIGNAL SIGTERM
ENTRYPOINT ["/procession"]
CMD ["run"]
