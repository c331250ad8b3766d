#!/usr/bin/env bash
# Fetches what `just test-interop` drives the server with and Debian's packages do not hold:
# redis-py from PyPI (needs python3 and python3-venv), and the tests of Redis itself, of the release
# whose behaviour is followed (needs curl and apt). Into target/; what is there already stays.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p target
if [ ! -x target/clients/bin/pip ]; then
    rm -rf target/clients
    python3 -m venv target/clients
fi
target/clients/bin/pip install --quiet --disable-pip-version-check redis==8.1.0

if [ ! -d target/redis-suite/tests ]; then
    # Where apt has redis-tools from, the release that it was made of lies, too.
    place=$(apt-get download --print-uris redis-tools | sed -n "s/^'\(.*\)\/[^/]*'.*/\1/p")
    curl --fail --silent --show-error --location --retry 3 --output target/redis-suite.tar.gz \
        "$place/redis_7.0.15.orig.tar.gz"
    sha256sum --check --quiet <<<'4b1dc4ee6d622a09fff9c6777191209750fb5e5a725ef78ea012d6eef4c22982  target/redis-suite.tar.gz'
    rm -rf target/redis-suite.part
    mkdir target/redis-suite.part
    tar --extract --gzip --file target/redis-suite.tar.gz --directory target/redis-suite.part \
        --strip-components 1 redis-7.0.15/tests
    rm -rf target/redis-suite
    mv target/redis-suite.part target/redis-suite
    rm target/redis-suite.tar.gz
fi
