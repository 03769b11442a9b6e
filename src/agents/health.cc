#include "agents/health.h"

#include <fmt/format.h>

namespace sparky::agents {

std::string_view name(Health health) {
  static constexpr std::string_view names[] = {"working", "waiting for a person", "stuck", "looping", "gone"};
  return names[size_t(health)];
}

Diagnosis diagnose(const Signals& s, const Profile& profile) {
  auto ago = [](int64_t ms) { return human(Duration(ms / 1000 * 1000)); };
  if (!s.alive) return {Health::gone, "its process has ended"};
  if (s.asks) return {Health::waiting, "it has asked for a person"};
  if (profile.repeats > 0 && s.repeats >= profile.repeats)
    return {Health::looping, fmt::format("the same tool call {} times in a row: {}", s.repeats, s.repeated)};
  int64_t limit = profile.silence.count();
  bool files_still = s.files_age < 0 || s.files_age >= limit;
  if (limit > 0 && s.word_age >= limit && s.cpu_age >= limit && files_still)
    return {Health::stuck,
            fmt::format("no word for {}, no CPU time for {}, no file changed", ago(s.word_age), ago(s.cpu_age))};
  return {Health::working, fmt::format("last word {} ago, last CPU time {} ago", ago(s.word_age), ago(s.cpu_age))};
}

}  // namespace sparky::agents
