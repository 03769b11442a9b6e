#include "warden/recovery.h"

#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/files.h"
#include "warden/process.h"

namespace sparky::warden {
namespace {

constexpr int kill_rounds = 1000;  // of 10 ms

// Ids of the main processes that are still there, by pid: those which run since the moment that the spool has.
std::map<pid_t, std::string> main_processes(const SpoolContents& contents, const std::vector<Process>& all) {
  std::map<pid_t, std::string> out;
  if (contents.boot != boot_id()) return out;
  std::map<pid_t, uint64_t> started;
  for (auto& p : all) started[p.pid] = p.started_ticks;
  for (auto& [id, entry] : contents.entries) {
    auto found = started.find(pid_t(entry.pid));
    if (entry.state != Entry::State::started || found == started.end()) continue;
    // A pid that has gone to somebody else since started much later.
    auto ticks = found->second;
    if (ticks + 1 >= ticks_of_boot_ms(entry.boot_ms) && ticks <= ticks_of_boot_ms(entry.boot_ms + 5'000))
      out[pid_t(entry.pid)] = id;
  }
  return out;
}

// Kills all that bears this directory's mark or is of a main process's session, until nothing is left. Only one
// warden can be here, so whoever bears its mark has lost the one he belonged to. Returns how many, by attempt.
std::map<std::string, int> kill_remains(const std::string& directory, const SpoolContents& contents) {
  std::map<std::string, int> killed;
  std::set<std::pair<pid_t, uint64_t>> seen;
  // Two looks without a find: one alone may miss a process that is born while its parent dies.
  for (int round = 0, clear = 0; round < kill_rounds && clear < 2; ++round) {
    auto all = list_processes();
    auto mains = main_processes(contents, all);
    std::vector<size_t> roots;
    for (size_t i = 0; i < all.size(); ++i) {
      auto& p = all[i];
      if (p.pid == ::getpid() || p.pid == 1) continue;
      auto found = mains.find(p.session);
      auto marks = found == mains.end() ? marks_of(p.pid) : Marks{found->second, directory};
      if (marks.directory != directory) continue;
      roots.push_back(i);
      if (seen.insert({p.pid, p.started_ticks}).second) ++killed[marks.attempt];
    }
    auto targets = with_descendants(all, roots);
    std::erase_if(targets, [](const Process& p) { return p.pid == ::getpid(); });
    clear = targets.empty() ? clear + 1 : 0;
    if (seen.empty() && contents.entries.empty()) break;  // nothing was there to begin with
    for (auto& p : targets) send_signal(p, SIGKILL);
    timespec pause{0, 10'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return killed;
}

}  // namespace

Result<Spool> recover(const std::filesystem::path& directory) {
  auto path = directory / "spool";
  SpoolContents contents;
  auto bytes = read_file(path, size_t(1) << 32);
  if (bytes) contents = parse_spool(*bytes);
  if (!bytes && !bytes.error().is(Errc::not_found)) return std::unexpected(bytes.error());
  if (contents.newer)
    return fail(Errc::unavailable, path.string() + " was written by a newer version of Sparky",
                "run that version until its attempts have ended and are in the journal");
  if (bytes && !contents.intact && contents.records > 0 && !bytes->empty()) {
    // Kept for whoever wants to know what happened; one copy is enough.
    [[maybe_unused]] auto kept = write_file_atomic(directory / "spool.damaged", *bytes, {.mode = 0600});
  }
  auto killed = kill_remains(directory.string(), contents);

  bool same_boot = contents.boot == boot_id();
  std::erase_if(contents.entries, [&](const auto& item) {
    return item.second.state == Entry::State::accepted && same_boot;  // it never ran
  });
  for (auto& [id, entry] : contents.entries) {
    if (entry.state == Entry::State::exited) continue;
    bool started = entry.state == Entry::State::started;
    Exit lost{.ending = Ending::lost, .started = started ? entry.started : now(), .ended = now()};
    lost.strays = uint32_t(killed[id]);
    lost.note = !same_boot ? (started ? "the machine went down while it ran"
                                      : "the machine went down when it was about to start; it may have run")
                           : "the warden was killed while it ran";
    if (lost.strays > 0) lost.note += "; " + std::to_string(lost.strays) + " processes that remained were ended";
    entry.state = Entry::State::exited;
    entry.exit = std::move(lost);
  }
  Spool spool(directory);
  spool.load(std::move(contents.entries), contents.intact);
  SPARKY_TRY(spool.rewrite());
  return spool;
}

}  // namespace sparky::warden
