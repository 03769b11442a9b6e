# Sparky's recipes, by area. `./dev RECIPE` installs what they need first.

jobs := env("JOBS", `nproc`)

# === Build ===

# configure and build everything (build/release/bin/sparky)
build PRESET="release": (configure PRESET)
    cmake --build --preset {{PRESET}} -j {{jobs}}

[private]
configure PRESET:
    @test -f build/{{PRESET}}/build.ninja || cmake --preset {{PRESET}}

# === Test ===

# build, then run every test
test: build
    ctest --test-dir build/release -j {{jobs}} --output-on-failure

# === Quality ===

# format all C++ files in place
fmt:
    git ls-files '*.cc' '*.h' | xargs clang-format-19 -i

# === Documentation ===

# write docs/cli.md, docs/config.md and the man pages from the program
docs: build
    build/release/bin/sparky docs docs
