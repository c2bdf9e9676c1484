# syntax=docker/dockerfile:1

# The compiler runs on the builder's own platform and compiles for the image's.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY cmd/ cmd/
COPY templates/ templates/
COPY webhook/ webhook/
ARG TARGETOS TARGETARCH VERSION
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X github.com/sysctl-injector/sysctl-injector/cmd/sysctl-injector/app.version=$VERSION" \
    -o /sysctl-injector ./cmd/sysctl-injector

# Nothing but the binary: it is static, its user is a number, and the only server that it calls is the API server, whose CA
# certificate every pod has mounted.
FROM scratch
ARG VERSION REVISION
LABEL org.opencontainers.image.title="sysctl-injector" \
      org.opencontainers.image.description="Sets the kernel parameters that pods ask for, without making the pods privileged" \
      org.opencontainers.image.source="https://github.com/sysctl-injector/sysctl-injector" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /sysctl-injector /sysctl-injector
USER 65532:65532
ENTRYPOINT ["/sysctl-injector"]
