#!/usr/bin/env bash
# Builds the wheel, installs it in a fresh environment and runs the package's tests and its notebook.
set -euo pipefail
cd "$(dirname "$0")/../../.."

venv=target/python-venv
rm -rf "$venv" target/python-wheel
"${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check -r crates/python/tests/requirements.txt
"$venv/bin/maturin" build --quiet --release --manifest-path crates/python/Cargo.toml --out target/python-wheel
"$venv/bin/pip" install --quiet --disable-pip-version-check target/python-wheel/*.whl
ls -l target/python-wheel

# From another folder, so that the installed package is tested and not the one in the source tree.
root=$PWD
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp crates/python/tests/*.py "$folder"
cd "$folder"
"$root/$venv/bin/python" -m pytest --quiet -p no:cacheprovider .
cp -r "$root/examples/python" "$root/data" .
cd python
for notebook in *.ipynb; do
    DATA=../data "$root/$venv/bin/jupyter" nbconvert --to notebook --execute --output "executed-$notebook" "$notebook"
done
