#!/bin/sh
# Runs a command that needs a user namespace; where this machine forbids them, that is a skipped test.
if ! unshare --user true 2>/dev/null; then
    echo "SKIP-REASON: this machine forbids user namespaces"
    exit 77
fi
exec "$@"
