#include "plan/plan.h"

#include <array>
#include <charconv>

#include "base/text.h"

namespace sparky::plan {
namespace {

constexpr std::array<std::string_view, 4> phases = {"sequential", "parallel", "sequential-then-parallel", "mixed"};
constexpr std::array<std::string_view, 4> priorities = {"P0", "P1", "P2", "P3"};

template <class T, size_t N>
std::optional<T> find(const std::array<std::string_view, N>& names, std::string_view wanted) {
  for (size_t i = 0; i < N; ++i)
    if (names[i] == wanted) return T(i);
  return std::nullopt;
}

}  // namespace

std::string_view name(Phase phase) { return phases[size_t(phase)]; }
std::string_view name(Priority priority) { return priorities[size_t(priority)]; }
std::optional<Phase> parse_phase(std::string_view name) { return find<Phase>(phases, name); }
std::optional<Priority> parse_priority(std::string_view name) { return find<Priority>(priorities, name); }

std::optional<Due> parse_due(std::string_view text) {
  if (auto date = parse_iso(text); date && text.size() == 10)
    return Due{std::chrono::floor<std::chrono::days>(*date), 0};
  auto words = lower(text);
  if (!words.starts_with("week ")) return std::nullopt;
  auto number = trim(std::string_view(words).substr(5));
  int week = 0;
  auto [end, err] = std::from_chars(number.data(), number.data() + number.size(), week);
  if (err != std::errc{} || end != number.data() + number.size() || week < 1 || week > 10'000) return std::nullopt;
  return Due{std::nullopt, week};
}

std::string bad_id(std::string_view id) {
  if (id.empty()) return "it is empty";
  if (id.size() > max_id_bytes) return "it is longer than 100 bytes";
  auto alphanumeric = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
  if (!alphanumeric(id[0])) return "it does not begin with a letter or a digit";
  for (char c : id)
    if (!alphanumeric(c) && c != '-' && c != '_' && c != '.') return "it has a character other than a-z A-Z 0-9 - _ .";
  if (id.find("..") != id.npos) return "it contains '..'";
  return {};
}

}  // namespace sparky::plan
