#!/usr/bin/env bash
# The lab page in a real browser: headless Chromium, driven by Playwright. Arguments go to pytest (`-k chain`).
set -euo pipefail
cd "$(dirname "$0")/../../../.."

if ! command -v chromium >/dev/null; then
    # Playwright's own download needs a server of its maker; the system's package does as well.
    as_root=$([ "$(id -u)" = 0 ] || echo sudo)
    $as_root apt-get update -qq
    $as_root apt-get install -qq -y --no-install-recommends chromium
fi
venv=target/browser-venv
"${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check -r crates/cli/tests/browser/requirements.txt
cargo build --quiet --release --package geartrain-cli
"$venv/bin/python" -m pytest -p no:cacheprovider --durations=5 crates/cli/tests/browser "$@"
