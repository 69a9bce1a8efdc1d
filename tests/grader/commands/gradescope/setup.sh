#!/usr/bin/env bash
# Gradescope runs this once, as root, when it makes the image. It installs what is needed, builds all that does not depend
# on a student, grades the solutions for a trial, and takes away what a submission could learn from.
# AUTOGRADER_ROOT is for trying it elsewhere.
set -euo pipefail
root=${AUTOGRADER_ROOT:-/autograder}
lab=$root/source/lab
labs=$(<"$root/source/labs")
export LAB_BUILD_DIR=$lab/build
umask 022

# It fails unless the solutions get full points here, and keeps that as proof for later runs.
bash "$lab/lab" grade "$lab/solutions" --labs "$labs" --without-sandbox --out "$root/trial"
rm -rf "$root/trial"

# From here on nothing is built; student_build_ninja.cpp looks for this file.
touch "$LAB_BUILD_DIR/linux/sealed"
rm -rf "$lab"/solutions/* "$lab/tests/mutants" "$lab"/tests/*_test.cpp "$lab/tests/grader/core/hints.json"

# A submission's compiler and tests run as another user (sandbox.cpp). That one may read headers, objects and libraries.
chmod -R go-rwx "$root/source"
find "$root/source" -type d -exec chmod go+x {} +
find "$lab" \( -name '*.h' -o -name '*.inc' -o -name '*.o' -o -name '*.a' \) -exec chmod go+r {} +
