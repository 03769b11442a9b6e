# Sparky's recipes, by area. `./dev RECIPE` installs what they need first.

jobs := env("JOBS", `nproc`)

# === Build ===

# configure and build everything (build/release/bin/sparky)
build PRESET="release": (configure PRESET)
    cmake --build --preset {{PRESET}} -j {{jobs}}

[private]
configure PRESET:
    @test -f build/{{PRESET}}/build.ninja || cmake --preset {{PRESET}}

# === Run ===

# run the Foundation milestone of the dgx-pixels plan on this machine, and leave a report
demo: build
    scripts/demo.sh

# eight workstreams by a scripted agent, honest and otherwise, with everything killed in between
agents-demo: build
    tests/agents_demo.py build/release/bin

# === Test ===

# build, then run every test
test: build
    ctest --test-dir build/release -j {{jobs}} --output-on-failure

# play the engine against random worlds: `./dev sim --seeds 100000`, `./dev sim --seed 42`
sim *ARGS: (configure "release")
    cmake --build --preset release -j {{jobs}} --target sparky-sim
    build/release/bin/sparky-sim {{ARGS}}

# carry out agents' workstreams in real repositories, and stop them at random git commands: `./dev sim-agents --seeds 100`
sim-agents *ARGS: (configure "release")
    cmake --build --preset release -j {{jobs}} --target sparky-sim-agents
    build/release/bin/sparky-sim-agents {{ARGS}}

# kill Sparky and its warden at random moments of real runs: `./dev kill --rounds 300`
kill *ARGS: build
    scripts/kill.py {{ARGS}}

# kill daemon, warden and workers at random while jobs pour in: `./dev kill-jobs --jobs 5000 --kills 60`
kill-jobs *ARGS: build
    /usr/bin/python3 scripts/kill_jobs.py {{ARGS}}

# traffic for some minutes, and whether the daemon's memory stays flat: `./dev soak 10`
soak MINUTES="5": build
    /usr/bin/python3 scripts/soak.py {{MINUTES}}

# run every fuzzer for some seconds (libFuzzer, clang-19); what it finds lands in build/fuzz/found
fuzz SECONDS="60":
    @command -v clang++-19 >/dev/null || { apt-get install -y -q clang-19 libclang-rt-19-dev || sudo apt-get install -y -q clang-19 libclang-rt-19-dev; }
    @test -f build/fuzz/build.ninja || cmake --preset fuzz
    cmake --build --preset fuzz -j {{jobs}} --target fuzzers
    scripts/fuzz.sh {{SECONDS}}

# 10,000 trivial commands against ninja and make: `./dev bench-commands --rounds 3`
bench-commands *ARGS: build
    bench/commands/run.py {{ARGS}}

# snap degraded sprites and compare with the truth: `./dev snap-bench DIR_WITH_mon_item_dngn --count 60`
snap-bench SPRITES *ARGS: (configure "release")
    cmake --build --preset release -j {{jobs}} --target snap_bench
    build/release/bin/snap_bench run --sprites {{SPRITES}} {{ARGS}}

# === Quality ===

# clang-tidy over the files changed since main (or FILES)
lint *FILES:
    @command -v clang-tidy-19 >/dev/null || { apt-get install -y -q clang-tidy-19 || sudo apt-get install -y -q clang-tidy-19; }
    clang-tidy-19 -p build/release --quiet {{ if FILES == "" { "$(git diff --name-only --diff-filter=d origin/main -- 'src/*.cc')" } else { FILES } }}

# format all C++ files in place
fmt:
    git ls-files '*.cc' '*.h' | xargs clang-format-19 -i

# === Benchmarks ===

# plans of 1,000 to 1,000,000 workstreams through reading, checking and timing
bench-plans *SIZES: (configure "release")
    cmake --build --preset release -j {{jobs}} --target plan_bench
    build/release/bin/plan_bench {{SIZES}}

# docs/images/run.svg: how a run looks in a terminal
run-picture: build
    rm -rf build/picture && mkdir -p build/picture/plans && cp -r plans/dgx-pixels build/picture/plans/
    cd build/picture && PATH="$PWD/../release/bin:$PATH" ../../scripts/run_picture.py -o ../../docs/images/run.svg \
        --after 20 --columns 96 -- sparky run plans/dgx-pixels --until gate-1

# what the engine costs per workstream and per event: `./dev bench-engine`, `./dev bench-engine 1000 50000`
bench-engine *ARGS: (configure "release")
    cmake --build --preset release -j {{jobs}} --target engine-bench
    build/release/bin/engine-bench {{ARGS}}

# frame times of the terminal studio with 10,000 jobs and pictures
bench-tui: (configure "release")
    cmake --build --preset release -j {{jobs}} --target tui_bench
    build/release/bin/tui_bench

# how soon the terminal studio shows what a key does, and what idling costs: `./dev bench-tui-keys --jobs 10000`
bench-tui-keys *ARGS: build
    /usr/bin/python3 bench/tui/keys.py --sparky build/release/bin/sparky {{ARGS}}

# what asking the daemon costs beside bare libzmq and a bare sync: `./dev bench-daemon` (rounds 7, jobs 10000)
bench-daemon *ARGS: build
    cmake --build --preset release -j {{jobs}} --target daemon_bench
    build/release/bin/daemon_bench build/release/bin/sparky {{ARGS}}

# === Documentation ===

# screenshots of the terminal studio on the project DIR, into docs/images; `--prepare` makes the project
screenshots DIR *ARGS: build
    scripts/screenshots.py --sparky build/release/bin/sparky --project {{DIR}} --out docs/images {{ARGS}}

# write docs/cli.md, docs/config.md and the man pages from the program
docs: build
    build/release/bin/sparky docs docs

# === Git ===

# a branch for a workstream, from the newest main: `./dev branch ws/WS-05-sdxl`
branch NAME:
    nu -c 'use scripts/nu/modules/github.nu *; if not (gh-create-branch "{{NAME}}") { exit 1 }'

# push the branch and open a pull request
pr TITLE:
    nu -c 'use scripts/nu/modules/github.nu *; if not (gh-create-pr "{{TITLE}}") { exit 1 }'

# bring the branch up to the newest main, and push it with a lease
rebase:
    nu -c 'use scripts/nu/modules/github.nu *; if not (gh-rebase-main --push) { exit 1 }'

# what should pass before a commit: the house rules and the tests
pre-commit: build
    scripts/style.py
    ctest --test-dir build/release -j {{jobs}} --output-on-failure

# === Sprites ===

# the model's dataset out of the DCSS tiles at DCSS (see models/sprite-32/recipe.toml)
sprite-dataset DCSS OUT=".train/data": build
    build/release/bin/sparky dataset build --recipe models/sprite-32/recipe.toml {{DCSS}} -o {{OUT}}

# train the sprite model at idle priority; again: goes on from the checkpoint
sprite-train MINUTES="240" OUT=".train/run": build
    chrt -i 0 nice -n 19 build/release/bin/sparky train --dataset .train/data -o {{OUT}} --minutes {{MINUTES}} --batch 48 --lr 0.002 `test -f {{OUT}}/train.safetensors && echo --resume`

# what the sprite model costs here: load, step, sprites per second, memory, share of the matrix-multiply rate
sprite-bench: build
    build/release/bin/sparky-sprite bench
