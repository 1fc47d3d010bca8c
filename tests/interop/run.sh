#!/usr/bin/env bash
# Other programs read what this crate writes, and the other way round: numpy, safetensors, onnx and onnxruntime, from PyPI.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=target/interop-venv
"${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/interop/requirements.txt

export INTEROP_DIR=$folder/files
mkdir "$INTEROP_DIR"
tests() { cargo test --quiet --features npy,onnx --test files -- --ignored --exact "${@/#/interop::}"; }
tests write_models
cargo test --quiet --package geartrain-tables --features onnx --test tables -- --ignored --exact onnx::write_table_models
for script in numpy safetensors onnx tables_onnx; do
    "$venv/bin/python" "tests/interop/check_$script.py" "$INTEROP_DIR"
done
tests read_what_python_wrote
