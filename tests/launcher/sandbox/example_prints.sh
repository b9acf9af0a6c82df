#!/bin/sh
# Runs an example, which must succeed and print certain texts.
# usage: example_prints.sh PROGRAM TEXT...
set -eu
program=$1
shift
status=0
output=$("$program") || status=$?
echo "$output"
case $output in
*"cannot be held whole here"*)
    echo "SKIP-REASON: this machine cannot hold the example's policy"
    exit 77
    ;;
esac
[ "$status" = 0 ] || exit 1
for text; do
    case $output in
    *"$text"*) ;;
    *)
        echo "it does not print: $text"
        exit 1
        ;;
    esac
done
