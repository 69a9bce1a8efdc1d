#!/usr/bin/env bash
# Gradescope runs this once, as root, when it creates the image. It installs the packages, builds everything that does not
# depend on a student, grades the solutions as a test, and removes the files that would reveal the answers.
# AUTOGRADER_ROOT names another folder for tests.
set -euo pipefail
root=${AUTOGRADER_ROOT:-/autograder}
lab=$root/source/lab
labs=$(<"$root/source/labs")
export LAB_BUILD_DIR=$lab/build
umask 022

# Fails unless the solutions get full points here; the proof is kept for later runs.
bash "$lab/lab" grade "$lab/solutions" --labs "$labs" --without-sandbox --out "$root/trial"
rm -rf "$root/trial"

# Nothing is built after this point; student_build_ninja.cpp checks for this file.
touch "$LAB_BUILD_DIR/linux/sealed"
rm -rf "$lab"/solutions/* "$lab/tests/mutants" "$lab"/tests/*_test.cpp "$lab/tests/grader/core/hints.json"

# A submission's compiler and tests run as another user (sandbox.cpp), who may read headers, objects and libraries.
chmod -R go-rwx "$root/source"
find "$root/source" -type d -exec chmod go+x {} +
find "$lab" \( -name '*.h' -o -name '*.inc' -o -name '*.o' -o -name '*.a' \) -exec chmod go+r {} +
