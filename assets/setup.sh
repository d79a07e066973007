#!/usr/bin/env bash
# Installs what building and testing need and this machine lacks: RabbitMQ, a C compiler, strace, Rust's formatter and linter. Says what it does before it does it.
#
# On Debian and Ubuntu it takes system packages, with sudo where it must; elsewhere it says what to install. RabbitMQ is installed as a program to be started by
# hand: the service that its package brings is neither started nor left enabled.
set -euo pipefail

ASSETS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly ASSETS
readonly POLICY=/usr/sbin/policy-rc.d
# What Debian's packages of RabbitMQ and Erlang enable when they are installed.
readonly UNITS=(rabbitmq-server.service epmd.service epmd.socket)

say() {
    echo "setup: $*"
}

die() {
    echo "setup: $*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

missing_packages() {
    "$ASSETS/broker/broker.sh" find >/dev/null 2>&1 || echo rabbitmq-server
    command -v cc >/dev/null || printf '%s\n' gcc libc6-dev
    command -v make >/dev/null || echo make
    command -v strace >/dev/null || echo strace
}

# Installing a package of a service starts the service, unless this file says no.
forbid_services() {
    trap 'as_root rm -f "$POLICY"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
    as_root chmod 755 "$POLICY"
}

disable_services() {
    if command -v systemctl >/dev/null; then
        as_root systemctl disable --quiet "${UNITS[@]}" >/dev/null 2>&1 || true
        if [ -d /run/systemd/system ]; then
            as_root systemctl stop "${UNITS[@]}" >/dev/null 2>&1 || true
        fi
    fi
    if command -v update-rc.d >/dev/null; then
        as_root update-rc.d rabbitmq-server disable >/dev/null 2>&1 || true
    fi
}

install_packages() {
    command -v apt-get >/dev/null || die "this is neither Debian nor Ubuntu; please install, with your system's own means: $*"
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || die "without root or sudo this can't be installed: $*"
    say "installing from the system's packages: $*"
    # One that is there already is somebody's, and stays.
    [ -e "$POLICY" ] || forbid_services
    as_root apt-get update --quiet
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends "$@"
    if [[ " $* " = *" rabbitmq-server "* ]]; then
        disable_services
        say "RabbitMQ is installed; its system service is off and stays off"
    fi
}

install_rust_parts() {
    local part
    command -v cargo >/dev/null || die "Rust is not installed; see https://rustup.rs"
    for part in rustfmt clippy; do
        "cargo-${part/rustfmt/fmt}" --version >/dev/null 2>&1 && continue
        command -v rustup >/dev/null || die "this Rust comes without $part; please install it"
        say "adding $part to the Rust toolchain"
        rustup component add "$part"
    done
}

mapfile -t packages < <(missing_packages)
[ "${#packages[@]}" = 0 ] || install_packages "${packages[@]}"
install_rust_parts
