# For scripts that work with programs of other people: what pip and npm install for them, pinned, and tried again
# when a registry fails. Sourced by .ci/run, tests/interop/run and tests/qr/run.

# retry COMMAND...: five tries, waiting 2, 4, 8 and 16 seconds between them.
retry() {
  local try
  for try in 1 2 3 4 5; do
    if "$@"; then return 0; fi
    if [ "$try" -lt 5 ]; then
      echo "try $try of 5 failed: $*" >&2
      sleep $((2 ** try))
    fi
  done
  return 1
}

# install_packages FROM TO: what FROM/requirements.txt and FROM/package-lock.json name, to TO/python and TO/node, with the
# scripts of FROM beside the modules, where Node looks for them. What was made from just these files stays.
install_packages() {
  local from=$1 to=$2
  mkdir -p "$to"
  current "$to/python" "$from/requirements.txt" || retry install_python "$from" "$to/python"
  current "$to/node" "$from/package.json" "$from/package-lock.json" || retry install_node "$from" "$to/node"
  cp "$(dirname "${BASH_SOURCE[0]}")/expect.mjs" "$from"/*.mjs "$to/node/"
}

# current DIR FILES...: whether DIR was installed from just these files.
current() {
  local directory=$1
  shift
  [ "$(cat "$directory/.made-from" 2>/dev/null)" = "$(cat "$@" | sha256sum)" ]
}

install_python() {
  # Chained: inside `retry` the shell does not stop at a failure.
  rm -rf "$2" &&
    python3 -m venv "$2" &&
    "$2/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$1/requirements.txt" &&
    sha256sum <"$1/requirements.txt" >"$2/.made-from"
}

install_node() {
  # No scripts: no package may fetch more than it is, such as a browser.
  rm -rf "$2" &&
    mkdir -p "$2" &&
    cp "$1/package.json" "$1/package-lock.json" "$2/" &&
    npm ci --prefix "$2" --ignore-scripts --no-audit --no-fund --loglevel=error &&
    cat "$1/package.json" "$1/package-lock.json" | sha256sum >"$2/.made-from"
}
