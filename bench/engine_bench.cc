// engine-bench: a simulated run of n workstreams, all costs of the engine counted: submission, every decision, every
// event applied; and (up to 100,000) a replay from bytes. Seconds of processor time.
//   engine-bench [N …]      default: 1000 10000 100000 1000000
#include <fmt/format.h>

#include <cstdlib>
#include <ctime>
#include <deque>

#include "engine/codec.h"
#include "engine/engine.h"
#include "plan/sample.h"

namespace {

using namespace sparky;
using namespace sparky::engine;

// Processor time: the engine neither waits nor sleeps, and other work on the machine does not count.
double processor_s() { return double(std::clock()) / CLOCKS_PER_SEC; }
double seconds(double from) { return processor_s() - from; }

size_t resident_bytes() {
  size_t pages = 0;
  if (FILE* f = std::fopen("/proc/self/statm", "r")) {
    size_t all = 0;
    if (std::fscanf(f, "%zu %zu", &all, &pages) != 2) pages = 0;
    std::fclose(f);
  }
  return pages * 4096;
}

// Plays the run to its end; what happened goes into `journal`, if there is one.
struct Played {
  double submitted_s = 0, ran_s = 0;
  size_t events = 0, state_bytes = 0;
  Engine engine;
};

void play(Played& out, const std::shared_ptr<const plan::Plan>& plan, std::vector<std::string>* journal) {
  size_t before = resident_bytes();
  Time now{Duration{1'700'000'000'000}};
  std::deque<AttemptId> started;
  auto take = [&](const Input& input) {
    auto d = out.engine.decide(input, now);
    out.events += d.events.size();
    for (auto& e : d.events)
      if (journal) journal->push_back(encode(e));
    for (auto& effect : d.effects)
      if (auto* e = std::get_if<StartAttempt>(&effect)) started.push_back(e->attempt);
  };
  auto from = processor_s();
  take(SetSlots{16, 32});
  take(CreateRun{plan, {}, {}});
  out.submitted_s = seconds(from);
  out.state_bytes = resident_bytes() - before;
  from = processor_s();
  while (!started.empty()) {
    AttemptId id = started.front();
    started.pop_front();
    now += Duration{1};
    take(ReportStarted{id});
    take(ReportEnded{.attempt = id, .duration = Duration{1}});
  }
  out.ran_s = seconds(from);
}

void measure(size_t n) {
  size_t before = resident_bytes();
  auto plan = std::make_shared<plan::Plan>(plan::sample_plan(7, {.workstreams = n}));
  for (auto& w : plan->workstreams) w.criteria.clear(), w.run = "true", w.accept_exit_status = true;
  for (auto& g : plan->gates) g.criteria.clear();
  size_t plan_bytes = resident_bytes() - before;
  Played p;
  play(p, plan, nullptr);
  bool done = p.engine.state().runs.at(1).settled == Standing::completed;
  fmt::print(
      "{:>9} workstreams: submit {:.3f} s, run {:.3f} s, {:.2f} us each, {:.0f} events/s, {} B each (and {} B of plan)",
      n, p.submitted_s, p.ran_s, (p.submitted_s + p.ran_s) / double(n) * 1e6, double(p.events) / p.ran_s,
      p.state_bytes / n, plan_bytes / n);
  if (n <= 100'000) {
    std::vector<std::string> journal;
    Played again;
    play(again, plan, &journal);
    auto from = processor_s();
    State state;
    for (auto& bytes : journal) apply(state, *decode_event(bytes));
    fmt::print(", replay {:.0f} events/s", double(journal.size()) / seconds(from));
    done = done && state_hash(state) == state_hash(p.engine.state());
  }
  fmt::print("{}\n", done ? "" : ": NOT COMPLETED");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 1)
    for (size_t n : {1'000, 10'000, 100'000, 1'000'000}) measure(n);
  for (int i = 1; i < argc; ++i) measure(std::strtoul(argv[i], nullptr, 10));
}
